"""
The one HTTP client that all backends share: bounded in time, in size and in patience.

Whatever a server does, a request ends by its deadline, keeps no more than its body limit in
memory, leaves no socket behind, is never sent to another host, and fails with a `ReadError`
whose message shows no credential.
"""

from ..model.repository import Transport
from .client import BoundedHTTPClient
from .errors import UnavailableError
from .responses import Response, basic_auth, raise_for_status
from .tls import parse_ca_certificates, parse_client_certificate

__all__ = [
    "BoundedHTTPClient",
    "Response",
    "Transport",
    "UnavailableError",
    "basic_auth",
    "parse_ca_certificates",
    "parse_client_certificate",
    "raise_for_status",
]
