"""Tests of `restic_reporter.config.web_config_file`: the section ``tls_server_config``."""

from OpenSSL import SSL

from tests.doubles.certificates import key_pem
from tests.doubles.web_config_case import SECRET, WebConfigCase


class TLSSectionTests(WebConfigCase):
    """The section for TLS."""

    def test_files(self) -> None:
        """Certificate and key are files, relative to the folder of the web config, or text."""
        self.assertIsInstance(self.load(self.tls()).tls, SSL.Context)
        pem = self.authority.issue().decode()
        config = self.load({"tls_server_config": {"cert": pem, "key": pem}})
        self.assertIsInstance(config.tls, SSL.Context)

    def test_off(self) -> None:
        """Keys that turn nothing on are no TLS."""
        self.assertIsNone(self.load("tls_server_config: {min_version: TLS13}").tls)

    def test_half(self) -> None:
        """A certificate needs its key, and a client CA both, and a policy."""
        for section, missing in (
            ({"cert_file": "server.pem"}, ["key"]),
            ({"key": "x"}, ["cert"]),
            ({"client_auth_type": "NoClientCert"}, ["cert", "key"]),
        ):
            self.assertEqual(
                self.problems({"tls_server_config": section}),
                [
                    f"tls_server_config: {key}_file: is missing; TLS needs it, or {key}"
                    for key in missing
                ],
            )
        self.assertEqual(
            self.tls_problem(client_ca_file="ca.pem"),
            "client_auth_type: must be set, as there is a client CA",
        )

    def test_unreadable(self) -> None:
        """A file that cannot be read is named as it is written."""
        self.assertEqual(
            self.tls_problem(cert_file="none.pem"),
            "cert_file: 'none.pem' cannot be read: No such file or directory",
        )

    def test_bad_pem(self) -> None:
        """Bad certificates and keys are named, without their content."""
        self.write("text", f"nothing {SECRET}")
        self.write("block", f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n")
        self.write("encrypted", key_pem(self.authority.key, b"sesame"))
        self.write("other", key_pem(self.authority.key))
        for key, name, problem in (
            ("cert_file", "text", "no valid certificate in this PEM"),
            ("cert_file", "other", "no valid certificate in this PEM"),
            ("key_file", "text", "no private key in this PEM"),
            ("key_file", "block", "invalid private key, or of an unknown type"),
            ("key_file", "encrypted", "private key is encrypted; decrypt it"),
            ("key_file", "other", "private key does not match the first certificate"),
        ):
            self.assertEqual(self.tls_problem(**{key: name}), f"{key}: {name!r}: {problem}")
        self.assertEqual(
            self.tls_problem(client_ca=SECRET, client_auth_type="RequireAndVerifyClientCert"),
            "client_ca: no valid certificate in this PEM",
        )

    def test_names(self) -> None:
        """Unknown versions, suites, curves and policies are refused, with the nearest one."""
        for key, value, problem in (
            ("min_version", "TLS1.2", "unknown value 'TLS1.2'; did you mean 'TLS12'?"),
            ("min_version", ["TLS12"], "unknown value ['TLS12']; did you mean 'TLS12'?"),
            (
                "cipher_suites",
                ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA"],
                "unknown value 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA';"
                " did you mean 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'?",
            ),
            ("curve_preferences", ["P256"], "unknown value 'P256'; did you mean 'CurveP256'?"),
            ("curve_preferences", "CurveP256", "must be a list"),
            (
                "client_auth_type",
                "RequireAndVerify",
                "unknown value 'RequireAndVerify'; did you mean 'RequireAndVerifyClientCert'?",
            ),
            ("client_allowed_sans", [1], "must be a string"),
            ("cert_file", 1, "must be a string"),
        ):
            problems = self.problems(self.tls(**{key: value}))
            self.assertEqual(problems[0], f"tls_server_config: {key}: {problem}")

    def test_versions(self) -> None:
        """Versions must leave one, and cipher suites too."""
        self.assertEqual(
            self.tls_problem(min_version="TLS13", max_version="TLS12"),
            "min_version: must not be above max_version 'TLS12'",
        )
        self.assertEqual(
            self.tls_problem(max_version="TLS12", cipher_suites=["TLS_AES_128_GCM_SHA256"]),
            "cipher_suites: has none for TLS12",
        )
