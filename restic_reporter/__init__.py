"""Prometheus exporter that tells which restic backups are late or broken."""

__version__ = "0.1.0"
