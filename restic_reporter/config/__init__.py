"""Loads a config file into a frozen `Config`, or reports all its problems at once."""

from ..model.errors import ConfigError
from ..model.repository import Config, PasswordCommand, Repository
from .context import ConfigContext
from .load import load_config

__all__ = ["Config", "ConfigContext", "ConfigError", "PasswordCommand", "Repository", "load_config"]
