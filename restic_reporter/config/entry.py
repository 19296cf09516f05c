"""One entry of the config to a `Repository`, or to all that is wrong with it."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import define, field

from ..http import parse_ca_certificates, parse_client_certificate
from ..interfaces import IBackendMaker
from ..model.freshness import Freshness
from ..model.labels import sanitise
from ..model.repository import Material, PasswordCommand, Repository, Transport
from ..model.schemes import RESTIC_SCHEMES
from ..model.settings import BackendSettings, OwnKeys
from ..redaction.secret import Secret, redact_url
from ..schedule.cron import parse_cron
from . import keys
from .context import ConfigContext
from .freshness import freshness_of
from .location import absolute, scheme_of
from .secret_documents import keys_document, password_document, settings_of
from .sources import password_text, read_private_file, resolve, split_command

T = TypeVar("T")

_MAX_FILE = 2**20

# The files that hold secrets.
_PRIVATE = ("password_file", "tls_client_cert")


@define
class EntryLoader:
    """
    Turns one entry into a `Repository`, and notes all that is wrong with it.

    Of an entry whose label this process does not hold, the files are not read. ``open_files``
    are, by key, the files with secrets that everybody can read.
    """

    position: int
    entry: Any = field(repr=False)
    defaults: Mapping[str, Any] = field(repr=False)
    context: ConfigContext
    problems: list[str] = field(factory=list)
    open_files: list[tuple[str, str]] = field(factory=list)
    label: str | None = None
    _values: dict[str, Any] = field(factory=dict, repr=False)
    _materials: list[Material] = field(factory=list)
    _here: bool = True
    _stores: tuple[str, ...] = ()

    def load(self) -> Repository | None:
        """The repository; ``None`` where the entry is disabled or `problems` has come up."""
        if not isinstance(self.entry, dict):
            self.problems.append("must be a map")
            return None
        context, owners = self.context, self.context.owners
        self._stores = context.stores
        if context.broken:
            named = keys.stores_in({**self.defaults, **self.entry}, owners)
            self._stores = tuple(sorted({*named, *context.stores}))
        wrong = keys.check(self.entry, self._stores, owners)
        merged = keys.merge(self.entry, self.defaults, self._stores, owners)
        self._values = {key: value for key, value in merged.items() if key not in wrong}
        scheme = self._scheme()
        if context.broken and scheme not in {*RESTIC_SCHEMES, *context.makers, None}:
            # Its backend may be the one that is broken, and these its keys.
            wrong = {key: one for key, one in wrong.items() if key in keys.CHECKS}
        self.problems[:0] = wrong.values()
        if self._values.get("disabled", False):
            self.problems[:] = wrong.values()
            return None
        if scheme is None:
            if "repo" not in self._values and "repo" not in wrong:
                self.problems.append("the key 'repo' is missing")
            return None
        written: str = self._values["repo"]
        label = sanitise(redact_url(written))
        self._here = context.holds(label)
        maker = context.makers.get(scheme)
        own, settings = self._settings(maker, written)
        if own is None or all(key != "repo" for key, _ in own.problems):
            # Of what is no URL nobody can tell which part is a password.
            self.label = label
        ca_path, ca = self._certificates("cacert", parse_ca_certificates)
        client_path, client = self._certificates("tls_client_cert", parse_client_certificate)
        password = self._password(wrong)
        cron = self._try("cron", parse_cron)
        freshness = Freshness()
        try:
            freshness = freshness_of(self._values)
        except ValueError as error:
            self.problems.append(str(error))
        if self.problems or self.label is None or settings is None or not self._here:
            return None
        location = absolute(written, scheme, context.directory)
        return Repository(
            position=self.position,
            url=self.label,
            scheme=scheme,
            location=settings.location or Secret(location),
            password=password,
            settings=settings,
            materials=tuple(self._materials),
            own=own if settings.awaits_document else None,
            transport=Transport(ca, client, settings.unix_socket),
            ca_certificate_path=ca_path,
            client_certificate_path=client_path,
            key_hint=self._values.get("key_hint"),
            env={name: Secret(value) for name, value in self._values.get("env", {}).items()},
            reader=self._values.get("reader"),
            timeout=self._values.get("timeout"),
            cron=cron,
            group_by=tuple(sorted(self._values.get("group_by", ()))),
            freshness=freshness,
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

    def _scheme(self) -> str | None:
        known = None if self.context.broken else tuple(self.context.makers)
        return self._try("repo", scheme_of, known)

    def _settings(
        self, maker: IBackendMaker | None, written: str
    ) -> tuple[OwnKeys | None, BackendSettings | None]:
        """What the backend is given, and what it makes of that."""
        for other in self.context.owners:
            foreign = [key for key in keys.own_keys(other, self._stores) if key in self.entry]
            if foreign and other is not maker:
                self.problems.append(
                    f"{', '.join(foreign)}: only for a {other.schemes[0]}: repository"
                )
        if maker is None:
            return None, BackendSettings()
        named = keys.materials(maker, self._stores)
        instead = keys.from_documents(maker)
        present = [key for key in (*instead, *named) if key in self._values]
        documents = [key for key in present if key in named]
        own = OwnKeys(
            repo=written,
            values={
                one.name: self._values[one.name] for one in maker.keys if one.name in self._values
            },
            written=[key for key in present if key in self.entry],
            environs=(self._values.get("env", {}), self.context.environ),
            awaited=bool(documents),
            elsewhere=not self._here,
        )
        settings = settings_of(maker, own)
        self.problems.extend(problem for _, problem in own.problems)
        if documents and not own.problems:
            if len(present) > 1:
                self.problems.append(f"{' and '.join(present)}: only one of them may be given")
            key = documents[0]
            if settings is not None and settings.awaits_document:
                self._materials.append(keys_document(maker, key, named[key], self._values[key]))
        return own, settings

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
        return resolve(self._values[key], self.context.directory, self.context.environ), content

    def _file(self, key: str) -> bytes | None:
        if key not in self._values or not self._here:
            return None
        path = self._values[key]
        try:
            place = resolve(path, self.context.directory, self.context.environ)
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

    def _password(self, wrong: Mapping[Any, str]) -> Secret | PasswordCommand | None:
        sources = keys.password_sources(self._stores)
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
        (key,) = present
        store = key.removesuffix(keys.MATERIAL)
        self._materials.append(password_document(key, store, self._values[key]))
        return None
