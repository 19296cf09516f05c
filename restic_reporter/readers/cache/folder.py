"""
The folder of restic's cache: ``<root>/<repository id>/snapshots/<xx>/<snapshot id>``.

Every call may block as long as the disk does. Nothing in the folder is trusted: symbolic
links below the root are not followed, and a file is valid only if its SHA-256 is its name.
"""

import contextlib
import errno
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Collection, Iterator, Mapping, Sequence

from attrs import frozen

from ...restic_format.file_names import is_file_name

# As restic writes them.
_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n"
_VERSION = b"1"
_FOLDERS = ("data", "index", "snapshots")

# restic ignores such names.
_TEMPORARY = "tmp-restic-reporter-"
_TEMPORARY_LIFE = 86400.0

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class ForeignError(Exception):
    """The folder contains something that is not a cache of the known format."""


@frozen
class CacheFolder:
    """
    The cache at the absolute path ``root``, which need not exist yet.

    :raises OSError: from every method, when the disk fails.
    :raises ForeignError: from every method, when the folder is no cache.
    """

    root: str

    def load(
        self, repository: str, names: Sequence[str], limit: int, budget: int
    ) -> dict[str, bytes | None]:
        """
        Return the files ``names`` of the repository with this id, ``None`` for missing ones.

        Stops at ``budget`` bytes, after one file at least. Removes a file that is invalid or
        has more than ``limit`` bytes.
        """
        found: dict[str, bytes | None] = {}
        size = 0
        with self._snapshots(repository) as snapshots:
            for name in names:
                content = _read(snapshots, name, limit)
                found[name] = content
                size += len(content or b"")
                if size >= budget:
                    break
        return found

    def store(self, repository: str, files: Mapping[str, bytes]) -> None:
        """Write some files, each atomically; go on with the others when one fails."""
        problem: Exception | None = None
        with self._snapshots(repository) as snapshots:
            for name, content in files.items():
                try:
                    _write(snapshots, name, content)
                except (OSError, ForeignError) as error:
                    problem = problem or error
        if problem is not None:
            raise problem

    def remove(self, repository: str, names: Collection[str]) -> None:
        """Remove some files; ignore missing ones."""
        with self._snapshots(repository) as snapshots:
            for name in names:
                with (
                    contextlib.suppress(FileNotFoundError, ForeignError),
                    _opened(name[:2], snapshots) as folder,
                ):
                    os.unlink(name, dir_fd=folder)

    def keep_only(self, repository: str, names: Collection[str]) -> None:
        """Remove all other snapshot files of this repository, and leftovers of crashes."""
        with self._snapshots(repository) as snapshots:
            for prefix in os.listdir(snapshots):
                with (
                    contextlib.suppress(OSError, ForeignError),
                    _opened(prefix, snapshots) as folder,
                ):
                    for name in os.listdir(folder):
                        if is_file_name(name) and name not in names:
                            os.unlink(name, dir_fd=folder)
                        elif name.startswith(_TEMPORARY):
                            _remove_old(name, folder)

    @contextlib.contextmanager
    def _snapshots(self, repository: str) -> Iterator[int]:
        """Open the folder of a repository's snapshots; create it as restic does."""
        os.makedirs(self.root, 0o700, exist_ok=True)
        with _opened(self.root, None, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) as root:
            _write_new("CACHEDIR.TAG", _TAG, root)
            _make(repository, root)
            with _opened(repository, root) as folder:
                _check_version(folder)
                for name in _FOLDERS:
                    _make(name, folder)
                # `restic cache --cleanup` removes those that look unused.
                with contextlib.suppress(OSError):
                    os.utime(folder)
                with _opened("snapshots", folder) as snapshots:
                    yield snapshots


def _check_version(folder: int) -> None:
    try:
        with _opened("version", folder, _FILE) as file:
            version = os.read(file, 16)
    except FileNotFoundError:
        _write_new("version", _VERSION, folder)
        return
    if version.strip() != _VERSION:
        raise ForeignError(f"unknown cache version {version!r}; choose another --cache-dir")


def _read(snapshots: int, name: str, limit: int) -> bytes | None:
    try:
        with _opened(name[:2], snapshots) as folder:
            with _opened(name, folder, _FILE) as file:
                status = os.fstat(file)
                if stat.S_ISREG(status.st_mode) and status.st_size <= limit:
                    with open(file, "rb", closefd=False) as stream:
                        content = stream.read(limit + 1)
                    if hashlib.sha256(content).hexdigest() == name:
                        return content
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder)
    except (OSError, ForeignError):
        # The caller loads the file from the repository instead.
        return None
    return None


def _write(snapshots: int, name: str, content: bytes) -> None:
    _make(name[:2], snapshots)
    temporary = f"{_TEMPORARY}{secrets.token_hex(8)}"
    with _opened(name[:2], snapshots) as folder:
        try:
            _write_new(temporary, content, folder, 0o600)
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise


def _write_new(name: str, content: bytes, folder: int, mode: int = 0o644) -> None:
    """Write a file, unless there is one of this name: restic may have been faster."""
    try:
        file = os.open(name, _NEW, mode, dir_fd=folder)
    except FileExistsError:
        return
    try:
        with open(file, "wb") as stream:
            stream.write(content)
    except BaseException:
        # An incomplete file would count as complete.
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=folder)
        raise


def _remove_old(name: str, folder: int) -> None:
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if status.st_mtime < time.time() - _TEMPORARY_LIFE:
        os.unlink(name, dir_fd=folder)


def _make(name: str, folder: int) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=folder)


@contextlib.contextmanager
def _opened(name: str, folder: int | None, flags: int = _FOLDER) -> Iterator[int]:
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise ForeignError(f"{name!r} is a symbolic link or of the wrong type") from None
        raise
    try:
        yield descriptor
    finally:
        os.close(descriptor)
