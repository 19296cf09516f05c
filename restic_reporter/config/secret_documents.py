"""Complete repositories with documents from secret stores. Pure."""

import re
from collections.abc import Mapping

from attrs import evolve

from ..interfaces import IBackendMaker
from ..model.repository import Material, Repository
from ..model.settings import BackendSettings, BrokenSettings, OwnKeys
from ..redaction.secret import Secret

_INVALID = re.compile("[\0\ud800-\udfff]")

Documents = Mapping[tuple[str, str], Mapping[str, object]]


def password_document(key: str, store: str, path: str) -> Material:
    """Return the document at ``path`` in ``store`` with the repository's password."""
    return Material(key, store, path, (("key", "password"),))


def keys_document(maker: IBackendMaker, key: str, store: str, path: str) -> Material:
    """Return the document at ``path`` in ``store`` with the values of a backend's keys."""
    fields = tuple((one.field, one.name) for one in maker.keys if one.field is not None)
    return Material(key, store, path, fields)


def settings_of(maker: IBackendMaker, own: OwnKeys) -> BackendSettings | None:
    """
    Return the backend's settings, whose secrets include the values of secret keys.

    ``None`` means that ``own`` has problems.
    """
    try:
        settings = maker.configure(own)
        if not isinstance(settings, BackendSettings) and (settings is not None or not own.problems):
            raise TypeError("neither settings nor a problem")
    except Exception as error:
        # A bug of a plugin fails only its repositories. The text may contain a secret.
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
    Return ``repository`` with the values from ``documents``, which are by store and path.

    :raises ValueError: a field is missing or invalid; the message has no value.
    """
    values: dict[str, str] = {}
    sources: dict[str, str] = {}
    for one in repository.materials:
        document = documents[one.store, one.path]
        place = f"{one.key}: {one.path!r}"
        for name, key in one.fields:
            if name not in document:
                raise ValueError(f"{place}: the document has no field {name!r}")
            sources[key] = f"{place}: the field {name!r}"
            values[key] = _text(document[name], sources[key])
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


def _text(value: object, source: str) -> str:
    """Return ``value`` without the newline at a file's end."""
    text = value.rstrip("\r\n") if isinstance(value, str) else None
    if text is None:
        raise ValueError(f"{source} is not a string")
    if not text:
        raise ValueError(f"{source} is empty")
    if _INVALID.search(text):
        raise ValueError(f"{source} has invalid characters")
    return text
