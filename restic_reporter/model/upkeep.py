"""What the daemon does for a repository besides reading its snapshots. Pure."""

from attrs import frozen

from ..schedule.cron import CronExpression

# Seconds that a check may take unless its entry says otherwise.
DEFAULT_CHECK_TIMEOUT = 12 * 3600.0


@frozen
class Check:
    """
    When to run ``restic check``, and how.

    ``read_data_subset`` is the part of the data to read, in restic's syntax; ``None`` for none.
    ``timeout`` is in seconds.
    """

    cron: CronExpression
    read_data_subset: str | None = None
    timeout: float = DEFAULT_CHECK_TIMEOUT


@frozen
class Upkeep:
    """What an entry of the config asks for: checks, and the schedule of listing the size."""

    check: Check | None = None
    size_cron: CronExpression | None = None


NO_UPKEEP = Upkeep()


@frozen
class Size:
    """How many packs a repository has, and their ``bytes`` in all."""

    bytes: int
    packs: int
