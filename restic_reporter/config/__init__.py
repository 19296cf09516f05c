"""The config file: from text to a frozen `Config`, with every mistake reported in one go."""

from ..model.errors import ConfigError
from ..model.repository import Config, PasswordCommand, Repository
from .context import ConfigContext
from .load import load_config

__all__ = ["Config", "ConfigContext", "ConfigError", "PasswordCommand", "Repository", "load_config"]
