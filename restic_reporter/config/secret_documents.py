"""Documents of secret stores: what an entry wants of them, and what it becomes with them. Pure."""

import re
from collections.abc import Mapping

from attrs import evolve

from ..model.repository import B2Credentials, Material, Repository, RestCredentials
from ..redaction.secret import Secret
from .location import with_credentials

# The fields of a document by what the key that names it begins with.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "": ("key",),
    "b2_": ("id", "key"),
    "rest_": ("username", "password"),
}

_IMPOSSIBLE = re.compile("[\0\ud800-\udfff]")

Documents = Mapping[tuple[str, str], Mapping[str, object]]


def material(use: str, store: str, path: str) -> Material:
    """The document at ``path`` in ``store``, for a ``use`` out of `FIELDS`."""
    return Material(f"{use}{store}_material", store, path, FIELDS[use])


def complete(repository: Repository, documents: Documents) -> Repository:
    """
    ``repository`` with what was missing, out of ``documents`` by store and path.

    :raises ValueError: a document lacks a field, or has something else than a string there.
        The message names key, path and field, and no value.
    """
    for one in repository.materials:
        first, second = (*_texts(one, documents[one.store, one.path]), "")[:2]
        if one.fields == FIELDS[""]:
            repository = evolve(repository, password=Secret(first))
        elif one.fields == FIELDS["b2_"]:
            credentials = B2Credentials(first, Secret(second), repository.b2_api_url)
            repository = evolve(repository, b2=credentials)
        else:
            if ":" in first:
                raise ValueError(f"{_place(one)}: the field 'username' has a colon in it")
            location = with_credentials(repository.location.reveal(), first, second)
            repository = evolve(
                repository,
                location=Secret(location),
                credentials=RestCredentials(first, Secret(second)),
            )
    return evolve(repository, materials=())


def _texts(one: Material, document: Mapping[str, object]) -> list[str]:
    """The wanted fields of ``document``, each without the line end that came from a file."""
    texts = []
    for field in one.fields:
        if field not in document:
            raise ValueError(f"{_place(one)}: the document has no field {field!r}")
        value = document[field]
        if not isinstance(value, str):
            raise ValueError(f"{_place(one)}: the field {field!r} is no string")
        value = value.rstrip("\r\n")
        if not value:
            raise ValueError(f"{_place(one)}: the field {field!r} is empty")
        if _IMPOSSIBLE.search(value):
            raise ValueError(f"{_place(one)}: the field {field!r} has characters that cannot be")
        texts.append(value)
    return texts


def _place(one: Material) -> str:
    return f"{one.key}: {one.path!r}"
