"""
For the tests of backends and readers, of ours and of other people: contracts and doubles.

The daemon imports nothing of it.
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
