"""Declares and discovers plugins; imports little, as each run of any ``twistd`` imports it."""

from ..model.settings import BackendSettings, Key, OwnKeys
from .makers import BackendMaker, SecretStoreMaker

__all__ = ["BackendMaker", "BackendSettings", "Key", "OwnKeys", "SecretStoreMaker"]
