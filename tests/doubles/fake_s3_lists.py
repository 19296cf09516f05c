"""What `tests.doubles.fake_s3` sends as XML: pages of a listing, and errors."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from tests.doubles.fake_s3 import Quirks


class RefusedError(Exception):
    """An error of S3."""

    def __init__(
        self, status: int, code: str, headers: Mapping[str, str] = {}, region: str = ""
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.headers, self.region = status, code, headers, region


def xml_error(error: RefusedError) -> bytes:
    """The body of an error; its message has what no message of ours may repeat."""
    region = f"<Region>{error.region}</Region>" if error.region else ""
    return (
        f"<?xml version='1.0'?>\n<Error><Code>{error.code}</Code>"
        f"<Message>StringToSign s3cret-p4ssw0rd</Message>{region}</Error>"
    ).encode()


def listing(
    objects: Mapping[str, tuple[bytes, float]], query: Mapping[str, str], quirks: "Quirks"
) -> bytes:
    """
    A page of a listing.

    :raises RefusedError: the query is not one of S3's.
    """
    second = query.get("list-type") == "2"
    known = {"prefix", "delimiter", "max-keys", "encoding-type", "fetch-owner"}
    known |= {"list-type", "start-after", "continuation-token"} if second else {"marker"}
    if not query.keys() <= known:
        raise RefusedError(400, "InvalidArgument")
    after = query.get("start-after" if second else "marker", "")
    if quirks.ignores_start and not query.get("delimiter"):
        after = ""
    if "continuation-token" in query:
        after = _after_token(query["continuation-token"])
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    names = sorted((name for name in objects if name.startswith(prefix)), key=str.encode)
    if quirks.unordered:
        # Pages are those of the order; within each the names come backwards.
        after = after if delimiter or "continuation-token" in query else ""
    found = [name for name in names if name.encode() > after.encode()]
    entries, folders = list[str](), dict[str, str]()
    last = ""
    limit = min(quirks.page, int(query.get("max-keys", 1000)))
    truncated = False
    for name in found:
        rest = name[len(prefix) :]
        folder = prefix + rest.partition(delimiter)[0] + delimiter if delimiter else ""
        is_in_folder = bool(delimiter) and delimiter in rest
        if is_in_folder and (folder in folders or after.startswith(folder)):
            last = name
            continue
        if len(entries) + len(folders) >= limit:
            truncated = True
            break
        last = name
        if is_in_folder:
            folders[folder] = name
        else:
            entries.append(name)
    if quirks.unordered:
        entries.reverse()
    return _page(objects, entries, folders, last if truncated else None, second, query, quirks)


def _after_token(token: str) -> str:
    try:
        return base64.b64decode(token.removesuffix("/+="), validate=True).decode()
    except ValueError:
        raise RefusedError(400, "InvalidArgument") from None


def _page(
    objects: Mapping[str, tuple[bytes, float]],
    entries: list[str],
    folders: Mapping[str, str],
    last: str | None,
    second: bool,
    query: Mapping[str, str],
    quirks: "Quirks",
) -> bytes:
    texts = {"Name": "bucket", "Prefix": query.get("prefix", "")}
    encoded = query.get("encoding-type") == "url" and not quirks.plain
    if encoded:
        texts["EncodingType"] = "url"

    def shown(name: str) -> str:
        safe = "" if quirks.encodes_slashes else "/"
        return quote_plus(name, safe) if encoded else escape(name)

    texts["IsTruncated"] = "false" if last is None else "true"
    if last is not None and not quirks.mute:
        if second:
            # As opaque as those of others, and with characters that must be encoded.
            token = base64.b64encode(last.encode()).decode() + "/+="
            texts["NextContinuationToken"] = "the same" if quirks.loops else token
        elif query.get("delimiter"):
            texts["NextMarker"] = shown(query.get("marker", "") if quirks.loops else last)
    parts = [f"<{name}>{escape(text)}</{name}>" for name, text in texts.items()]
    for name in entries:
        content, moment = objects[name]
        when = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
        parts.append(
            f"<Contents><Key>{shown(name)}</Key>"
            f"<LastModified>{when.replace('+00:00', 'Z')}</LastModified>"
            f"<ETag>&quot;0&quot;</ETag><Size>{len(content)}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )
    parts += [f"<CommonPrefixes><Prefix>{shown(one)}</Prefix></CommonPrefixes>" for one in folders]
    namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{namespace}">'
        f"{''.join(parts)}</ListBucketResult>"
    ).encode()
