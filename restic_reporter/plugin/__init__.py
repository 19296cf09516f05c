"""
How backends and secret stores are announced and found.

A dropin imports this at each run of anybody's ``twistd``, so it imports little itself.
"""

from ..model.settings import BackendSettings, Key, OwnKeys
from .makers import BackendMaker, SecretStoreMaker

__all__ = ["BackendMaker", "BackendSettings", "Key", "OwnKeys", "SecretStoreMaker"]
