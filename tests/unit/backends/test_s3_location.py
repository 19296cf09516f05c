"""Tests of `restic_reporter.backends.s3.location`."""

from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.backends.s3.location import (
    S3Location,
    host_in,
    is_virtual,
    parse_s3,
    region_of,
)

HIDDEN = "hunter2marker"


class ParseTests(SynchronousTestCase):
    """`parse_s3`; tests.real.test_s3_restic compares it with restic."""

    def test_forms(self) -> None:
        """A URL may be plain HTTP and is decoded; the other forms are HTTPS and are not."""
        for repo, *expected in (
            ("s3:http://h/bucket/p", False, "h", "bucket", "p/"),
            ("s3:https://h:9000/bucket/p", True, "h:9000", "bucket", "p/"),
            ("s3:h/bucket", True, "h", "bucket", ""),
            ("s3:h:9000/bucket/a/b", True, "h:9000", "bucket", "a/b/"),
            ("s3://h/bucket/a%20b", True, "h", "bucket", "a%20b/"),
            ("s3:https://h/bucket/a%20b%2Fc", True, "h", "bucket", "a b/c/"),
            ("s3:https://h:443/bucket", True, "h", "bucket", ""),
            ("s3:http://h:80/bucket", False, "h", "bucket", ""),
            ("s3:http://h:443/bucket", False, "h:443", "bucket", ""),
            ("s3:http://[::1]:9000/bucket", False, "[::1]:9000", "bucket", ""),
            ("s3:https://under_score.h/bucket", True, "under_score.h", "bucket", ""),
        ):
            place = parse_s3(repo)
            self.assertEqual([place.secure, place.host, place.bucket, place.base], expected)

    def test_prefixes(self) -> None:
        """The prefix is cleaned as a path, if there is one."""
        for prefix, base in (
            ("", ""), ("/", ""), ("//", "/"), ("/a/", "a/"), ("/a//b/", "a/b/"), ("/a/../b", "b/"),
            ("//x", "/x/"), ("///x", "/x/"), ("/.", ""), ("/./a", "a/"), ("/a/..", ""),
            ("/../a", "../a/"), ("/ä ö", "ä ö/"),
        ):  # fmt: skip
            for form in ("s3:https://h/bucket", "s3:h/bucket"):
                self.assertEqual(parse_s3(form + prefix).base, base, prefix)

    def test_refused(self) -> None:
        """What restic would refuse, or silently ignore, is an error without what it may hide."""
        for repo, problem in (
            ("s3:", "invalid host"),
            ("s3:bucket", "no bucket"),
            ("s3:https://h", "no bucket"),
            ("s3:https://h/", "no bucket"),
            ("s3:httpserver/bucket", "must look like s3:https://"),
            ("s3:HTTPS://h/bucket", "invalid host"),
            ("s3:https:/h/bucket", "must look like s3:https://"),
            ("s3:https+x://h/bucket", "must look like s3:https://"),
            (f"s3:https://u:{HIDDEN}@h/bucket", "must not have a user"),
            (f"s3:u:{HIDDEN}@h/bucket", "invalid host"),
            (f"s3:https://h/bucket/p?x={HIDDEN}", "must not have a query"),
            (f"s3:https://h/bucket/p#{HIDDEN}", "must not have a query"),
            ("s3:https://h/bucket/%zz", "has a '%' without two hex digits"),
            ("s3:https://h/bucket/%ff", "not UTF-8"),
            ("s3:https://h:0/bucket", "invalid host"),
            ("s3:https://h:99999/bucket", "invalid host"),
            ("s3:https://h\\x/bucket", "invalid host"),
            ("s3:https://[::1/bucket", "not a valid URL"),
            ("s3:h/b", "invalid bucket"),
            ("s3:h/a..b", "invalid bucket"),
            ("s3:h/-bucket", "invalid bucket"),
            ("s3:h/192.168.0.1", "invalid bucket"),
            ("s3:h/bücket", "invalid bucket"),
            ("s3:h/" + "b" * 64, "invalid bucket"),
        ):
            error = self.assertRaises(ValueError, parse_s3, repo)
            self.assertIn(problem, str(error), repo)
            self.assertNotIn(HIDDEN, str(error))


class HostTests(SynchronousTestCase):
    """What the names of hosts tell."""

    def test_region(self) -> None:
        """An Amazon host tells its region; another one never does."""
        for host, region in (
            ("s3.eu-central-1.amazonaws.com", "eu-central-1"),
            ("s3-eu-west-1.amazonaws.com", "eu-west-1"),
            ("s3.dualstack.us-west-2.amazonaws.com", "us-west-2"),
            ("s3-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
            ("s3-fips.dualstack.us-east-2.amazonaws.com", "us-east-2"),
            ("s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("bucket.vpce-1a2b-3c.s3.us-east-1.vpce.amazonaws.com", "us-east-1"),
            ("s3.amazonaws.com", None),
            ("s3.eu-central-1.wasabisys.com", "eu-central-1"),
            ("s3.us-west-004.backblazeb2.com", "us-west-004"),
            ("s3.eu-central-1.example.com", None),
            ("s3.eu-central-1.amazonaws.com.evil.example", None),
        ):
            self.assertEqual(region_of(host), region, host)

    def test_host_in_a_region(self) -> None:
        """At Amazon the region's own host is asked, as by restic, but for private and FIPS ones."""
        for host, expected in (
            ("s3.amazonaws.com", "s3.dualstack.eu-west-3.amazonaws.com"),
            ("s3.us-east-1.amazonaws.com", "s3.dualstack.eu-west-3.amazonaws.com"),
            ("s3-fips.us-east-1.amazonaws.com", "s3-fips.us-east-1.amazonaws.com"),
            (
                "b.vpce-1.s3.us-east-1.vpce.amazonaws.com",
                "b.vpce-1.s3.us-east-1.vpce.amazonaws.com",
            ),
            ("s3.example.com:9000", "s3.example.com:9000"),
            ("notamazonaws.com", "notamazonaws.com"),
        ):
            self.assertEqual(host_in(host, "eu-west-3"), expected)
        self.assertEqual(
            host_in("s3.cn-north-1.amazonaws.com.cn", "cn-northwest-1"),
            "s3.dualstack.cn-northwest-1.amazonaws.com.cn",
        )

    def test_lookup(self) -> None:
        """The bucket is part of the host where restic does so, or as the entry says."""
        for host, bucket, secure, lookup, expected in (
            ("s3.amazonaws.com", "bucket", True, "auto", True),
            ("s3.eu-west-1.amazonaws.com", "bucket", True, "auto", True),
            ("storage.googleapis.com", "bucket", True, "auto", True),
            ("oss-eu-central-1.aliyuncs.com", "bucket", True, "auto", True),
            ("s3.amazonaws.com", "dotted.bucket", True, "auto", False),
            ("s3.amazonaws.com", "dotted.bucket", False, "auto", True),
            ("s3.amazonaws.com", "bucket", True, "path", False),
            ("minio:9000", "bucket", True, "auto", False),
            ("minio:9000", "bucket", True, "dns", True),
        ):
            place = S3Location(secure, host, bucket, "")
            self.assertEqual(is_virtual(place, lookup), expected, host)
