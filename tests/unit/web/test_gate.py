"""Tests of `restic_reporter.web.security.gate`, over real connections."""

from base64 import b64encode

import bcrypt
from twisted.internet.defer import Deferred, DeferredList

from restic_reporter.concurrency.cpu_threads import WorkerThreads
from restic_reporter.web.connections import State
from restic_reporter.web.security import passwords
from restic_reporter.web.security.gate import Security
from restic_reporter.web.security.passwords import MAX_CHECKS_OF_ADDRESS
from restic_reporter.web.security.web_config import RateLimit, WebConfig
from tests.doubles.web_clients import SiteTestCase, get, reactor

PATHS = ("/", "/metrics", "/-/healthy", "/-/ready", "/-/reload", "/none")


def basic(user: str, password: str) -> str:
    """The header with these credentials."""
    return f"Authorization: Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


class GateTestCase(SiteTestCase):
    """A site with a user."""

    def setUp(self) -> None:
        super().setUp()
        self.users = {"prom": bcrypt.hashpw(b"sesame", bcrypt.gensalt(4))}
        self.good = basic("prom", "sesame")

    def secure(self, config: WebConfig) -> None:
        """Start a site with this config."""
        self.serve(security=Security(reactor, config))


class PasswordTests(GateTestCase):
    """Passwords."""

    async def test_every_path(self) -> None:
        """Without a password every path, and every method, is answered by 401 alone."""
        self.secure(WebConfig(users=self.users))
        for path in PATHS:
            for method in ("GET", "POST", "DELETE"):
                response = await self.ask(path, method=method)
                self.assertEqual(response.status, 401)
                self.assertEqual(response.body, b"401 Unauthorized\n")
                self.assertEqual(
                    response.headers["www-authenticate"],
                    'Basic realm="restic-reporter", charset="UTF-8"',
                )

    async def test_right(self) -> None:
        """With the right one it is as without this gate, first and later."""
        self.secure(WebConfig(users=self.users))
        for _ in range(2):
            self.assertEqual((await self.ask("/metrics", self.good)).body, b"a 1\n")
            self.assertEqual((await self.ask("/none", self.good)).status, 404)
            response = await self.ask("/metrics", self.good, method="DELETE")
            self.assertEqual((response.status, response.headers["allow"]), (405, "GET, HEAD"))

    async def test_wrong(self) -> None:
        """Wrong ones are refused, first and later."""
        self.secure(WebConfig(users=self.users))
        for header in (
            basic("prom", "sesam"),
            basic("prom", ""),
            basic("other", "sesame"),
            "Authorization: Basic !",
            "Authorization: Bearer sesame",
        ):
            for _ in range(2):
                self.assertEqual((await self.ask("/metrics", header)).status, 401, header)

    async def test_keep_alive(self) -> None:
        """Each request of a connection needs the password."""
        self.secure(WebConfig(users=self.users))
        client = await self.connect(
            get("/-/ready", self.good) + get("/-/ready") + get("/-/ready", self.good)
        )
        self.assertEqual([(await client.response()).status for _ in range(3)], [200, 401, 200])

    async def test_changed(self) -> None:
        """A changed password counts from the next request on."""
        self.secure(WebConfig(users=self.users))
        client = await self.connect(get("/-/ready", self.good))
        self.assertEqual((await client.response()).status, 200)
        users = {"prom": bcrypt.hashpw(b"other", bcrypt.gensalt(4))}
        self.site.security.use(WebConfig(users=users))
        client.transport.write(get("/-/ready", self.good))
        self.assertEqual((await client.response()).status, 401)

    def hold(self) -> "Deferred[bool]":
        """Let no check end before the test says so."""
        held: Deferred[bool] = Deferred()

        def run(*_: object) -> "Deferred[bool]":
            each: Deferred[bool] = Deferred()

            def end(result: bool) -> bool:
                if not each.called:
                    each.callback(result)
                return result

            held.addCallback(end)
            return each

        self.patch(WorkerThreads, "run", run)
        return held

    async def test_meanwhile(self) -> None:
        """While a password is checked, one that is known already does not wait."""
        self.secure(WebConfig(users=self.users))
        self.assertEqual((await self.ask("/metrics", self.good)).status, 200)
        self.hold()
        await self.connect(get("/metrics", basic("prom", "guess")))
        await self.until_count(1, State.RESPONDING)
        self.assertEqual((await self.ask("/metrics", self.good)).status, 200)

    async def test_too_many(self) -> None:
        """A client that guesses too fast is told to try again; other addresses are not."""
        self.secure(WebConfig(users=self.users))
        held = self.hold()
        for number in range(MAX_CHECKS_OF_ADDRESS):
            await self.connect(get("/", basic("prom", str(number))))
        await self.until_count(MAX_CHECKS_OF_ADDRESS, State.RESPONDING)
        response = await self.ask("/", basic("prom", "one more"))
        self.assertEqual((response.status, response.headers["retry-after"]), (503, "1"))
        other = await self.connect(get("/-/ready", self.good), source="127.0.0.2")
        await self.until_count(MAX_CHECKS_OF_ADDRESS + 1, State.RESPONDING)
        held.callback(True)
        self.assertEqual((await other.response()).status, 200)

    async def test_gone(self) -> None:
        """A client that has left before the end of its check does no harm."""
        self.secure(WebConfig(users=self.users))
        held = self.hold()
        client = await self.connect(get("/", self.good))
        await self.until_count(1, State.RESPONDING)
        client.transport.abortConnection()
        await self.until_count(0, *State)
        held.callback(True)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_failed(self) -> None:
        """A check that breaks down is a 500, and lets nobody in."""
        self.secure(WebConfig(users=self.users))

        def matches(*_: object) -> bool:
            raise MemoryError

        self.patch(passwords, "matches", matches)
        self.assertEqual((await self.ask("/metrics", self.good)).status, 500)
        self.assertEqual(len(self.flushLoggedErrors(MemoryError)), 1)

    async def test_crowd(self) -> None:
        """Fifty scrapers that come at once with the right password cost one check."""
        self.secure(WebConfig(users=self.users))
        calls = []
        original = passwords.matches

        def matches(*arguments: object) -> bool:
            calls.append(arguments)
            return original(*arguments)  # type: ignore[arg-type]

        self.patch(passwords, "matches", matches)
        asking = [Deferred.fromCoroutine(self.ask("/metrics", self.good)) for _ in range(50)]
        answers = await DeferredList(asking)
        self.assertEqual({answer.status for _, answer in answers}, {200})
        self.assertEqual(len(calls), 1)


