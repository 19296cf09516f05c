"""What restic-reporter adds to twistd: its command, backends and secret store."""

from twisted.application.service import ServiceMaker

from restic_reporter.plugin import BackendMaker, Key, SecretStoreMaker

reporter = ServiceMaker(
    "restic-reporter",
    "restic_reporter.tap",
    "Tell Prometheus which restic backups are late or broken.",
    "restic-reporter",
)

rest = BackendMaker(
    "rest",
    ("rest",),
    "restic_reporter.backends.rest.RestBackend.make",
    keys=(
        Key("rest_username", field="username"),
        Key("rest_password", secret=True, optional=True, field="password"),
    ),
    settings="restic_reporter.backends.rest_settings.configure",
)
local = BackendMaker("local", ("local",), "restic_reporter.backends.local.LocalBackend.make")
b2 = BackendMaker(
    "b2",
    ("b2",),
    "restic_reporter.backends.b2.B2Backend.make",
    keys=(
        Key("b2_account_id", field="id"),
        Key("b2_key", secret=True, field="key"),
        Key("b2_api_url"),
    ),
    settings="restic_reporter.backends.b2.settings.configure",
)
s3 = BackendMaker(
    "s3",
    ("s3",),
    "restic_reporter.backends.s3.S3Backend.make",
    keys=(
        Key("s3_access_key_id", field="access_key_id"),
        Key("s3_secret_access_key", secret=True, field="secret_access_key"),
        Key("s3_session_token", secret=True),
    ),
    settings="restic_reporter.backends.s3.settings.configure",
)
sftp = BackendMaker(
    "sftp",
    ("sftp",),
    "restic_reporter.backends.sftp.SFTPBackend.make",
    settings="restic_reporter.backends.sftp.settings.configure",
)

vault = SecretStoreMaker("vault", "restic_reporter.secret_stores.vault.VaultStore.make")
