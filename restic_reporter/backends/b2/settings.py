"""The keys of ``b2:`` repositories, and where their files are."""

import posixpath
import re
from urllib.parse import urlsplit

from attrs import frozen

from ...model.settings import BackendSettings, OwnKeys, missing
from ...redaction.secret import Secret, basic_auth_secret


@frozen
class B2Credentials:
    """
    Backblaze's application key. ``api_url`` is the base URL of the authorize call, ``None``
    for Backblaze's own.
    """

    key_id: str
    key: Secret
    api_url: str | None = None


@frozen
class B2Location:
    """
    A ``b2:`` repository, taken apart.

    ``prefix`` has no slash at its ends; it is empty for the bucket's root.
    """

    bucket: str
    prefix: str


@frozen(kw_only=True)
class B2Settings(BackendSettings):
    """The repository's place, and the key: ``None`` until a document with it is looked up."""

    place: B2Location
    credentials: B2Credentials | None = None


def configure(own: OwnKeys) -> B2Settings | None:
    """The settings of one repository, with a key of the entry or of the environment."""
    try:
        place = parse_b2(own.repo)
    except ValueError as error:
        own.problem("repo", str(error))
        place = None
    api_url = _api_url(own)
    # restic itself knows no other B2 than Backblaze's.
    restic_reads = "b2_api_url" not in own.values
    key_id, key = _key(own)
    if place is None:
        return None
    if key_id is None or key is None:
        return B2Settings(place=place, restic_reads=restic_reads, awaits_document=own.awaited)
    credentials = B2Credentials(key_id, Secret(key), api_url)
    return B2Settings(
        place=place,
        credentials=credentials,
        environment={"B2_ACCOUNT_ID": Secret(key_id), "B2_ACCOUNT_KEY": credentials.key},
        secrets=(credentials.key, basic_auth_secret(key_id, credentials.key)),
        restic_reads=restic_reads,
    )


def _api_url(own: OwnKeys) -> str | None:
    try:
        url = own.values.get("b2_api_url")
        return None if url is None else parse_api_url(url)
    except ValueError as error:
        own.problem("b2_api_url", str(error))
        return None


def _key(own: OwnKeys) -> tuple[str | None, str | None]:
    key_id, key = own.values.get("b2_account_id"), own.values.get("b2_key")
    if own.awaited or missing(own, "b2_account_id", "b2_key"):
        return None, None
    if key_id is not None:
        return key_id, key
    for environ in own.environs:
        key_id, key = environ.get("B2_ACCOUNT_ID"), environ.get("B2_ACCOUNT_KEY")
        if key_id and key:
            return key_id, key
    if not own.elsewhere:
        own.problem(
            "",
            "the keys 'b2_account_id' and 'b2_key' are missing, and the environment has no"
            " B2_ACCOUNT_ID and B2_ACCOUNT_KEY",
        )
    return None, None


def parse_b2(repo: str) -> B2Location:
    """
    The parts of ``b2:bucket[:path]``.

    :raises ValueError: it is none, or the bucket can have no such name.
    """
    bucket, _, path = repo.removeprefix("b2:").partition(":")
    if "/" in bucket:
        raise ValueError("must look like b2:bucket:path, with a colon before the path")
    if not re.fullmatch(r"[a-zA-Z0-9-]{6,50}", bucket):
        raise ValueError("a bucket's name has 6 to 50 letters, digits and dashes")
    prefix = clean_path(path).removeprefix("/") if path else ""
    return B2Location(bucket, "" if prefix == "." else prefix)


def clean_path(path: str) -> str:
    """``path`` in the shortest form, as Go's ``path.Clean`` has it: restic uses that."""
    cleaned = posixpath.normpath(path)
    # POSIX gives two leading slashes a meaning of their own; Go does not.
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def parse_api_url(text: str) -> str:
    """
    The base URL of an API, without a slash at its end.

    :raises ValueError: it is none; the message does not repeat it.
    """
    try:
        url = urlsplit(text)
        sound = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        sound = False
    if not sound or url.query or url.fragment or "@" in url.netloc:
        raise ValueError("must be an http:// or https:// URL without credentials or query")
    return text.rstrip("/")
