"""
The one HTTP client of all backends and stores: limited in time, size and retries.

Even with a hostile server, a request ends by its deadline, holds at most its body limit in
memory, closes its socket, never goes to another host, and fails only with a `ReadError` whose
message contains no credentials.
"""

from ..model.repository import Transport
from .client import BoundedHTTPClient
from .errors import UnavailableError
from .responses import RedirectError, Response, basic_auth, raise_for_status
from .tls import parse_ca_certificates, parse_client_certificate

__all__ = [
    "BoundedHTTPClient",
    "RedirectError",
    "Response",
    "Transport",
    "UnavailableError",
    "basic_auth",
    "parse_ca_certificates",
    "parse_client_certificate",
    "raise_for_status",
]
