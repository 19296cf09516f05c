"""Where the files of ``sftp:`` repositories are, and how to log in."""

from collections.abc import Mapping

from attrs import field, frozen

from ...model.settings import BackendSettings, OwnKeys
from ...processes.environment import child_environment
from .command import OptionError, login_words
from .location import SFTPLocation, parse_sftp


@frozen(kw_only=True)
class SFTPSettings(BackendSettings):
    """
    The repository's place, the words of the command that logs in, and its environment.
    """

    place: SFTPLocation
    words: tuple[str, ...]
    ssh_environment: Mapping[str, str] = field(repr=False)


def configure(own: OwnKeys) -> SFTPSettings | None:
    """Return the settings of one repository."""
    try:
        place = parse_sftp(own.repo)
        words = login_words(place, own.options)
    except OptionError as error:
        own.problem("options", str(error))
        return None
    except ValueError as error:
        own.problem("repo", str(error))
        return None
    return SFTPSettings(place=place, words=words, ssh_environment=_environment(own))


def _environment(own: OwnKeys) -> dict[str, str]:
    """
    Return what restic's ssh would see, without the rest of the entry's ``env``: it may contain
    secrets.
    """
    if not own.environs:
        return {}
    entry, daemon = own.environs
    of_ssh = {name: value for name, value in entry.items() if name.startswith("SSH_")}
    return {**child_environment(daemon), **child_environment(entry), **of_ssh}
