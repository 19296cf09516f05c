"""The limits hold over TLS too: the tests of `test_limits` and `test_finish` once more."""

from tests.doubles.web_clients import OverTLS
from tests.unit.web import test_connection_count, test_finish, test_limits


class BodyOverTLSTests(OverTLS, test_limits.BodyTests):
    """Request bodies."""


class HeaderOverTLSTests(OverTLS, test_limits.HeaderTests):
    """Request lines and headers."""


class SlowReaderOverTLSTests(OverTLS, test_limits.SlowReaderTests):
    """Clients that do not read."""


class TimeoutOverTLSTests(OverTLS, test_limits.TimeoutTests):
    """Deadlines."""


class ConnectionCountOverTLSTests(OverTLS, test_connection_count.ConnectionCountTests):
    """Many connections."""


class FinishOverTLSTests(OverTLS, test_finish.FinishTests):
    """The end of a site."""
