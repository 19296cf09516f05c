"""One entry of the config to a `Repository`, or to all that is wrong with it."""

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import define, field

from ..http import Transport, parse_ca_certificates, parse_client_certificate
from ..labels import sanitise
from ..schedule import parse_cron
from ..secret import Secret, redact_url
from . import keys
from .location import (
    Rest,
    absolute,
    parse_api_url,
    parse_b2,
    parse_rest,
    scheme_of,
    with_credentials,
)
from .settings import B2Credentials, PasswordCommand, Repository, RestCredentials
from .sources import password_text, read_file, split_command

T = TypeVar("T")

_MAX_FILE = 2**20


@define
class EntryLoader:
    """Turns one entry into a `Repository`, and notes all that is wrong with it."""

    position: int
    entry: Any
    defaults: Mapping[str, Any]
    directory: str
    schemes: tuple[str, ...] | None
    environ: Mapping[str, str]
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
        b2 = self._b2(scheme)
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
            b2=b2,
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

    def _b2(self, scheme: str) -> B2Credentials | None:
        """The application key for a ``b2:`` repository: of the entry, or of the environment."""
        if scheme != "b2":
            own = [key for key in keys.B2_KEYS if key in self.entry]
            if own:
                self.problems.append(f"{', '.join(own)}: only for a b2: repository")
            return None
        self._try("repo", parse_b2)
        api_url = self._try("b2_api_url", parse_api_url)
        key_id, key = self._values.get("b2_account_id"), self._values.get("b2_key")
        if key_id is None and key is None:
            for environ in (self._values.get("env", {}), self.environ):
                if environ.get("B2_ACCOUNT_ID") and environ.get("B2_ACCOUNT_KEY"):
                    key_id, key = environ["B2_ACCOUNT_ID"], environ["B2_ACCOUNT_KEY"]
                    break
        if key_id is None and key is None:
            self.problems.append(
                "the keys 'b2_account_id' and 'b2_key' are missing, and the environment has no"
                " B2_ACCOUNT_ID and B2_ACCOUNT_KEY"
            )
        elif key_id is None or key is None:
            missing = "b2_account_id" if key_id is None else "b2_key"
            self.problems.append(f"the key {missing!r} is missing")
        else:
            return B2Credentials(key_id, Secret(key), api_url)
        return None

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
            return read_file(os.path.join(self.directory, path), _MAX_FILE)
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
        return self._try("password_command", split_command)
