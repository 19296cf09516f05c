"""The settings of ``s3:`` repositories: their keys, and restic's options for S3."""

from attrs import frozen

from ...model.settings import BackendSettings, OwnKeys
from ...redaction.secret import Secret
from .answers import valid_region
from .credentials import Found, Profile, find
from .location import LOOKUPS, S3Location, parse_s3
from .signing import S3Credentials

# As Go's strconv.ParseBool.
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


@frozen(kw_only=True)
class S3Settings(BackendSettings):
    """
    Where the repository is, and how to ask for it.

    ``credentials`` are ``None`` for an anonymous access, and until a document with them is
    looked up; ``profile`` is the place of credentials from a file. ``region`` is the configured
    one. ``virtual`` puts the bucket into the host's name; ``lookup`` is one of `LOOKUPS`.
    ``old_list`` is version 1 of the call that lists.
    """

    place: S3Location
    credentials: S3Credentials | None = None
    profile: Profile | None = None
    region: str | None = None
    lookup: str = "auto"
    old_list: bool = False


def configure(own: OwnKeys) -> S3Settings | None:
    """Return the settings of one repository."""
    try:
        place = parse_s3(own.repo)
    except ValueError as error:
        own.problem("repo", str(error))
        return None
    lookup = own.options.get("s3.bucket-lookup") or "auto"
    if lookup not in LOOKUPS:
        own.problem("options", f"s3.bucket-lookup: must be one of {', '.join(LOOKUPS)}")
    region, environment = _region(own)
    old_list = _boolean(own, "s3.list-objects-v1")
    anonymous = _boolean(own, "s3.unsafe-anonymous-auth")
    found = Found() if anonymous or own.awaited or own.elsewhere else find(own)
    if own.problems:
        return None
    credentials = found.credentials
    secrets = () if credentials is None else (credentials.secret, credentials.token)
    return S3Settings(
        place=place,
        credentials=credentials,
        profile=found.profile,
        region=region,
        lookup=lookup,
        old_list=old_list,
        environment={**environment, **found.environment},
        secrets=tuple(one for one in secrets if one is not None),
        restic_only=found.restic_only,
        awaits_document=own.awaited and not anonymous,
    )


def _region(own: OwnKeys) -> tuple[str | None, dict[str, Secret]]:
    """Return the configured region, and the variables that tell restic of it."""
    region = own.options.get("s3.region")
    if region:
        if not valid_region(region):
            own.problem("options", "s3.region: must be a region, such as eu-central-1")
        return region, {}
    for environ in own.environs:
        region = environ.get("AWS_DEFAULT_REGION")
        if region and valid_region(region):
            return region, {"AWS_DEFAULT_REGION": Secret(region)}
    return None, {}


def _boolean(own: OwnKeys, name: str) -> bool:
    text = own.options.get(name, "false")
    if text not in _BOOLEANS:
        own.problem("options", f"{name}: must be true or false")
    return _BOOLEANS.get(text, False)
