"""Opening a repository: from its key files and a password to the master key."""

import heapq
from collections.abc import Collection, Sequence
from contextlib import suppress

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, DeferredSemaphore, FirstError, gatherResults
from twisted.logger import Logger

from ...concurrency.cpu_threads import WorkerThreads
from ...model.access import Access
from ...model.errors import ReadError, Reason
from ...restic_format.file_names import is_file_name
from ...restic_format.snapshot_json import parse_time
from ..access import CONFIG_LIMIT
from .compression import parse, unpack
from .downloads import OF_ONE_FILE, RepositoryFiles
from .encryption import DecryptionError, Decryptor
from .key_file import USUAL_MEMORY, KeyFile, open_key_file, parse_key_file

# The most work of one read on key files, which an attacker may have added.
MAX_DERIVATIONS = 20
MAX_KEY_FILES = 2000

# restic's have about 500 bytes.
_KEY_FILE_LIMIT = 2**13

_VERSIONS = (1, 2)
_SHOWN = 5


@frozen
class Opened:
    """
    An open repository: its master key, its id and the version of its format.

    ``newest_key`` (Unix seconds) is when its newest key file was made, ``None`` unless all of them
    were read.
    """

    master: bytes = field(repr=False)
    repository_id: str
    version: str
    newest_key: float | None


@define
class Attempts:
    """
    Key files that earlier reads have tried, so that the next read tries the others.

    ``last_good`` is the key file that opened the repository last. ``refused`` is set if a
    valid one did not fit the password.
    """

    last_good: str | None = None
    tried: set[str] = field(factory=set)
    refused: bool = False


@define(eq=False)
class Opening:
    """
    One attempt to open the repository with the label ``url``.

    ``large`` allows one derivation at a time to use an unusual amount of memory.
    """

    _log = Logger()

    _url: str
    _files: RepositoryFiles
    _workers: WorkerThreads
    _large: DeferredSemaphore
    _attempts: Attempts
    _password: bytes = field(repr=False)
    _derivations: int = 0
    # When the key files that were read were made, by name.
    _created: dict[str, float] = field(factory=dict)
    _broken: list[str] = field(factory=list)

    async def open(self, access: Access, hint: str | None) -> Opened:
        """
        Open it with one of its key files; try those whose name begins with ``hint`` first.

        :raises ReadError: ``auth`` if the password opens none of them, ``keys`` if none is
            usable or some are left for the next read.
        """
        opened = await self._open(access, hint)
        return evolve(opened, newest_key=self._newest_key(access.keys))

    async def _open(self, access: Access, hint: str | None) -> Opened:
        names, attempts = access.keys, self._attempts
        preferred = self._preferred(names, hint)
        for name in preferred:
            if opened := await self._try_some([name], access.config):
                return opened
        fresh = set(names) - attempts.tried
        if not fresh.difference(preferred):
            attempts.tried.clear()
            fresh = set(names)
        window = heapq.nsmallest(MAX_KEY_FILES, fresh.difference(preferred))
        if opened := await self._try_some(window, access.config):
            return opened
        raise self._failure(len(fresh.difference(preferred) - attempts.tried))

    def _preferred(self, names: Collection[str], hint: str | None) -> list[str]:
        last = self._attempts.last_good
        hinted = [name for name in names if hint and name.startswith(hint)]
        # Like restic, ignore an ambiguous hint.
        candidates = ([last] if last in names else []) + (hinted if len(hinted) == 1 else [])
        return [name for name in dict.fromkeys(candidates) if name is not None]

    async def _try_some(self, names: Sequence[str], config: bytes) -> Opened | None:
        """Try some key files, the most likely first."""
        loading = [Deferred.fromCoroutine(self._load(name)) for name in names]
        try:
            loaded = await gatherResults(loading, consumeErrors=True)
        except FirstError as error:
            error.subFailure.raiseException()
        finally:
            for one in loading:
                one.cancel()
        key_files = [one for one in loaded if one is not None]
        for key_file in sorted(key_files, key=lambda one: one.rank):
            if self._derivations >= MAX_DERIVATIONS:
                break
            if opened := await self._try(key_file, config):
                return opened
        return None

    def _newest_key(self, names: Collection[str]) -> float | None:
        return max(self._created.values()) if self._created.keys() >= set(names) else None

    async def _load(self, name: str) -> KeyFile | None:
        try:
            content = await self._files.load(f"keys/{name}", _KEY_FILE_LIMIT)
            key_file = parse_key_file(name, content)
        except ReadError as error:
            if error.reason not in OF_ONE_FILE:
                raise
            self._ignore(name, error.message)
        except ValueError as error:
            self._ignore(name, str(error))
        else:
            with suppress(ValueError):
                self._created[name] = parse_time(key_file.created)
            return key_file
        return None

    async def _try(self, key_file: KeyFile, config: bytes) -> Opened | None:
        self._derivations += 1
        try:
            master = await self._derive(key_file)
        except (ValueError, MemoryError) as error:
            self._ignore(key_file.name, str(error) or "not enough memory to try it")
            return None
        self._attempts.tried.add(key_file.name)
        if master is None:
            self._attempts.refused = True
            return None
        try:
            opened = read_config(config, master)
        except DecryptionError:
            self._ignore(key_file.name, "made for another repository, or the config is corrupt")
            return None
        self._attempts.tried.clear()
        self._attempts.refused = False
        self._attempts.last_good = key_file.name
        return opened

    async def _derive(self, key_file: KeyFile) -> bytes | None:
        def run() -> "Deferred[bytes | None]":
            return self._workers.run(open_key_file, key_file, self._password, long=True)

        if key_file.memory <= USUAL_MEMORY:
            return await run()
        return await self._large.run(run)

    def _ignore(self, name: str, why: str) -> None:
        self._attempts.tried.add(name)
        self._broken.append(name)
        if len(self._broken) <= _SHOWN:
            self._log.warn(
                "{url}: key file {name} ignored: {why}", url=self._url, name=name[:16], why=why
            )

    def _failure(self, untried: int) -> ReadError:
        tried = f"key files tried: {self._derivations}"
        if untried:
            return ReadError(
                Reason.KEYS,
                f"no key found yet; {tried}, left for the next reads: {untried}; set key_hint"
                " to try the right one first",
            )
        if self._attempts.refused:
            return ReadError(Reason.AUTH, f"wrong password or no key found; {tried}")
        shown = ", ".join(sorted(name[:8] for name in self._broken)[:_SHOWN])
        return ReadError(Reason.KEYS, f"no usable key file: {shown}")


def read_config(content: bytes, master: bytes) -> Opened:
    """
    Open a repository by its encrypted config.

    :raises DecryptionError: the config was not encrypted with this ``master`` key.
    :raises ReadError: ``protocol`` if it has an unknown format.
    """
    text = Decryptor(master).open(content)
    try:
        config = parse(unpack(text, CONFIG_LIMIT))
    except ValueError as error:
        raise ReadError(Reason.PROTOCOL, f"invalid repository config: {error}") from None
    if not isinstance(config, dict) or not is_file_name(config.get("id")):
        raise ReadError(Reason.PROTOCOL, "repository config has no id")
    version = config.get("version")
    if version not in _VERSIONS:
        raise ReadError(Reason.PROTOCOL, f"unknown repository version {version!r:.20}")
    return Opened(master, config["id"], str(version), None)
