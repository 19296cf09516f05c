"""What restic-reporter adds to twistd: its command, backends and secret store."""

from twisted.application.service import ServiceMaker

from restic_reporter.plugin import BackendMaker, SecretStoreMaker

reporter = ServiceMaker(
    "restic-reporter",
    "restic_reporter.tap",
    "Tell Prometheus which restic backups are late or broken.",
    "restic-reporter",
)

rest = BackendMaker("rest", ("rest",), "restic_reporter.backends.rest.RestBackend.make")
local = BackendMaker("local", ("local",), "restic_reporter.backends.local.LocalBackend.make")
b2 = BackendMaker("b2", ("b2",), "restic_reporter.backends.b2.B2Backend.make")

vault = SecretStoreMaker("vault", "restic_reporter.secret_stores.vault.VaultStore.make")
