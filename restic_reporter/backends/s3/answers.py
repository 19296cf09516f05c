"""Parses the XML that S3 sends: pages of a listing, and errors. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import unquote_plus
from xml.parsers import expat

from attrs import field, frozen

from ...model.errors import ReadError, Reason

# A thousand entries have about twelve elements each. More would block the reactor.
_MOST_ELEMENTS = 30_000

# Listings have one, but names may contain their sign.
_MOST_ATTRIBUTES = 20_000

_DEPTH = 8

_CODE = re.compile(r"[A-Za-z0-9.]{1,64}")
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")

# The elements whose text counts: of the root, and of an entry.
_TEXTS = frozenset(
    (
        *("IsTruncated", "NextContinuationToken", "NextMarker", "EncodingType"),
        *("Code", "Region"),
    )
)
_ENTRY = frozenset(("Key", "LastModified", "Size"))
_ENTRY_PATH = ["ListBucketResult", "Contents"]


@frozen
class Page:
    """
    One page of a listing.

    ``entries`` are the names with the time of their last change as written, ``sizes`` their
    sizes as written. ``token`` says where the next page begins in version 2, ``marker`` in
    version 1.
    """

    entries: Sequence[tuple[str, str]]
    is_truncated: bool
    token: str | None = None
    marker: str | None = None
    sizes: Sequence[str] = ()


@frozen
class S3Error:
    """The error in a response; its parts are empty if they are missing or invalid."""

    code: str = ""
    region: str = ""


@frozen
class _Document:
    """What counts in a document: the root's name, some texts, and entries of a listing."""

    root: list[str] = field(factory=list)
    texts: dict[str, str] = field(factory=dict)
    entries: list[tuple[str, str]] = field(factory=list)
    sizes: list[str] = field(factory=list)


def parse_page(body: bytes, what: str) -> Page | S3Error:
    """
    Parse the page of a listing; servers may answer with an error, too.

    :raises ReadError: ``parse`` if it is neither.
    """
    try:
        document = _parse(body)
    except ValueError as error:
        raise ReadError(Reason.PARSE, f"{what}: response is not a listing: {error}") from None
    if document.root[:1] == ["Error"]:
        return _error(document)
    if document.root[:1] != ["ListBucketResult"] or "IsTruncated" not in document.texts:
        raise ReadError(Reason.PARSE, f"{what}: response is not a listing")
    texts, entries = document.texts, document.entries
    marker = texts.get("NextMarker")
    if texts.get("EncodingType") == "url":
        entries = [(_decoded(name), modified) for name, modified in entries]
        marker = marker and _decoded(marker)
    return Page(
        entries,
        texts["IsTruncated"].strip() == "true",
        texts.get("NextContinuationToken") or None,
        marker or None,
        tuple(document.sizes),
    )


def _decoded(name: str) -> str:
    """Decode a name in a listing, where Amazon writes a blank as ``+``."""
    return unquote_plus(name) if "%" in name or "+" in name else name


def parse_error(body: bytes) -> S3Error:
    """Return the error in a response with another status than 200, as far as it has one."""
    try:
        return _error(_parse(body))
    except ValueError:
        return S3Error()


def _error(document: _Document) -> S3Error:
    code, region = (document.texts.get(name, "").strip() for name in ("Code", "Region"))
    return S3Error(code if _CODE.fullmatch(code) else "", valid_region(region))


def valid_region(text: str) -> str:
    """Return ``text`` if it may be a region, else nothing."""
    return text if _REGION.fullmatch(text) else ""


def time_of(text: str) -> float | None:
    """Return the Unix seconds of a time in a listing, ``None`` if it is invalid."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _parse(body: bytes) -> _Document:
    """
    Parse XML; namespaces are ignored, as some servers leave them out.

    :raises ValueError: it is invalid, or has a document type, which may be a bomb.
    """
    if body.count(b"=") > _MOST_ATTRIBUTES:
        raise ValueError("too many attributes")
    document = _Document()
    path: list[str] = []
    entry: dict[str, str] = {}
    text: list[str] = []
    count = 0

    def start(name: str, _: object) -> None:
        nonlocal count
        count += 1
        if count > _MOST_ELEMENTS or len(path) >= _DEPTH:
            raise ValueError("too many elements")
        path.append(name.rpartition(":")[2])
        if len(path) == 1:
            document.root.append(path[0])
        text.clear()

    def end(_: str) -> None:
        name = path.pop()
        if len(path) == 2 and name in _ENTRY:
            if path == _ENTRY_PATH:
                entry[name] = "".join(text)
        elif len(path) == 1 and name in _TEXTS:
            document.texts[name] = "".join(text)
        elif len(path) == 1 and name == "Contents":
            if "Key" not in entry:
                raise ValueError("an entry without a name")
            document.entries.append((entry["Key"], entry.get("LastModified", "")))
            document.sizes.append(entry.get("Size", ""))
            entry.clear()

    def refuse(*_: object) -> None:
        raise ValueError("it has a document type")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text.append
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise ValueError(f"not XML ({expat.ErrorString(error.code)})") from None
    return document
