"""Announces the backend to restic-reporter."""

from restic_reporter.plugin import BackendMaker, Key

snapdir = BackendMaker(
    "snapdir",
    ["snapdir"],
    "restic_reporter_snapdir.Backend.make",
    locates=True,
    keys=(Key("snapdir_prefix"),),
    settings="restic_reporter_snapdir.configure",
)
