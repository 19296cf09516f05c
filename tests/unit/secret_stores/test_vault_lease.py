"""Tests of `restic_reporter.secret_stores.vault.lease`."""

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.redaction.secret import Secret
from restic_reporter.secret_stores.vault.lease import Backoff, Grant, Lease, next_warning

TOKEN = Secret("hvs.x")
WALL = 1_800_000_000.0


def begun(ttl: float, jitter: float = 0.0, **more: object) -> Lease:
    """A lease that begins at 0 of the clock."""
    more.setdefault("renewable", True)
    return Lease.begin(Grant(TOKEN, ttl, **more), 0.0, WALL, jitter)  # type: ignore[arg-type]


class LeaseTests(SynchronousTestCase):
    """`Lease`."""

    def test_share(self) -> None:
        """A lease is due after 0.6 to 0.7 of it, as chance has it."""
        for jitter, due in ((0.0, 600.0), (0.5, 650.0), (1.0, 700.0)):
            lease = begun(1000.0, jitter)
            self.assertFalse(lease.is_due(due - 1, WALL + due - 1))
            self.assertTrue(lease.is_due(due, WALL + due))

    def test_either_clock(self) -> None:
        """The wall clock alone makes it due, as the other stands still while a computer sleeps."""
        lease = begun(1000.0)
        self.assertTrue(lease.is_due(1.0, WALL + 3600))
        self.assertTrue(lease.is_due(600.0, WALL - 3600))

    def test_end(self) -> None:
        """It ends by the clock, whatever the wall clock says."""
        lease = begun(1000.0)
        self.assertFalse(lease.has_expired(999.0))
        self.assertTrue(lease.has_expired(1000.0))
        self.assertEqual(lease.expires_at, WALL + 1000)

    def test_endless(self) -> None:
        """A time to live of 0 is none: never due, without an end."""
        lease = begun(0.0, renewable=False)
        self.assertFalse(lease.is_due(1e9, WALL + 1e9) or lease.has_expired(1e9))
        self.assertEqual((lease.expires_at, lease.final_end, lease.last), (None, None, False))

    def test_token_in_mid_life(self) -> None:
        """An older token is due when two thirds of the whole lease are over, so perhaps at once."""
        self.assertEqual(begun(700.0, full_ttl=1000.0).delay, 420.0 - 300.0)
        self.assertEqual(begun(100.0, full_ttl=1000.0).delay, 0.0)

    def test_renewed(self) -> None:
        """A renewal that grants as much as the one before begins anew."""
        lease = begun(1000.0).renewed(Grant(TOKEN, 999.0, True), 600.0, WALL + 600, 0.0)
        self.assertFalse(lease.last)
        self.assertEqual(lease.expires_at, WALL + 1599)
        self.assertIsNone(lease.final_end)

    def test_shrunk(self) -> None:
        """One that grants noticeably less is the last: the end stands."""
        lease = begun(1000.0).renewed(Grant(TOKEN, 800.0, True), 600.0, WALL + 600, 0.0)
        self.assertTrue(lease.last)
        self.assertEqual(lease.final_end, WALL + 1400)

    def test_nothing_left(self) -> None:
        """A renewal that rounds to 0 is near its end, and not endless."""
        lease = begun(1000.0).renewed(Grant(TOKEN, 0.0, True), 600.0, WALL + 600, 0.0)
        self.assertTrue(lease.last)
        self.assertTrue(lease.has_expired(601.0))

    def test_less_for_good(self) -> None:
        """Where a shorter lease is granted again and again, that is not the maximum."""
        lease = begun(100.0, full_ttl=1000.0)
        lease = lease.renewed(Grant(TOKEN, 100.0, True), 0.0, WALL, 0.0)
        self.assertTrue(lease.last)
        lease = lease.renewed(Grant(TOKEN, 100.0, True), 60.0, WALL, 0.0)
        self.assertFalse(lease.last)

    def test_unrenewable(self) -> None:
        """One that is not renewable is the last from the beginning, or once it is refused."""
        self.assertTrue(begun(1000.0, renewable=False).last)
        lease = begun(1000.0).unrenewable(0.0)
        self.assertTrue(lease.last)
        self.assertFalse(lease.grant.renewable)

    def test_no_hurry_at_the_end(self) -> None:
        """One that cannot be prolonged is not asked about every moment as its end comes near."""
        self.assertEqual(begun(4.0, renewable=False).delay, 4.0)
        self.assertEqual(begun(6.0, renewable=False).delay, 5.0)
        self.assertEqual(begun(2.0).delay, 1.2)

    def test_known_maximum(self) -> None:
        """Where Vault tells of a maximum, it is known at once; the sooner end counts."""
        lease = begun(1000.0, ends_for_good_at=WALL + 5000)
        self.assertEqual(lease.final_end, WALL + 5000)
        lease = lease.renewed(Grant(TOKEN, 10.0, True), 0.0, WALL, 0.0)
        self.assertEqual(lease.final_end, WALL + 10)

    def test_repr(self) -> None:
        """What is printed of it shows no token."""
        self.assertNotIn("hvs.x", repr(begun(10.0)))


class WarningTests(SynchronousTestCase):
    """`next_warning`."""

    def test_moments(self) -> None:
        """A day and an hour before the end, and never after."""
        self.assertEqual(next_warning(WALL, WALL - 900_000), WALL - 86400)
        self.assertEqual(next_warning(WALL, WALL - 86400), WALL - 3600)
        self.assertIsNone(next_warning(WALL, WALL - 3600))


class BackoffTests(SynchronousTestCase):
    """`Backoff`."""

    def test_growth(self) -> None:
        """Pauses double from one second to five minutes."""
        backoff = Backoff()
        pauses = []
        for _ in range(12):
            backoff.fail(1000.0, 1.0)
            pauses.append(backoff.retry_at - 1000)
        self.assertEqual(pauses[:5], [1, 2, 4, 8, 16])
        self.assertEqual(pauses[-3:], [300, 300, 300])

    def test_chance(self) -> None:
        """Up to half of a pause is left out by chance."""
        backoff = Backoff(failures=3)
        backoff.fail(0.0, 0.0)
        self.assertEqual(backoff.retry_at, 4.0)

    def test_is_active(self) -> None:
        """It is active until the pause is over, or it works."""
        backoff = Backoff()
        self.assertFalse(backoff.is_active(0.0))
        backoff.fail(0.0, 1.0, "why")
        self.assertTrue(backoff.is_active(0.9))
        self.assertFalse(backoff.is_active(1.0))
        self.assertEqual(backoff.problem, "why")
        backoff.reset()
        self.assertFalse(backoff.is_active(0.0))

    def test_months_of_failures(self) -> None:
        """However often it fails, the pause can be reckoned."""
        backoff = Backoff(failures=1_000_000)
        backoff.fail(0.0, 1.0)
        self.assertEqual(backoff.retry_at, 300.0)
