"""Finds the access key for a repository where restic looks for it, and in restic's order."""

import configparser
import os
import re
from collections.abc import Iterator, Mapping

from attrs import field, frozen

from ...model.errors import ReadError
from ...model.settings import OwnKeys, missing
from ...redaction.secret import Secret
from ..local import read_file
from .signing import S3Credentials

_FILE_LIMIT = 2**20

# What a header carries unchanged.
_PLAIN = re.compile(r"[\x21-\x7e]+")

# Names of restic's variables: for the id, the secret, and the token of a temporary key.
_PAIRS = (
    (("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"), ("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY")),
    (("MINIO_ROOT_USER",), ("MINIO_ROOT_PASSWORD",)),
    (("MINIO_ACCESS_KEY",), ("MINIO_SECRET_KEY",)),
)

_NO_KEY = (
    "no access key in the keys, the environment or ~/.aws/credentials;"
    " restic alone looks elsewhere, such as the metadata service"
)


@frozen
class Profile:
    """A section of a file with credentials, in the format of Amazon's tools."""

    path: str
    section: str

    def read(self) -> S3Credentials | None:
        """
        Return the access key, ``None`` without a usable one; may block for ever.

        :raises ValueError: the section runs a program for the key, as only restic can.
        """
        try:
            text = read_file("/", os.path.abspath(self.path), _FILE_LIMIT).decode()
        except (ReadError, UnicodeDecodeError):
            return None
        return self.parse(text)

    def parse(self, text: str) -> S3Credentials | None:
        """Do the same with the file's content."""
        parser = configparser.RawConfigParser(
            strict=False, default_section="", allow_no_value=True, delimiters=("=", ":")
        )
        try:
            parser.read_string(text)
        except configparser.Error:
            return None
        if not parser.has_section(self.section):
            return None
        values = {name: (value or "").strip() for name, value in parser[self.section].items()}
        if values.get("credential_process"):
            raise ValueError(f"credential_process of the profile {self.section!r} is for restic")
        return _credentials(
            values.get("aws_access_key_id", ""),
            values.get("aws_secret_access_key", ""),
            values.get("aws_session_token", ""),
        )


@frozen
class Found:
    """
    What was found.

    ``environment`` is for restic. ``profile`` is where the credentials are from, if from a file.
    ``restic_only`` is why only restic can use what there is.
    """

    credentials: S3Credentials | None = None
    environment: Mapping[str, Secret] = field(factory=dict)
    profile: Profile | None = None
    restic_only: str = ""


def find(own: OwnKeys) -> Found:
    """Find the access key; note problems of the entry's own one."""
    entry = own.environs[0] if own.environs else {}
    if entry.get("RESTIC_AWS_ASSUME_ROLE_ARN"):
        return Found(restic_only="RESTIC_AWS_ASSUME_ROLE_ARN: only restic assumes roles")
    if missing(own, "s3_access_key_id", "s3_secret_access_key"):
        return Found()
    names = ("s3_access_key_id", "s3_secret_access_key", "s3_session_token")
    key_id, secret, token = (own.values.get(name, "") for name in names)
    for name, text in zip(names, (key_id, "", token), strict=True):
        if text and not _PLAIN.fullmatch(text):
            own.problem(name, "must have only printable ASCII characters")
            return Found()
    if key_id:
        return _found(_credentials(key_id, secret, token))
    for environ in own.environs:
        for credentials in _in_environment(environ):
            return _found(credentials)
    return _in_file(own)


def _in_environment(environ: Mapping[str, str]) -> Iterator[S3Credentials]:
    token = environ.get("AWS_SESSION_TOKEN", "")
    for ids, secrets in _PAIRS:
        key_id, secret = (
            next((environ[name] for name in names if environ.get(name)), "")
            for names in (ids, secrets)
        )
        credentials = _credentials(key_id, secret, token if "AWS_ACCESS_KEY" in ids else "")
        if credentials is not None:
            yield credentials


def _in_file(own: OwnKeys) -> Found:
    def named(variable: str) -> str:
        return next((one[variable] for one in own.environs if one.get(variable)), "")

    home = named("HOME") or "/nonexistent"
    path = named("AWS_SHARED_CREDENTIALS_FILE") or f"{home}/.aws/credentials"
    profile = Profile(path, named("AWS_PROFILE") or "default")
    environment = {
        name: Secret(named(name))
        for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE")
        if named(name)
    }
    try:
        credentials = profile.read()
    except ValueError as error:
        return Found(environment=environment, restic_only=str(error))
    only = _NO_KEY if credentials is None else ""
    return Found(credentials, environment, profile, only)


def _found(credentials: S3Credentials | None) -> Found:
    if credentials is None:
        return Found()
    token = credentials.token
    return Found(
        credentials,
        {
            "AWS_ACCESS_KEY_ID": Secret(credentials.key_id),
            "AWS_SECRET_ACCESS_KEY": credentials.secret,
            # Otherwise restic would take one of the entry's env.
            "AWS_SESSION_TOKEN": Secret("") if token is None else token,
        },
    )


def _credentials(key_id: str, secret: str, token: str) -> S3Credentials | None:
    if not (_PLAIN.fullmatch(key_id) and secret and (not token or _PLAIN.fullmatch(token))):
        return None
    return S3Credentials(key_id, Secret(secret), Secret(token) if token else None)
