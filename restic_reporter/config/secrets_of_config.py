"""All secrets of a config, as they may come up in what is printed. Pure."""

from collections.abc import Iterable, Iterator

from ..model.repository import Config, Repository
from ..redaction.masks import Masks
from ..redaction.secret import Secret, private_key_secrets, url_passwords


def masks_of(config: Config) -> Masks:
    """
    What finds every secret of ``config``.

    A secret that stands in a label too, such as a region in ``env``, is none. Takes a second for
    10,000 repositories; any thread may do it.
    """
    return Masks.of(
        secrets_of(config.repositories), [repository.url for repository in config.repositories]
    )


def secrets_of(repositories: Iterable[Repository]) -> Iterator[Secret]:
    """Every secret of some repositories, and what is sent in its place."""
    # Usually they share one, and looking into it takes time.
    certificates: set[bytes] = set()
    for repository in repositories:
        # Not the location as a whole: without a password in it it is no secret.
        yield from url_passwords(repository.location.reveal())
        if isinstance(repository.password, Secret):
            yield repository.password
        yield from repository.settings.secrets
        yield from repository.env.values()
        if repository.transport.client_certificate is not None:
            certificates.add(repository.transport.client_certificate)
    for pem in certificates:
        yield from private_key_secrets(pem)
