"""A config file, and the password and certificate files that it names, to a `Config`."""

import os
import shlex
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import define, field

from ..http import Transport, parse_ca_certificates, parse_client_certificate
from ..labels import sanitise
from ..schedule import parse_cron
from ..secret import Secret, redact_url
from . import keys
from .document import ConfigError, parse_document, repeated_keys
from .location import Rest, absolute, parse_rest, scheme_of, with_credentials
from .settings import Config, PasswordCommand, Repository, RestCredentials

T = TypeVar("T")

_MAX_CONFIG = 64 * 2**20
_MAX_FILE = 2**20

# What restic, by Go's unicode.IsSpace, trims; Python's own notion has four more.
_WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def load_config(path: str, directory: str, schemes: tuple[str, ...] = ()) -> Config:
    """
    The config in the file ``path``.

    Relative paths, ``path`` included, start in ``directory``. ``schemes`` are those that
    plugins serve beyond restic's own. Blocks while it reads files.

    :raises ConfigError: with all that is wrong.
    """
    try:
        content = _read(os.path.join(directory, path), _MAX_CONFIG)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except ValueError as error:
        raise ConfigError([f"{path}: {error}"]) from None
    return build_config(parse_document(content, path), path, directory, schemes)


def build_config(document: Any, name: str, directory: str, schemes: tuple[str, ...] = ()) -> Config:
    """The config in an already parsed ``document`` of the file called ``name``."""
    problems: list[str] = []
    entries, defaults = _entries(document, problems)
    repositories: list[Repository] = []
    labels: dict[str, int] = {}
    for position, entry in enumerate(entries, 1):
        loader = _Entry(position, entry, defaults, directory, schemes)
        repository = loader.load()
        problems.extend(f"entry {position}: {problem}" for problem in loader.problems)
        if loader.label is None:
            continue
        if loader.label in labels:
            problems.append(
                f"entry {position}: repo: has the same label as entry {labels[loader.label]}:"
                f" {loader.label!r}; each repository may stand in one enabled entry only"
            )
        labels.setdefault(loader.label, position)
        if repository is not None:
            repositories.append(repository)
    if problems:
        raise ConfigError([f"{name}: {problem}" for problem in problems])
    warnings = () if repositories else (f"{name}: no repository is enabled",)
    return Config(tuple(repositories), warnings, name)


def _entries(document: Any, problems: list[str]) -> tuple[list[Any], Mapping[str, Any]]:
    """The list of entries and the defaults of either form of the document."""
    if isinstance(document, list):
        return document, {}
    if not isinstance(document, dict):
        problems.append("must be a list of entries, or a map with the key 'repositories'")
        return [], {}
    known = ("repositories", "defaults")
    problems.extend(keys.unknown(key, known) for key in document if key not in known)
    problems.extend(f"the key {key!r} stands twice" for key in repeated_keys(document))
    entries = document.get("repositories")
    if not isinstance(entries, list):
        what = "must be a list of entries" if "repositories" in document else "is missing"
        problems.append(f"the key 'repositories' {what}")
        entries = []
    defaults = document.get("defaults", {})
    if not isinstance(defaults, dict):
        problems.append("defaults: must be a map of keys of an entry")
        return entries, {}
    wrong = keys.check(defaults)
    problems.extend(f"defaults: {problem}" for problem in wrong.values())
    return entries, {key: value for key, value in defaults.items() if key not in wrong}


