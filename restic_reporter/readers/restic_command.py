"""How restic is run for one repository: arguments, environment and pipes. Pure."""

import re
from collections.abc import Mapping

from attrs import field, frozen

from ..model.repository import Repository
from ..processes.environment import child_environment
from ..redaction.secret import Secret
from .password import encoded

_PASSWORD, _REPOSITORY = 3, 4

_BYTE_ORDER_MARK = "\ufeff"


@frozen
class ResticCommand:
    """Arguments, environment, and the content of pipes by descriptor."""

    arguments: list[str]
    environment: dict[str, str] = field(repr=False)
    inputs: dict[int, bytes] = field(repr=False)


def restic_command(
    restic: str,
    environ: Mapping[str, str],
    repository: Repository,
    password: Secret,
    cache_dir: str | None,
    *command: str,
) -> ResticCommand:
    """
    Return how to run a ``command`` of the program ``restic`` without a lock.

    The password and the repository's location go through pipes; neither shows in the
    process list or in the child's environment. ``environ`` is the daemon's environment.
    ``cache_dir`` is the absolute path of restic's cache, ``None`` for no cache.
    """
    arguments = [restic, *command, "--no-lock"]
    for option, value in (
        ("--cache-dir", cache_dir),
        ("--cacert", repository.ca_certificate_path),
        ("--tls-client-cert", repository.client_certificate_path),
        ("--key-hint", repository.key_hint),
    ):
        if value is not None:
            arguments += [option, value]
    for name, text in repository.options.items():
        arguments += ["-o", _in_csv(f"{name}={text}")]
    if cache_dir is None:
        arguments.append("--no-cache")
    environment = {
        **child_environment(environ),
        **{name: value.reveal() for name, value in repository.env.items()},
        **{name: one.reveal() for name, one in repository.settings.environment.items()},
        "RESTIC_REPOSITORY_FILE": f"/dev/fd/{_REPOSITORY}",
    }
    location = repository.location.reveal()
    inputs = {_REPOSITORY: location.encode("utf-8", "surrogateescape")}
    text = password.reveal()
    if not text:
        arguments.append("--insecure-no-password")
    elif text != text.strip() or text.startswith(_BYTE_ORDER_MARK):
        # restic strips these from a password file.
        environment["RESTIC_PASSWORD"] = text
    else:
        environment["RESTIC_PASSWORD_FILE"] = f"/dev/fd/{_PASSWORD}"
        inputs[_PASSWORD] = encoded(password)
    return ResticCommand(arguments, environment, inputs)


def _in_csv(text: str) -> str:
    """Return ``text`` as the one field of a line of CSV, which restic parses -o as."""
    return '"{}"'.format(text.replace('"', '""')) if re.search('[,"\r\n]', text) else text
