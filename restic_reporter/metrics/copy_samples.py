"""The samples of the copies of each backup set."""

from collections.abc import Iterator, Sequence

from ..collection.state import RepositoryStatus
from . import definitions as f
from .exposition import label_text
from .set_samples import Labelled, Sample

COPY_FAMILIES = (f.COPY_LAG, f.COPY_MISSING)


def copy_samples(status: RepositoryStatus, watched: Sequence[Labelled]) -> Iterator[Sample]:
    """Yield the samples of `COPY_FAMILIES`, of the copies that the config has now."""
    url = status.task.repository.url
    for label in status.task.repository.copies:
        compared = status.copies.get(label)
        if compared is None:
            continue
        for _, one in watched:
            found = compared.sets.get((one.host, one.user))
            if found is not None:
                names = {"url": url, "copy": label, "host": one.host, "user": one.user}
                labels = label_text(names)
                yield f.COPY_LAG, found.lag, labels
                yield f.COPY_MISSING, found.missing, labels