def _read(path: str, limit: int) -> bytes:
    with open(path, "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"has more than {limit} bytes")
    return content


def password_text(content: bytes) -> str:
    """
    The password in a file's content or a command's output, read as restic reads its own.

    restic drops white space around it, not just the newline at its end, and understands
    byte order marks.

    :raises ValueError: the content is no text, or there is nothing in it.
    """
    encoding = "utf-8-sig"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    try:
        text = content.decode(encoding).strip(_WHITE_SPACE)
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    if not text:
        raise ValueError('is empty; an empty password must be written as "password": ""')
    return text


@define
class _Entry:
    """Turns one entry into a `Repository`, and notes all that is wrong with it."""

    position: int
    entry: Any
    defaults: Mapping[str, Any]
    directory: str
    schemes: tuple[str, ...]
    problems: list[str] = field(factory=list)
    label: str | None = None
    _values: dict[str, Any] = field(factory=dict)

    def load(self) -> Repository | None:
        """The repository; ``None`` where the entry is disabled or `problems` has come up."""
        if not isinstance(self.entry, dict):
            self.problems.append("must be a map")
            return None
        wrong = keys.check(self.entry)
        self.problems.extend(wrong.values())
        self._merge(wrong)
        if self._values.get("disabled", False):
            return None
        self.problems.extend(
            f"{key}: is not available in this version" for key in keys.LATER if key in self._values
        )
        if self._values.get("reader") == "native":
            self.problems.append("reader: 'native' is not available in this version")
        scheme = self._try("repo", scheme_of, self.schemes)
        if scheme is None:
            if "repo" not in self._values and "repo" not in wrong:
                self.problems.append("the key 'repo' is missing")
            return None
        written: str = self._values["repo"]
        rest = self._try("repo", parse_rest) if scheme == "rest" else None
        if scheme != "rest" or rest is not None:
            # Of what is no URL nobody can tell which part is a password.
            self.label = sanitise(redact_url(written))
        location, credentials = self._credentials(written, rest)
        ca_path, ca = self._certificates("cacert", parse_ca_certificates)
        client_path, client = self._certificates("tls_client_cert", parse_client_certificate)
        password = self._password(wrong)
        cron = self._try("cron", parse_cron)
        if self.problems or password is None or self.label is None:
            return None
        return Repository(
            position=self.position,
            url=self.label,
            scheme=scheme,
            location=Secret(absolute(location, scheme, self.directory)),
            password=password,
            credentials=credentials,
            transport=Transport(ca, client, rest.unix_socket if rest else None),
            ca_certificate_path=ca_path,
            client_certificate_path=client_path,
            key_hint=self._values.get("key_hint"),
            env={name: Secret(value) for name, value in self._values.get("env", {}).items()},
            reader=self._values.get("reader"),
            timeout=self._values.get("timeout"),
            cron=cron,
        )

    def _merge(self, wrong: Mapping[Any, str]) -> None:
        own = set(self.entry)
        for group in keys.ALTERNATIVES:
            for chosen in group:
                if not self.entry.keys().isdisjoint(chosen):
                    own.update(key for other in group if other != chosen for key in other)
        merged = {key: value for key, value in self.defaults.items() if key not in own}
        merged.update(self.entry)
        self._values = {key: value for key, value in merged.items() if key not in wrong}

    def _try(self, key: str, function: Callable[..., T], *arguments: Any) -> T | None:
        """``function`` of the value of ``key``; a ValueError becomes a problem."""
        if key not in self._values:
            return None
        try:
            return function(self._values[key], *arguments)
        except ValueError as error:
            self.problems.append(f"{key}: {error}")
            return None

    def _credentials(self, written: str, rest: Rest | None) -> tuple[str, RestCredentials | None]:
        """What restic is told, and the REST credentials, from the URL or from keys."""
        own = [key for key in ("rest_username", "rest_password") if key in self.entry]
        if rest is None:
            if own and not written.startswith("rest:"):
                self.problems.append(f"{', '.join(own)}: only for a rest: repository")
            return written, None
        if rest.username is not None or rest.password is not None:
            if own:
                self.problems.append(f"{', '.join(own)}: the URL in 'repo' has credentials already")
            return written, RestCredentials(rest.username or "", Secret(rest.password or ""))
        username = self._values.get("rest_username")
        password = self._values.get("rest_password")
        if username is None and password is None:
            return written, None
        if username is None or password is None:
            missing = "rest_username" if username is None else "rest_password"
            self.problems.append(f"the key {missing!r} is missing")
            return written, None
        if ":" in username:
            self.problems.append("rest_username: must not contain a colon")
        return (
            with_credentials(written, username, password),
            RestCredentials(username, Secret(password)),
        )

    def _certificates(
        self, key: str, parse: Callable[[bytes], object]
    ) -> tuple[str | None, bytes | None]:
        """The absolute path and the content of a PEM file, checked."""
        content = self._file(key)
        if content is None:
            return None, None
        try:
            parse(content)
        except ValueError as error:
            self.problems.append(f"{key}: {self._values[key]!r}: {error}")
            return None, None
        return os.path.join(self.directory, self._values[key]), content

    def _file(self, key: str) -> bytes | None:
        if key not in self._values:
            return None
        path = self._values[key]
        try:
            return _read(os.path.join(self.directory, path), _MAX_FILE)
        except OSError as error:
            self.problems.append(f"{key}: cannot read {path!r}: {error.strerror}")
        except ValueError as error:
            self.problems.append(f"{key}: {path!r}: {error}")
        return None

    def _password(self, wrong: Mapping[Any, str]) -> Secret | PasswordCommand | None:
        present = [key for key in keys.PASSWORD_SOURCES if key in self._values]
        if len(present) != 1:
            if present:
                self.problems.append(f"{' and '.join(present)}: only one of them may be given")
            elif not set(keys.PASSWORD_SOURCES) & wrong.keys():
                self.problems.append(
                    f"the repository's password is missing: give one of"
                    f" {', '.join(keys.PASSWORD_SOURCES)}"
                )
            return None
        if "password" in present:
            return Secret(self._values["password"])
        if "password_file" in present:
            content = self._file("password_file")
            if content is None:
                return None
            try:
                return Secret(password_text(content))
            except ValueError as error:
                self.problems.append(f"password_file: {self._values['password_file']!r} {error}")
                return None
        return self._try("password_command", _split_command)


def _split_command(text: str) -> PasswordCommand:
    try:
        arguments = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"cannot be split into words: {str(error).lower()}") from None
    if not arguments:
        raise ValueError("names no program")
    return PasswordCommand(tuple(arguments))
