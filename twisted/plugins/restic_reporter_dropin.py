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
        Key(
            "rest_username",
            field="username",
            text="for a `rest:` repository: the user, instead of one in the URL",
        ),
        Key(
            "rest_password",
            secret=True,
            optional=True,
            field="password",
            text="and its password; both or neither",
        ),
    ),
    settings="restic_reporter.backends.rest_settings.configure",
)
local = BackendMaker("local", ("local",), "restic_reporter.backends.local.LocalBackend.make")
b2 = BackendMaker(
    "b2",
    ("b2",),
    "restic_reporter.backends.b2.B2Backend.make",
    keys=(
        Key(
            "b2_account_id",
            field="id",
            text="for a `b2:` repository: the id of Backblaze's application key. Default:"
            " `B2_ACCOUNT_ID` of the entry's `env`, else of the daemon's environment",
        ),
        Key(
            "b2_key",
            secret=True,
            field="key",
            text="the application key; both or neither. Default: `B2_ACCOUNT_KEY`, likewise",
        ),
        Key(
            "b2_api_url",
            text="for a `b2:` repository: the base URL of the authorize call, for compatible"
            " servers. restic itself cannot use it, so `auto` is `native` there",
        ),
    ),
    settings="restic_reporter.backends.b2.settings.configure",
)
s3 = BackendMaker(
    "s3",
    ("s3",),
    "restic_reporter.backends.s3.S3Backend.make",
    keys=(
        Key(
            "s3_access_key_id",
            field="access_key_id",
            text="for an `s3:` repository: the access key. Default: restic's own variables, of the"
            " entry's `env` or else of the daemon's environment, then a"
            " [profile](s3.md#access-keys)",
        ),
        Key(
            "s3_secret_access_key",
            secret=True,
            field="secret_access_key",
            text="the secret of the access key; both or neither",
        ),
        Key("s3_session_token", secret=True, text="the token of a temporary access key"),
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
