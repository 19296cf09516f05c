"""Documents of secret stores: what an entry wants of them, and what it becomes with them. Pure."""

import re
from collections.abc import Mapping

from attrs import evolve

from ..interfaces import IBackendMaker
from ..model.repository import Material, Repository
from ..model.settings import BackendSettings, BrokenSettings, OwnKeys
from ..redaction.secret import Secret

_IMPOSSIBLE = re.compile("[\0\ud800-\udfff]")

Documents = Mapping[tuple[str, str], Mapping[str, object]]


def password_document(key: str, store: str, path: str) -> Material:
    """The document at ``path`` in ``store`` that has the repository's password."""
    return Material(key, store, path, (("key", "password"),))


def keys_document(maker: IBackendMaker, key: str, store: str, path: str) -> Material:
    """The document at ``path`` in ``store`` that has the values of a backend's keys."""
    fields = tuple((one.field, one.name) for one in maker.keys if one.field is not None)
    return Material(key, store, path, fields)


def settings_of(maker: IBackendMaker, own: OwnKeys) -> BackendSettings | None:
    """
    What the backend makes of its keys, with the values of secret keys among the secrets.

    ``None`` where that cannot be; then ``own`` has problems.
    """
    try:
        settings = maker.configure(own)
        if not isinstance(settings, BackendSettings) and (settings is not None or not own.problems):
            raise TypeError("neither settings nor a problem")
    except Exception as error:
        # The plugin's bug fails its own repositories. Its text may hold anything.
        problem = f"the backend {maker.name!r} cannot read its keys: {type(error).__name__}"
        return BrokenSettings(problem=problem)
    if settings is None:
        return None
    marked = [
        Secret(own.values[key.name]) for key in maker.keys if key.secret and key.name in own.values
    ]
    return evolve(settings, secrets=tuple(dict.fromkeys([*settings.secrets, *marked])))


def complete(
    repository: Repository, documents: Documents, makers: Mapping[str, IBackendMaker]
) -> Repository:
    """
    ``repository`` with what was missing, out of ``documents`` by store and path.

    :raises ValueError: a document lacks a field, or has something else than a string there.
        The message names key, path and field, and no value.
    """
    values: dict[str, str] = {}
    sources: dict[str, str] = {}
    for one in repository.materials:
        texts = _texts(one, documents[one.store, one.path])
        for (name, key), text in zip(one.fields, texts, strict=True):
            values[key] = text
            sources[key] = f"{_place(one)}: the field {name!r}"
    password = values.pop("password", None)
    if password is not None:
        repository = evolve(repository, password=Secret(password))
    if values and repository.own is not None:
        own = evolve(
            repository.own,
            values={**repository.own.values, **values},
            awaited=False,
            sources=sources,
            problems=[],
        )
        settings = settings_of(makers[repository.scheme], own)
        for _, problem in own.problems:
            raise ValueError(problem.replace(": must", " must", 1))
        assert settings is not None
        location = settings.location or repository.location
        repository = evolve(repository, settings=settings, location=location)
    return evolve(repository, materials=(), own=None)


def _texts(one: Material, document: Mapping[str, object]) -> list[str]:
    """The wanted fields of ``document``, each without the line end that came from a file."""
    texts = []
    for field, _ in one.fields:
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
