"""What a site serves in tests."""

TEXT = "text/plain; charset=utf-8"


OM_PAGE = b"a 1\n# EOF\n"


TEXT_PAGE = b"a 1\n"


class Renderer:
    """Gives a page, larger by ``padding`` bytes, and counts how often it was asked."""

    def __init__(self, padding: int = 0) -> None:
        self.calls: list[bool] = []
        self.padding = b"# " + b"x" * padding + b"\n" if padding else b""

    def __call__(self, openmetrics: bool) -> bytes:
        """The page."""
        self.calls.append(openmetrics)
        return self.padding + (OM_PAGE if openmetrics else TEXT_PAGE)
