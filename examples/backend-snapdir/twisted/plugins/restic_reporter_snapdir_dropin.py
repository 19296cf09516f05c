"""Announces the backend to restic-reporter."""

from restic_reporter.plugin import BackendMaker

snapdir = BackendMaker("snapdir", ["snapdir"], "restic_reporter_snapdir.Backend.make", locates=True)
