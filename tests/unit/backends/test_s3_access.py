"""Tests of which hosts the S3 backend asks, and with which keys."""

from pathlib import Path
from typing import Any

from restic_reporter.model.errors import Reason
from restic_reporter.model.repository import Transport
from tests.doubles.fake_s3 import BUCKET, KEY_ID, REGION, SECRET
from tests.doubles.s3_case import S3Case, fill

OPTIONS = {"s3.region": REGION}


class AddressTests(S3Case):
    """Which host is asked, and how."""

    def setUp(self) -> None:
        super().setUp()
        path = str(Path(self.mktemp()).absolute())[-90:]
        path = f"/tmp/{Path(path).name}-{id(self)}"
        self.addCleanup(Path(path).unlink)
        self.fake.listen_at(path)
        self.transport = Transport(unix_socket=path)
        fill(self.fake, "repo/")

    async def hosts(self, url: str, **keys: Any) -> list[tuple[str, str]]:
        """The hosts and paths of the requests of one listing."""
        self.tools.shared.clear()
        backend = self.backend(url=url, transport=self.transport, **keys)
        await self.list(backend)
        await self.load(backend, "config")
        hosts = [(host, path) for _, host, path, _ in self.fake.requests]
        self.fake.requests.clear()
        return hosts

    async def test_styles(self) -> None:
        """The bucket is in the path, or at Amazon and by option in the host's name."""
        self.fake.bucket.region = None
        for url, options, host, path in (
            ("http://minio:9000", {}, "minio:9000", f"/{BUCKET}/"),
            ("http://minio:80", {}, "minio", f"/{BUCKET}/"),
            ("http://minio:9000", {"s3.bucket-lookup": "dns"}, f"{BUCKET}.minio:9000", "/"),
            (
                "http://s3.amazonaws.com",
                {},
                f"{BUCKET}.s3.dualstack.us-east-1.amazonaws.com",
                "/",
            ),
            (
                "http://s3.eu-west-1.amazonaws.com",
                {"s3.bucket-lookup": "path"},
                "s3.dualstack.eu-west-1.amazonaws.com",
                f"/{BUCKET}/",
            ),
            ("http://storage.googleapis.com", {}, f"{BUCKET}.storage.googleapis.com", "/"),
        ):
            found = await self.hosts(url, options=options)
            self.assertEqual(found, [(host, path), (host, f"{path}repo/config")])

    async def test_tls(self) -> None:
        """Over TLS, with the CA of the config."""
        url, pem = self.fake.listen_with_tls()
        await self.assert_fails(self.list(self.backend(url=url)), Reason.TLS)
        self.assertEqual(self.fake.requests, [])
        backend = self.backend(url=url, transport=Transport(ca_certificates=pem))
        self.assertEqual(len((await self.list(backend)).snapshots), 3)
        self.assertEqual(await self.load(backend, "config"), b"config")

    async def test_followed_redirect(self) -> None:
        """At Amazon a bucket is followed into its region, whose host is asked from then on."""
        self.fake.bucket.region = "eu-west-3"
        for redirects in (False, True):
            self.fake.quirks.redirects = redirects
            found = [host for host, _ in await self.hosts("http://s3.amazonaws.com")]
            first, other = (
                f"{BUCKET}.s3.dualstack.{region}.amazonaws.com"
                for region in ("us-east-1", "eu-west-3")
            )
            self.assertEqual(found, [first, other, other])


class AccessTests(S3Case):
    """Keys of all kinds."""

    async def test_anonymous(self) -> None:
        """A public bucket needs no key; nothing is signed."""
        fill(self.fake, "repo/")
        options = {"s3.unsafe-anonymous-auth": True}
        keys: Any = {"s3_access_key_id": None, "s3_secret_access_key": None, "options": options}
        await self.assert_fails(self.list(self.backend(**keys)), Reason.AUTH, "access denied")
        self.fake.bucket.is_public = True
        self.assertEqual(len((await self.list(self.backend(**keys))).snapshots), 3)

    async def test_session_token(self) -> None:
        """A temporary key works with its token alone."""
        fill(self.fake, "repo/")
        self.fake.tokens[KEY_ID] = "to/ken=="
        await self.list(self.backend(s3_session_token="to/ken=="))
        for token in (None, "other"):
            await self.assert_fails(
                self.list(self.backend(s3_session_token=token)), Reason.AUTH, "InvalidToken"
            )

    async def test_file(self) -> None:
        """A temporary key in a file may be replaced there: it is read again when refused."""
        fill(self.fake, "repo/")
        path = Path(self.mktemp()).absolute()
        text = "[default]\naws_access_key_id={}\naws_secret_access_key={}\n"
        path.write_text(text.format("AKIAOLD", "old"))
        backend = self.backend(
            s3_access_key_id=None,
            s3_secret_access_key=None,
            env={"AWS_SHARED_CREDENTIALS_FILE": str(path)},
            options=OPTIONS,
        )
        await self.assert_fails(self.list(backend), Reason.AUTH, "does not know the access key id")
        self.assertEqual(self.fake.counts, {"list": 1})
        path.write_text(text.format(KEY_ID, SECRET))
        for requests in (2, 1):
            self.assertEqual(len((await self.list(backend)).snapshots), 3)
            self.assertEqual(self.fake.counts, {"list": requests})
        path.unlink()
        self.fake.keys[KEY_ID] = "changed"
        await self.assert_fails(self.list(backend), Reason.AUTH, "secret access key is wrong")
