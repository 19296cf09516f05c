"""What can go wrong in a call to Vault."""


class VaultOutageError(Exception):
    """
    Vault is out of reach, or answers in a way that is none of Vault's; it may pass.

    The message is about Vault as a whole, and has no secret but what a server may echo.
    ``by_vault`` tells that it is Vault that lets us in no more.
    """

    def __init__(self, message: str, *, by_vault: bool = False) -> None:
        super().__init__(message)
        self.by_vault = by_vault


class VaultRefusedError(Exception):
    """Vault has understood and refuses; ``data`` is what its answer holds besides errors."""

    def __init__(self, status: int, errors: str, data: object = None) -> None:
        super().__init__(errors or f"status {status}")
        self.status = status
        self.data = data
