"""Load the config, and replace the running one as a whole."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..collection.collector import Collector
from ..collection.run_queue import DEFAULT, Runs
from ..collection.state import Task
from ..collection.task_maker import TaskMaker
from ..concurrency.daemon_threads import in_daemon_thread
from ..concurrency.deadline import Deadline, within
from ..config.secrets_of_config import masks_of
from ..http import BoundedHTTPClient
from ..model.errors import ConfigError, ReadError
from ..model.repository import Config
from ..redaction.masks import Masks, Redactor
from ..schedule.cron_service import CronService, Schedule
from ..upkeep.ability import upkeep_warnings
from ..upkeep.service import UpkeepService
from .garbage import long_lived

_STOPPING = "the daemon is stopping"

# Seconds. A network mount with the config or a password file can hang.
_LOAD_TIMEOUT = 60.0

Loaded = tuple[Config, Masks, Mapping[str, Task], TaskMaker]


@define(eq=False)
class ConfigLoader:
    """
    Loads the config, and passes it and its tasks to all users.

    ``load_config`` reads and checks the file; it blocks. ``cron`` is for repositories without
    their own schedule. ``on_reload`` is called at the begin of each reload with ``True``, and at
    its end with ``False``.
    """

    _log = Logger()

    _reactor: Any
    _load_config: Callable[[], Config] = field(repr=False)
    _task_maker: TaskMaker
    _redactor: Redactor
    _collector: Collector
    _runs: Runs
    _http: BoundedHTTPClient
    _cron: Schedule
    _cron_service: "CronService[str | None]"
    _upkeep: UpkeepService
    _now: Callable[[], float]
    _on_reload: Callable[[bool], object] = lambda _: None
    _running: bool = False
    # Who waits for the reload that runs, and for the one after it.
    _served: "list[Deferred[Sequence[str]]]" = field(factory=list)
    _waiting: "list[Deferred[Sequence[str]]]" = field(factory=list)
    _stopped: bool = False

    def load(self) -> None:
        """Load and use the config at start, or raise a `ConfigError`; it blocks."""
        config, maker = self._load_config(), self._task_maker.renewed()
        self._use(config, masks_of(config), maker.tasks(config), maker)

    def reload(self) -> "Deferred[Sequence[str]]":
        """
        Load the config again; use a valid one from the next collection on.

        :return: fires at the end, with what is wrong with the config. Cancelling it ends only
            this wait.
        """
        end: Deferred[Sequence[str]] = Deferred()
        self._waiting.append(end)
        if not self._running:
            self._begin()
        return end

    def _begin(self) -> None:
        self._running = True
        self._on_reload(True)
        self._served, self._waiting = self._waiting, []
        reloaded = Deferred.fromCoroutine(self._reload())
        reloaded.addErrback(self._bug)
        reloaded.addCallback(self._ended)

    def _bug(self, failure: Failure) -> Sequence[str]:
        self._log.failure("config not reloaded because of a bug", failure)
        return ["config not reloaded because of a bug; see the log"]

    def _ended(self, problems: Sequence[str]) -> None:
        self._running = False
        self._on_reload(False)
        served, self._served = self._served, []
        for end in served:
            end.callback(problems)
        if self._waiting and not self._running:
            self._begin()

    def stop(self) -> None:
        """Keep the running config from now on."""
        self._stopped = True

    async def _reload(self) -> Sequence[str]:
        """Return what is wrong with the config, without secrets."""
        status = self._collector.state.config
        if self._stopped:
            return [_STOPPING]
        problems: Sequence[str]
        try:
            with long_lived(lambda: self._runs.resting):
                deadline = Deadline.after(self._reactor, _LOAD_TIMEOUT)
                loaded = await within(deadline, self._loaded(), "reading the config")
                if isinstance(loaded, ConfigError):
                    raise ConfigError(loaded.problems)
                if self._stopped:
                    return [_STOPPING]
                self._use(*loaded)
        except ConfigError as error:
            problems = error.problems
        except ReadError as error:
            problems = [error.message]
        except BaseException:
            status.successful = False
            raise
        else:
            count = len(loaded[0].repositories)
            repositories = "1 repository" if count == 1 else "{count} repositories"
            self._log.info(
                f"config reloaded: {repositories}, from the next collection on", count=count
            )
            return ()
        status.successful = False
        for problem in problems:
            self._log.error(
                "config not reloaded, keeping the running one: {problem}", problem=problem
            )
        return [
            self._redactor.redact(f"config not reloaded, keeping the running one: {problem}")
            for problem in problems
        ]

    async def _loaded(self) -> Loaded | ConfigError:
        """Return config and tasks, or an error: raised, it would keep half a config in a cycle."""
        maker = self._task_maker.renewed()
        config = await in_daemon_thread(self._reactor, _config_or_error, self._load_config)
        if isinstance(config, ConfigError):
            return config
        try:
            config = await maker.lookups.complete_all(config)
            masks = await in_daemon_thread(self._reactor, masks_of, config)
            tasks = await maker.tasks_in_turns(config)
        except ConfigError as error:
            return ConfigError(error.problems)
        return config, masks, tasks, maker

    def _use(
        self, config: Config, masks: Masks, tasks: Mapping[str, Task], maker: TaskMaker
    ) -> None:
        """Replace the running config."""
        self._redactor.replace(masks)
        self._collector.set_tasks(tasks, maker.complete)
        self._http.keep_only(one.transport for one in config.repositories)
        own = {one.url: one.cron for one in config.repositories if one.cron is not None}
        self._runs.set_schedules(tuple(tasks), own)
        self._cron_service.set_schedules(own | {DEFAULT: self._cron})
        self._upkeep.use(tasks, maker.complete)
        status = self._collector.state.config
        status.successful = True
        status.success_time = self._now()
        upkeep = upkeep_warnings(tasks, maker.makers)
        for warning in (*config.warnings, *maker.warnings(tasks), *upkeep):
            self._log.warn("{warning}", warning=warning)


def _config_or_error(load: Callable[[], Config]) -> Config | ConfigError:
    try:
        return load()
    except ConfigError as error:
        return ConfigError(error.problems)
