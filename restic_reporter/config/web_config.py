"""The document of ``--web-config``, in the format of Prometheus's exporter-toolkit."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from ..web.security.tls import CLIENT_AUTH, TLSError, TLSSettings, make_context
from ..web.security.web_config import RateLimit, WebConfig
from . import web_config_keys as keys
from .document import Problems, parse_yaml
from .open_files import open_warning
from .wording import unknown

Read = Callable[[str], bytes]


def parse_web_config(content: bytes, name: str, place: str, read: Read) -> WebConfig:
    """
    Return the config in ``content``, which is at ``place`` and is called ``name`` in messages.

    :param read: returns the content of another file.
    :raises ConfigError: with all that is wrong.
    """
    parser = _Parser(place, read)
    config = parser.parse(parse_yaml(content, name))
    parser.problems.raise_any(name)
    return WebConfig(**config, warnings=tuple(f"{name}: {one}" for one in parser.warnings))


@define
class _Parser:
    """Notes all that is wrong with a document, and what is worth a look."""

    place: str
    read: Read
    problems: Problems = field(factory=Problems)
    warnings: list[str] = field(factory=list)

    def parse(self, document: Any) -> dict[str, Any]:
        """Return the attributes of the `WebConfig`."""
        sections = self._checked("", document, keys.SECTIONS)
        users = self._users(sections.get("basic_auth_users"))
        tls = self._checked("tls_server_config", sections.get("tls_server_config"), keys.TLS)
        http = self._checked("http_server_config", sections.get("http_server_config"), keys.HTTP)
        headers = self._checked("http_server_config: headers", http.get("headers"), keys.HEADERS)
        if users:
            self._warn_if_open(self.place, "", "basic_auth_users")
        return {
            "tls": self._context(tls) if any(tls.get(key) for key in keys.TLS_SWITCHES) else None,
            "users": users,
            "headers": {name.encode(): value.encode() for name, value in headers.items() if value},
            "rate_limit": self._rate_limit(sections.get("rate_limit")),
        }

    def _checked(self, where: str, values: Any, checks: Mapping[str, keys.Check]) -> dict[str, Any]:
        """Return the values that are valid; a key without a value is left out."""
        prefix = f"{where}: " if where else ""
        if not isinstance(values, dict):
            if values is not None:
                self.problems.add(f"{prefix}must be a map of keys")
            return {}
        valid = {}
        for key, value in values.items():
            if key not in checks:
                self.problems.add(prefix + unknown(key, checks))
                continue
            problem = None if value is None else checks[key](value)
            if problem is not None:
                self.problems.add(f"{prefix}{key}: {problem}")
            elif value is not None:
                valid[key] = value
        return valid

    def _users(self, users: Any) -> dict[str, bytes]:
        if isinstance(users, dict):
            # A name may be a number. A user without a hash must not be left out: without any
            # user the server is open.
            users = {str(name): value or "" for name, value in users.items()}
        checks = dict.fromkeys(users if isinstance(users, dict) else (), keys.bcrypt_hash)
        valid = self._checked("basic_auth_users", users, checks)
        return {name: value.encode() for name, value in valid.items()}

    def _rate_limit(self, section: Any) -> RateLimit | None:
        limit = self._checked("rate_limit", section, keys.RATE_LIMIT)
        interval = keys.seconds(limit.get("interval", 0))
        if not interval:
            return None
        if not limit.get("burst"):
            self.problems.add("rate_limit: burst: must be at least 1, to let requests in")
            return None
        return RateLimit(interval, limit["burst"])

    def _context(self, tls: Mapping[str, Any]) -> Any:
        certificate, key = self._pem(tls, "cert"), self._pem(tls, "key")
        ca = self._pem(tls, "client_ca", required=False)
        names = tls.get("client_allowed_sans")
        if self.problems.shown or certificate is None or key is None:
            return None
        self._warn_if_open(*self._source(tls, "key"), "private key")
        settings = TLSSettings(
            certificate,
            key,
            CLIENT_AUTH[tls.get("client_auth_type", "")],
            ca,
            None if names is None else tuple(names),
            tls.get("min_version", "TLS12"),
            tls.get("max_version", "TLS13"),
            tuple(tls.get("cipher_suites", ())),
            tuple(tls.get("curve_preferences", ())),
            keys.is_true(tls.get("prefer_server_cipher_suites", True)),
        )
        try:
            return make_context(settings)
        except TLSError as error:
            where = f"{error.where}_file" if tls.get(f"{error.where}_file") else error.where
            file = f"{tls[where]!r}: " if where.endswith("_file") else ""
            self.problems.add(f"tls_server_config: {where}: {file}{error}")
            return None

    def _pem(self, tls: Mapping[str, Any], key: str, *, required: bool = True) -> bytes | None:
        """Return the content of the file, or the text, that ``key`` stands for."""
        name = tls.get(f"{key}_file")
        if name:
            try:
                return self.read(self._path(name))
            except (OSError, ValueError) as error:
                why = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else error
                self.problems.add(f"tls_server_config: {key}_file: {name!r} {why}")
        elif tls.get(key):
            pem: str = tls[key]
            return pem.encode()
        elif required:
            self.problems.add(f"tls_server_config: {key}_file: is missing; TLS needs it, or {key}")
        return None

    def _path(self, name: str) -> str:
        return os.path.join(os.path.dirname(self.place), name)

    def _source(self, tls: Mapping[str, Any], key: str) -> tuple[str, str]:
        """Return the place of ``key``, and what to call it in a message."""
        name = tls.get(f"{key}_file")
        return (self._path(name), f"{key}_file: {name!r} ") if name else (self.place, "")

    def _warn_if_open(self, place: str, what: str, secret: str) -> None:
        warning = open_warning(place, secret)
        if warning is not None:
            self.warnings.append(what + warning)
