"""Turn one entry of the config into a `Repository`."""

from collections.abc import Callable, Collection, Mapping, Sequence
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
from .location import absolute, hint_for, scheme_of
from .ping import ping_url_of
from .restic_options import options_of
from .secret_documents import keys_document, password_document, settings_of
from .sources import password_text, read_private_file, resolve, split_command
from .upkeep import upkeep_of

T = TypeVar("T")

_MAX_FILE = 2**20

# Keys of files with secrets.
_PRIVATE = ("password_file", "tls_client_cert")


@define
class EntryLoader:
    """
    Loads one entry, and collects its problems and warnings.

    ``open_files`` are keys and paths of files with secrets that every user can read. The files
    of an entry of another shard are not read.
    """

    position: int
    entry: Any = field(repr=False)
    defaults: Mapping[str, Any] = field(repr=False)
    context: ConfigContext
    problems: list[str] = field(factory=list)
    warnings: list[str] = field(factory=list)
    open_files: list[tuple[str, str]] = field(factory=list)
    label: str | None = None
    repo: object = field(default=None, repr=False)
    copies: Sequence[str] = field(default=(), repr=False)
    _values: dict[str, Any] = field(factory=dict, repr=False)
    _materials: list[Material] = field(factory=list)
    _here: bool = True
    _stores: tuple[str, ...] = ()

    def load(self) -> Repository | None:
        """Return the repository; ``None`` if the entry is disabled or has `problems`."""
        if not isinstance(self.entry, dict):
            self.problems.append("must be a map")
            return None
        context, owners = self.context, self.context.owners
        self._stores = context.stores_for(self.defaults, self.entry)
        wrong = keys.check(self.entry, self._stores, owners)
        merged = keys.merge(self.entry, self.defaults, self._stores, owners)
        self._values = {key: value for key, value in merged.items() if key not in wrong}
        self.repo = self._values.get("repo")
        scheme = self._try("repo", scheme_of, context.makers, context.broken)
        unserved = scheme not in {*RESTIC_SCHEMES, *context.makers, None}
        if unserved:
            # A broken plugin may serve it, and have unknown keys.
            wrong = {key: one for key, one in wrong.items() if key in keys.CHECKS}
        if self._values.get("disabled", False):
            self.problems[:] = wrong.values()
            return None
        self.problems[:0] = wrong.values()
        self.copies = self._values.get("copies", ())
        if scheme is None:
            if "repo" not in self._values and "repo" not in wrong:
                self.problems.append("the key 'repo' is missing")
            return None
        written: str = self._values["repo"]
        hint = hint_for(written, context.makers) if unserved else None
        if hint is not None:
            self.warnings.append(
                f"repo: unknown scheme {scheme!r}, unless a broken plugin serves it; {hint}"
            )
        label = sanitise(redact_url(written))
        self._here = context.holds(label)
        own, settings = self._settings(context.makers.get(scheme), written)
        if own is None or all(key != "repo" for key, _ in own.problems):
            # An invalid URL can have its password anywhere.
            self.label = label
        ca_path, ca, _ = self._file("cacert", parse_ca_certificates)
        client_path, client, _ = self._file("tls_client_cert", parse_client_certificate)
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
            options=options_of(self._values.get("options", {})),
            reader=self._values.get("reader"),
            timeout=self._values.get("timeout"),
            cron=cron,
            group_by=tuple(sorted(self._values.get("group_by", ()))),
            client_paths=context.client_paths,
            freshness=freshness,
            upkeep=upkeep_of(self._values),
            ping_url=ping_url_of(self._values),
        )

    def _try(self, key: str, function: Callable[..., T], *arguments: Any) -> T | None:
        """Return ``function`` of the value of ``key``; turn a ValueError into a problem."""
        if key not in self._values:
            return None
        try:
            return function(self._values[key], *arguments)
        except ValueError as error:
            self.problems.append(f"{key}: {error}")
            return None

    def _settings(
        self, maker: IBackendMaker | None, written: str
    ) -> tuple[OwnKeys | None, BackendSettings | None]:
        """Return the backend's keys, and its settings."""
        for other in self.context.owners:
            foreign = [key for key in keys.own_keys(other, self._stores) if key in self.entry]
            if foreign and other is not maker:
                self.problems.append(
                    f"{', '.join(foreign)}: only for a {other.schemes[0]}: repository"
                )
        if maker is None:
            return None, BackendSettings()
        named = keys.materials(maker, self._stores)
        present = [key for key in (*keys.from_documents(maker), *named) if key in self._values]
        documents = [key for key in present if key in named]
        names = [key.name for key in maker.keys if key.name in self._values]
        own = OwnKeys(
            repo=written,
            values={name: self._values[name] for name in names},
            written=[key for key in present if key in self.entry],
            environs=(self._values.get("env", {}), self.context.environ),
            awaited=bool(documents),
            elsewhere=not self._here,
            options=options_of(self._values.get("options", {})),
        )
        settings = settings_of(maker, own)
        self.problems.extend(problem for _, problem in own.problems)
        if documents and not own.problems:
            self._check_single(present)
            key = documents[0]
            if settings is not None and settings.awaits_document:
                self._materials.append(keys_document(maker, key, named[key], self._values[key]))
        return own, settings

    def _check_single(self, present: Collection[str]) -> None:
        if len(present) > 1:
            self.problems.append(f"{' and '.join(present)}: only one of them may be given")

    def _file(
        self, key: str, parse: Callable[[bytes], T]
    ) -> tuple[str | None, bytes | None, T | None]:
        """Return the path from the root, the content, and the parsed content of a file."""
        if key not in self._values or not self._here:
            return None, None, None
        path = self._values[key]
        try:
            place = resolve(path, self.context.directory, self.context.environ)
            content, is_open = read_private_file(place, _MAX_FILE)
            parsed = parse(content)
        except OSError as error:
            self.problems.append(f"{key}: cannot read {path!r}: {error.strerror}")
        except ValueError as error:
            self.problems.append(f"{key}: {path!r}: {error}")
        else:
            if is_open and key in _PRIVATE:
                self.open_files.append((key, path))
            return place, content, parsed
        return None, None, None

    def _password(self, wrong: Collection[str]) -> Secret | PasswordCommand | None:
        sources = keys.password_sources(self._stores)
        present = [key for key in sources if key in self._values]
        if not present and not set(sources) & set(wrong):
            self.problems.append(
                f"the repository's password is missing; add one of {', '.join(sources)}"
            )
        self._check_single(present)
        if len(present) != 1:
            return None
        (key,) = present
        value = self._values[key]
        if key == "password":
            return Secret(value)
        if key == "password_file":
            *_, text = self._file(key, password_text)
            return None if text is None else Secret(text)
        if key == "password_command":
            return self._try(key, split_command)
        self._materials.append(password_document(key, key.removesuffix(keys.MATERIAL), value))
        return None
