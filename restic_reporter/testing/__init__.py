"""
Contract tests and test doubles for backends and readers, also those of other packages.

The daemon does not import this.
"""

from .backend_contract import BackendContractTests
from .memory_backend import MemoryBackend
from .memory_reader import MemoryReader, read_request
from .memory_store import MemoryStore
from .reader_contract import ReaderContractTests
from .threads import all_threads_back

__all__ = [
    "BackendContractTests",
    "MemoryBackend",
    "MemoryReader",
    "MemoryStore",
    "ReaderContractTests",
    "all_threads_back",
    "read_request",
]
