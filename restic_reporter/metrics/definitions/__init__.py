"""The names, types and help texts of the metrics, as in docs/metrics.md."""

from .insight import *  # noqa: F403
from .jobs import *  # noqa: F403
from .repositories import *  # noqa: F403
from .sets import *  # noqa: F403
