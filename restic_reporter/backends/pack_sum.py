"""Sums up the packs of a repository while they are listed. Pure."""

from attrs import define

from ..model.errors import ReadError, Reason
from ..model.upkeep import Size
from ..restic_format.file_names import is_file_name
from ..restic_format.json_array import JSONArrayParser, NotAnArrayError

# The folders in ``data/``, in restic's layout of file systems.
PACK_FOLDERS = tuple(f"data/{number:02x}" for number in range(256))

# A listing of ten million packs has so many bytes.
LISTING_LIMIT = 2**30

# Pages of a thousand names in a bucket: twenty million.
MOST_PAGES = 20_000


@define
class PackSum:
    """The packs so far; their names are not kept."""

    bytes: int = 0
    packs: int = 0

    def add(self, name: object, size: object) -> None:
        """
        Add a file, if it is a pack.

        :raises ReadError: the storage does not tell the size.
        """
        if not is_file_name(name):
            return
        if not isinstance(size, int) or size < 0:
            raise ReadError(Reason.PROTOCOL, "data/: a file without a size in the listing")
        self.bytes += size
        self.packs += 1

    def size(self) -> Size:
        """Return the sum."""
        return Size(self.bytes, self.packs)


@define
class JSONPacks:
    """Sums up a listing of version 2 of REST servers, which arrives in pieces."""

    _sum: PackSum
    _parser: JSONArrayParser
    _is_empty: bool = False

    @classmethod
    def make(cls) -> "JSONPacks":
        """Return the one for a listing."""
        return cls(PackSum(), JSONArrayParser(wanted=("name", "size")))

    def feed(self, data: bytes, final: bool = False) -> None:
        """
        Add what ``data`` completes.

        :raises ReadError: it is no such listing.
        """
        if data.strip() == b"null":
            # An empty list of some servers.
            self._is_empty = True
            return
        try:
            for value in self._parser.close() if final else self._parser.feed(data):
                if isinstance(value, str):
                    message = "data/: the server lists no sizes (version 1 of its protocol)"
                    raise ReadError(Reason.PROTOCOL, message)
                if not isinstance(value, dict):
                    raise ReadError(Reason.PARSE, "invalid listing of data/: an entry is no map")
                self._sum.add(value.get("name"), value.get("size"))
        except NotAnArrayError as error:
            raise ReadError(Reason.PARSE, f"invalid listing of data/: {error}") from None

    def size(self) -> Size:
        """Return the sum at the end, or raise a `ReadError` if the listing is incomplete."""
        if not self._is_empty:
            self.feed(b"", final=True)
        return self._sum.size()
