"""Prometheus exporter that tells which restic backups are late or broken."""

try:
    from ._version import __version__
except ImportError:
    # A checkout that was never installed.
    __version__ = "0+unknown"

__all__ = ["__version__"]
