"""
A plugin that tells all its secrets, in every way there is: for a test of what becomes of them.

Its ``fussy:`` repositories are refused at load, its ``leaky:`` ones fail when they are listed.
"""

import sys
import threading
import warnings
from pathlib import Path
from typing import Any, NoReturn

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, Logger
from twisted.python import log
from zope.interface import implementer

from restic_reporter.interfaces import IBackend

DROPIN = """
from restic_reporter.plugin import BackendMaker
leaky = BackendMaker("leaky", ["leaky"], "tests.doubles.leaky_plugin.make", locates=True)
fussy = BackendMaker("fussy", ["fussy"], "tests.doubles.leaky_plugin.refuse", locates=True)
"""


def install(folder: Path) -> str:
    """Make the plugin; what ``PYTHONPATH`` must have before it."""
    plugins = folder / "plugin" / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "leaky_dropin.py").write_text(DROPIN)
    return str(folder / "plugin")


def make_observer() -> Any:
    """For ``--logger``: prints all that it gets of an event."""
    return implementer(ILogObserver)(lambda event: print(event, file=sys.__stdout__))


def secrets_in(repository: Any) -> str:
    """All that there is to know."""
    texts = [secret.reveal() for secret in repository.secrets()]
    pem = repository.transport.client_certificate
    if pem is not None:
        texts += [pem.decode(), repr(pem)]
    return " and ".join([*texts, repr(texts), repr(repository)])


def refuse(repository: Any, tools: Any) -> NoReturn:
    """Refuse ``repository``."""
    raise ValueError(f"not with {secrets_in(repository)}")


def make(repository: Any, tools: Any) -> "LeakyBackend":
    """The backend for ``repository``."""
    return LeakyBackend(secrets_in(repository))


def fail(said: str) -> NoReturn:
    """Raise an exception that says it."""
    raise RuntimeError(said)


async def fail_later(said: str) -> None:
    """The same, in a coroutine that nobody waits for."""
    fail(said)


@implementer(IBackend)
@frozen
class LeakyBackend:
    """Tells everybody."""

    said: str
    concurrent_loads: int = 1

    async def list(self, deadline: Any, meter: Any) -> NoReturn:
        """Fail, telling all."""
        said = self.said
        logger = Logger("leaky")
        logger.info("a value: {said}", said=said)
        logger.warn("a list: {said!r}", said=[said])
        logger.debug("a field that is missing: {nothing}", said=said)
        log.msg(f"the older kind: {said}", system=f"leaky {said}")
        print("printed:", said)
        print("an error:", said, file=sys.stderr)
        warnings.warn(f"a warning: {said}", stacklevel=1)
        Deferred.fromCoroutine(fail_later(said))
        thread = threading.Thread(target=fail, args=(said,))
        thread.start()
        thread.join()
        try:
            fail(said)
        except RuntimeError:
            logger.failure("a failure")
        fail(said)

    async def list_keys(self, deadline: Any, meter: Any) -> NoReturn:
        """Fail."""
        fail(self.said)

    async def load(self, path: str, limit: int, deadline: Any, meter: Any) -> NoReturn:
        """Fail."""
        fail(self.said)
