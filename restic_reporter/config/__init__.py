"""Loads a config file into a frozen `Config`, or reports all its problems at once."""

from .context import ConfigContext
from .load import load_config

__all__ = ["ConfigContext", "load_config"]
