"""One entry of the config to a `Repository`, or to all that is wrong with it."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import define, field

from ..http import parse_ca_certificates, parse_client_certificate
from ..model.labels import sanitise
from ..model.repository import (
    B2Credentials,
    Material,
    PasswordCommand,
    Repository,
    RestCredentials,
    Transport,
)
from ..redaction.secret import Secret, redact_url
from ..schedule.cron import parse_cron
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
from .secret_documents import material
from .sources import password_text, read_private_file, resolve, split_command

T = TypeVar("T")

_MAX_FILE = 2**20

# The files that hold secrets.
_PRIVATE = ("password_file", "tls_client_cert")


@define
class EntryLoader:
    """
    Turns one entry into a `Repository`, and notes all that is wrong with it.

    ``stores`` are the names of the secret stores that keys may speak of, ``None`` where there
    may be any. Of an entry whose label this process does not hold, the files are not read.
    ``open_files`` are, by key, the files with secrets that everybody can read.
    """

    position: int
    entry: Any = field(repr=False)
    defaults: Mapping[str, Any] = field(repr=False)
    directory: str
    schemes: tuple[str, ...] | None
    environ: Mapping[str, str] = field(repr=False)
    stores: tuple[str, ...] | None = ()
    holds: Callable[[str], bool] = lambda _: True
    problems: list[str] = field(factory=list)
    open_files: list[tuple[str, str]] = field(factory=list)
    label: str | None = None
    _values: dict[str, Any] = field(factory=dict, repr=False)
    _materials: list[Material] = field(factory=list)
    _here: bool = True

    def load(self) -> Repository | None:
        """The repository; ``None`` where the entry is disabled or `problems` has come up."""
        if not isinstance(self.entry, dict):
            self.problems.append("must be a map")
            return None
        if self.stores is None:
            self.stores = tuple(sorted(keys.stores_in({**self.defaults, **self.entry})))
        wrong = keys.check(self.entry, self.stores)
        self.problems.extend(wrong.values())
        merged = keys.merge(self.entry, self.defaults, self.stores)
        self._values = {key: value for key, value in merged.items() if key not in wrong}
        if self._values.get("disabled", False):
            return None
        self.problems.extend(
            f"{key}: is not available in this version" for key in keys.LATER if key in self._values
        )
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
            self._here = self.holds(self.label)
        location, credentials = self._credentials(written, rest)
        ca_path, ca = self._certificates("cacert", parse_ca_certificates)
        client_path, client = self._certificates("tls_client_cert", parse_client_certificate)
        b2, api_url = self._b2(scheme)
        password = self._password(wrong)
        cron = self._try("cron", parse_cron)
        if self.problems or self.label is None or not self._here:
            return None
        return Repository(
            position=self.position,
            url=self.label,
            scheme=scheme,
            location=Secret(absolute(location, scheme, self.directory)),
            password=password,
            credentials=credentials,
            b2=b2,
            b2_api_url=api_url,
            materials=tuple(self._materials),
            transport=Transport(ca, client, rest.unix_socket if rest else None),
            ca_certificate_path=ca_path,
            client_certificate_path=client_path,
            key_hint=self._values.get("key_hint"),
            env={name: Secret(value) for name, value in self._values.get("env", {}).items()},
            reader=self._values.get("reader"),
            timeout=self._values.get("timeout"),
            cron=cron,
        )

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
        material = self._material("rest_", "rest_username", "rest_password")
        given = ("rest_username", "rest_password", *((material.key,) if material else ()))
        own = [key for key in given if key in self.entry]
        if rest is None:
            if own and not written.startswith("rest:"):
                self.problems.append(f"{', '.join(own)}: only for a rest: repository")
            return written, None
        if rest.username is not None or rest.password is not None:
            if own:
                self.problems.append(f"{', '.join(own)}: the URL in 'repo' has credentials already")
            return written, RestCredentials(rest.username or "", Secret(rest.password or ""))
        if material is not None:
            self._materials.append(material)
            return written, None
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

    def _b2(self, scheme: str) -> tuple[B2Credentials | None, str | None]:
        """
        The application key for a ``b2:`` repository, of the entry or of the environment, and
        the base URL of the API.
        """
        if scheme != "b2":
            own = [key for key in self.entry if key in keys.B2_KEYS or key in self._keys("b2_")]
            if own:
                self.problems.append(f"{', '.join(own)}: only for a b2: repository")
            return None, None
        self._try("repo", parse_b2)
        api_url = self._try("b2_api_url", parse_api_url)
        material = self._material("b2_", "b2_account_id", "b2_key")
        if material is not None:
            self._materials.append(material)
            return None, api_url
        key_id, key = self._values.get("b2_account_id"), self._values.get("b2_key")
        if key_id is None and key is None:
            for environ in (self._values.get("env", {}), self.environ):
                if environ.get("B2_ACCOUNT_ID") and environ.get("B2_ACCOUNT_KEY"):
                    key_id, key = environ["B2_ACCOUNT_ID"], environ["B2_ACCOUNT_KEY"]
                    break
        if key_id is None and key is None:
            # Where another shard's daemon runs, the environment may have them.
            if not self._here:
                return None, api_url
            self.problems.append(
                "the keys 'b2_account_id' and 'b2_key' are missing, and the environment has no"
                " B2_ACCOUNT_ID and B2_ACCOUNT_KEY"
            )
        elif key_id is None or key is None:
            missing = "b2_account_id" if key_id is None else "b2_key"
            self.problems.append(f"the key {missing!r} is missing")
        else:
            return B2Credentials(key_id, Secret(key), api_url), api_url
        return None, api_url

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
        return resolve(self._values[key], self.directory, self.environ), content

    def _file(self, key: str) -> bytes | None:
        if key not in self._values or not self._here:
            return None
        path = self._values[key]
        try:
            place = resolve(path, self.directory, self.environ)
            content, is_open = read_private_file(place, _MAX_FILE)
        except OSError as error:
            self.problems.append(f"{key}: cannot read {path!r}: {error.strerror}")
            return None
        except ValueError as error:
            self.problems.append(f"{key}: {path!r}: {error}")
            return None
        if is_open and key in _PRIVATE:
            self.open_files.append((key, path))
        return content

    def _keys(self, use: str) -> dict[str, str]:
        """The keys that name a document for this ``use``, with the stores they name it in."""
        return {f"{use}{store}_material": store for store in self.stores or ()}

    def _material_of(self, use: str, key: str) -> Material:
        return material(use, self._keys(use)[key], self._values[key])

    def _material(self, use: str, *instead: str) -> Material | None:
        """The document named for this ``use``, where no key out of ``instead`` is there."""
        present = [key for key in (*instead, *self._keys(use)) if key in self._values]
        named = [key for key in present if key not in instead]
        if not named:
            return None
        if len(present) > 1:
            self.problems.append(f"{' and '.join(present)}: only one of them may be given")
        return self._material_of(use, named[0])

    def _password(self, wrong: Mapping[Any, str]) -> Secret | PasswordCommand | None:
        sources = keys.password_sources(self.stores or ())
        present = [key for key in sources if key in self._values]
        if len(present) != 1:
            if present:
                self.problems.append(f"{' and '.join(present)}: only one of them may be given")
            elif not set(sources) & wrong.keys():
                self.problems.append(
                    f"the repository's password is missing: give one of {', '.join(sources)}"
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
        if "password_command" in present:
            return self._try("password_command", split_command)
        self._materials.append(self._material_of("", present[0]))
        return None
