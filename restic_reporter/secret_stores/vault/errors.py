"""The errors of a call to Vault."""


class VaultOutageError(Exception):
    """
    Vault is unreachable, unavailable or sends invalid responses; a retry may help.

    The message is about Vault as a whole. It has no secrets, except those that a server
    echoes. ``by_vault`` is set if Vault itself rejects the login.
    """

    def __init__(self, message: str, *, by_vault: bool = False) -> None:
        super().__init__(message)
        self.by_vault = by_vault


class VaultRefusedError(Exception):
    """Vault rejects the request; ``data`` is the rest of its response besides errors."""

    def __init__(self, status: int, errors: str, data: object = None) -> None:
        super().__init__(errors or f"status {status}")
        self.status = status
        self.data = data
