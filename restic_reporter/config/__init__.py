"""The config file: from text to a frozen `Config`, with every mistake reported in one go."""

from .document import ConfigError
from .load import load_config
from .settings import Config, PasswordCommand, Repository

__all__ = ["Config", "ConfigError", "PasswordCommand", "Repository", "load_config"]
