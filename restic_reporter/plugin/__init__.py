"""
Declares and discovers backends and secret stores.

Each run of any ``twistd`` imports this through the dropins, so it imports little.
"""

from ..model.settings import BackendSettings, Key, OwnKeys
from .makers import BackendMaker, SecretStoreMaker

__all__ = ["BackendMaker", "BackendSettings", "Key", "OwnKeys", "SecretStoreMaker"]