class HeadersTests(GateTestCase):
    """Headers of the config."""

    async def test_headers(self) -> None:
        """Every response has them, and they replace those of a page."""
        headers = {b"Content-Security-Policy": b"sandbox", b"X-Frame-Options": b"deny"}
        self.secure(WebConfig(users=self.users, headers=headers))
        for path, more in (("/", [self.good]), ("/none", [self.good]), ("/metrics", [])):
            response = await self.ask(path, *more)
            self.assertEqual(response.headers["content-security-policy"], "sandbox")
            self.assertEqual(response.headers["x-frame-options"], "deny")


class RateLimitTests(GateTestCase):
    """The rate limit."""

    async def test_limit(self) -> None:
        """Requests beyond the burst are refused before the password is looked at."""
        self.secure(WebConfig(users=self.users, rate_limit=RateLimit(90.0, 2)))
        statuses = [(await self.ask("/metrics", self.good)).status for _ in range(2)]
        self.assertEqual(statuses, [200, 200])
        response = await self.ask("/metrics")
        self.assertEqual((response.status, response.headers["retry-after"]), (429, "90"))
        self.assertEqual(response.body, b"429 Too Many Requests\n")

    async def test_changed(self) -> None:
        """A changed limit begins anew, an unchanged one goes on, and none lets all in."""
        limit = RateLimit(90.0, 1)
        self.secure(WebConfig(rate_limit=limit))
        self.assertEqual((await self.ask()).status, 200)
        for config, status in (
            (WebConfig(rate_limit=limit), 429),
            (WebConfig(rate_limit=RateLimit(90.0, 2)), 200),
            (WebConfig(), 200),
        ):
            self.site.security.use(config)
            self.assertEqual((await self.ask()).status, status)
