"""
moto, which plays many of Amazon's services: S3, IAM and STS, so that there are session tokens.

It checks signatures, but neither region nor clock.
"""

import json
import re
import urllib.parse
import urllib.request

from tests.doubles.programs import PATIENCE, Folder, Program
from tests.doubles.s3_server import S3Server, free_ports
from tests.doubles.tools import tool

_ALLOW_ALL = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
)
# It takes the service from here, and does not check the rest until it is told to.
_UNCHECKED = "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/{}/aws4_request"


class Moto(S3Server):
    """
    moto's server, with the keys of a user; `use_session` goes over to those of a role.

    All that it keeps is in its memory.
    """

    role = "arn:aws:iam::123456789012:role/reader"

    def __init__(self, folder: Folder) -> None:
        super().__init__(folder)
        (port,) = free_ports(1)
        self.address = f"127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        host, port = self.address.split(":")
        self.program: Program = self.folder.run(
            [tool("moto-python"), "-m", "moto.server", "-H", host, "-p", port]
        )
        self.program.wait_for("Running on")
        self._make_user_and_role()
        # From now on it checks signatures and rights.
        self._post("/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"})
        self.make_bucket()

    def stop(self) -> None:
        self.program.kill()

    def use_session(self) -> None:
        """Go over to the role's keys, which end, and are good with their session token only."""
        self.access_key_id, self.secret_access_key, self.session_token = self._session

    def _make_user_and_role(self) -> None:
        self._call("iam", Action="CreateUser", UserName="restic")
        policy = {"PolicyName": "all", "PolicyDocument": _ALLOW_ALL}
        self._call("iam", Action="PutUserPolicy", UserName="restic", **policy)
        made = self._call("iam", Action="CreateAccessKey", UserName="restic")
        self.access_key_id, self.secret_access_key = _texts(made, "AccessKeyId", "SecretAccessKey")
        role = {"RoleName": "reader", "AssumeRolePolicyDocument": _ALLOW_ALL}
        self._call("iam", Action="CreateRole", **role)
        self._call("iam", Action="PutRolePolicy", RoleName="reader", **policy)
        session = {"RoleArn": self.role, "RoleSessionName": "tests"}
        made = self._call("sts", Action="AssumeRole", **session)
        self._session = _texts(made, "AccessKeyId", "SecretAccessKey", "SessionToken")

    def _call(self, service: str, **parameters: str) -> str:
        body = urllib.parse.urlencode(parameters).encode()
        return self._post("/", body, {"Authorization": _UNCHECKED.format(service)})

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> str:
        request = urllib.request.Request(f"http://{self.address}{path}", body, headers)
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return str(response.read(), "utf-8")


def _texts(xml: str, *names: str) -> list[str]:
    """The text of the first element of each name."""
    found = [re.search(f"<{name}>([^<]+)</{name}>", xml) for name in names]
    return [one[1] for one in found if one]
