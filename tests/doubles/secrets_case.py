"""What the tests share that look for secrets in all that the daemon shows."""

import base64
import binascii
import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.certificates import Authority
from tests.doubles.fake_vault import FakeVault
from tests.doubles.programs import Folder
from tests.doubles.servers import example
from tests.doubles.tools import tool

MARKER = "hunter2"


# The same behind a user name of two letters, as basic auth sends it.
_IN_BASIC_AUTH = base64.b64encode(f"xx:{MARKER}".encode()).decode()[4:-4]


def secret(name: str) -> str:
    """A secret that is found in a text by the marker, and told from others by its name."""
    return f"{MARKER}/{name}+'\"%"


# A restic that shows all that it knows, or waits to be looked at, by the repository's name.
RESTIC = """\
#!/bin/sh
location=$(cat /dev/fd/4)
name=$(expr "$location" : '.*\\(wait-[a-z]*\\)')
case "$location" in
*wait-*)
    echo $$ > "{folder}/$name.pid"
    read line < "{folder}/$name.fifo"
    exit 1 ;;
*echo-*)
    {{ echo "Fatal: unable to open $location"; env; cat /dev/fd/3; }} >&2
    echo "$location"
    exit 1 ;;
{example}*)
    {{ echo "Fatal: wrong password or no key found: $location"; cat /dev/fd/3; }} >&2
    exit 12 ;;
*flood-*)
    cd "{folder}"
    {{ env; cat /dev/fd/3; echo; echo "$location"; }} > flood
    for n in 1 2 3 4 5 6 7 8 9 10 11 12; do cat flood flood > more; mv more flood; done
    while cat flood; do :; done >&2
    exit 1 ;;
esac
exec {restic} "$@" 4<<END
$location
END
"""


class Tattler(BaseHTTPRequestHandler):
    """Gives bad answers, by the first folder of the path, with the client's credentials in them."""

    def answer(self) -> None:
        """Answer a request of whatever method."""
        sent = self.headers.get("Authorization", "")
        with contextlib.suppress(ValueError, binascii.Error, IndexError):
            sent += " " + base64.b64decode(sent.split()[1]).decode()
        kind = self.path.split("/")[1]
        shown = sent.replace("\n", " ")
        body = json.dumps({"code": "bad_auth_token", "message": sent, "status": 401})
        status = {"garbage": 200, "redirect": 302, "forbidden": 403, "b2api": 401}.get(kind, 404)
        if kind == "garbage":
            body = f"[{body}, "
        self.send_response(status, shown)
        self.send_header("Content-Length", str(len(body.encode())))
        self.send_header("X-Sent", shown)
        if kind == "redirect":
            self.send_header("Location", f"http://{shown.split()[-1]}@127.0.0.1:1/?{shown}")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    do_GET = do_HEAD = do_POST = answer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class SecretsCase(SynchronousTestCase):
    """A folder, servers, and a marker in every secret."""

    maxDiff = None

    def setUp(self) -> None:
        """Servers, a plugin, files, and secrets in all of them."""
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        path = self.folder.path
        http = ThreadingHTTPServer(("127.0.0.1", 0), Tattler)
        self.addCleanup(http.server_close)
        self.addCleanup(http.shutdown)
        threading.Thread(target=http.serve_forever, daemon=True).start()
        self.tattler = f"127.0.0.1:{http.server_port}"
        self.client = Authority.make().issue().decode()
        self.folder.write("client.pem", self.client)
        self.folder.write("password", secret("file"))
        self.vault = FakeVault()
        self.addCleanup(self.vault.close)
        self.vault.role.secret_ids = {secret("secret-id")}
        self.vault.documents = {
            "repository": {"key": secret("vault-key")},
            "server": {"username": "me", "password": secret("rest")},
            "wrong-server": {"username": "me", "password": secret("vault-rest")},
            "b2": {"id": "id", "key": secret("vault-b2")},
            "no-field": {"other": secret("vault-other")},
            "no-text": {"key": {"deeper": secret("vault-deeper")}},
        }
        self.restic = str(
            self.folder.write(
                "restic",
                RESTIC.format(folder=path, example=f"*{example()}", restic=tool("restic-0.18")),
                0o755,
            )
        )
        self.key_lines = self.client.split("-----")[2].split()

    def assert_none(self, text: str, where: str) -> None:
        """No secret is in ``text``, as it stands or as it is sent."""
        for marker in (MARKER, _IN_BASIC_AUTH, *self.key_lines):
            if marker in text:
                place = text.index(marker)
                self.fail(f"{where}: …{text[max(0, place - 300) : place + 100]}…")

    def bad_configs(self) -> Iterator[Any]:
        """Configs with one mistake each, next to a secret or in it."""
        good = {"repo": "/p", "password": secret("password")}
        for change in (
            {"password": [secret("password")]},
            {"pasword": secret("password")},
            {"password_file": "/no/file"},
            {"repo": f"rest:http://me:{secret('url')}@h:x/"},
            {"repo": f"rest:http://me:{MARKER}%zz@h/"},
            {"repo": f"rest:http://me:{MARKER}@h/", "rest_password": secret("rest")},
            {"repo": "rest:http://h/", "rest_password": secret("rest")},
            {"repo": "b2:bucket", "b2_key": secret("b2")},
            {"env": {"RESTIC_PASSWORD": secret("env")}},
            {"env": {"A": [secret("env")]}},
            {"env": [secret("env")]},
            {"repo": "fussy:x", "env": {"A": secret("env")}, "tls_client_cert": "client.pem"},
        ):
            yield [{**good, **change}]
        yield [{"repo": "/p", "password_command": f"sh -c '{MARKER}"}]
        yield [{"repo": "/p", "vault_material": "no-text"}]
        yield [{"repo": "/p", "vault_material": "none"}]
        yield f'[{{"repo": "/p", "password": "{MARKER}" "{MARKER}"}}]'
        yield f'[{{"repo": "/p", "password": "{MARKER}'
