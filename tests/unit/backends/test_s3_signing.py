"""Tests of `restic_reporter.backends.s3.signing`, against Amazon's own code and examples."""

from datetime import UTC, datetime

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from restic_reporter.backends.s3.signing import (
    S3Credentials,
    Signer,
    encoded_path,
    encoded_query,
)
from restic_reporter.redaction.secret import Secret

# Of https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
EXAMPLE = S3Credentials("AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
EXAMPLE_TIME = datetime(2013, 5, 24, tzinfo=UTC).timestamp()
EXAMPLES = (
    ({"lifecycle": ""}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
    (
        {"max-keys": "2", "prefix": "J"},
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PLAIN = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)


def by_botocore(
    credentials: S3Credentials, region: str, host: str, path: str, query: str, stamp: str
) -> str:
    """The Authorization header that Amazon's code computes."""
    token = credentials.token.reveal() if credentials.token else None
    auth = S3SigV4Auth(
        Credentials(credentials.key_id, credentials.secret.reveal(), token), "s3", region
    )
    headers = {"host": host, "X-Amz-Date": stamp}
    headers["X-Amz-Content-SHA256"] = (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    if token is not None:
        headers["X-Amz-Security-Token"] = token
    request = AWSRequest("GET", f"http://{host}{path}?{query}", headers)
    request.context["timestamp"] = stamp
    canonical = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, canonical), request)
    names = auth.signed_headers(auth.headers_to_sign(request))
    return (
        f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, SignedHeaders={names},"
        f" Signature={signature}"
    )


class SigningTests(SynchronousTestCase):
    """`Signer`."""

    def test_amazons_examples(self) -> None:
        """Signatures are those that Amazon has published."""
        for values, signature in EXAMPLES:
            query = encoded_query(values)
            headers = Signer(EXAMPLE).sign(
                "us-east-1", "examplebucket.s3.amazonaws.com", "/", query, EXAMPLE_TIME
            )
            self.assertEqual(headers["Authorization"].rpartition("=")[2], signature)
            self.assertEqual(headers["x-amz-date"], "20130524T000000Z")

    @given(
        st.tuples(PLAIN.filter(lambda text: "," not in text), TEXT.filter(bool)),
        st.none() | PLAIN,
        st.sampled_from(["us-east-1", "eu-test-1"]),
        TEXT,
        st.dictionaries(TEXT.filter(bool), TEXT, max_size=4),
        st.integers(0, 2**32),
    )
    def test_botocores(
        self,
        key: tuple[str, str],
        token: str | None,
        region: str,
        name: str,
        values: dict[str, str],
        now: int,
    ) -> None:
        """Whatever the key, the name and the query: Amazon's own code signs alike."""
        credentials = S3Credentials(key[0], Secret(key[1]), Secret(token) if token else None)
        path, query, host = encoded_path(f"/bucket/{name}"), encoded_query(values), "h:9000"
        headers = Signer(credentials).sign(region, host, path, query, now)
        self.assertEqual(
            headers["Authorization"],
            by_botocore(credentials, region, host, path, query, headers["x-amz-date"]),
        )
        self.assertEqual(headers.get("x-amz-security-token"), token)

    def test_again(self) -> None:
        """A second signature is as good as a first one, in another region or on another day too."""
        signer = Signer(EXAMPLE)
        for region in ("us-east-1", "eu-test-1", "us-east-1"):
            for day in (0, 0, 86400):
                arguments = (region, "h", "/bucket/", "a=b", EXAMPLE_TIME + day)
                self.assertEqual(signer.sign(*arguments), Signer(EXAMPLE).sign(*arguments))

    def test_odd_secret(self) -> None:
        """A secret from the environment may be no text."""
        odd = S3Credentials("id", Secret("\udcff"))
        self.assertIn("Signature=", Signer(odd).sign("r", "h", "/", "", 0)["Authorization"])

    @given(TEXT, TEXT)
    def test_encoding(self, name: str, value: str) -> None:
        """What is signed has only characters that a client sends unchanged."""
        plain = r"[A-Za-z0-9/._~=&%-]*"
        self.assertRegex(encoded_path(name), rf"\A{plain}\Z")
        self.assertRegex(encoded_query({name: value}), rf"\A{plain}\Z")
