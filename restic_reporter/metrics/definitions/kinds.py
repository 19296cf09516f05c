"""Makes metric families whose help texts say when their values are from."""

from functools import partial

from ..exposition import Family

AT_SCRAPE = "As of the scrape, not of a scheduled collection"
AGED = "As of the scrape; the snapshots are those of the last scheduled collection"
IN_USE = "As of the scrape; a config takes effect at the next scheduled collection"

# The content of a repository stays after a failed read.
LAST_READ = "As of the last scheduled collection that read the repository"


def _family(
    kind: str, name: str, text: str, when: str = "As of the latest scheduled collection"
) -> Family:
    return Family(name, kind, f"{text}. {when}.")


gauge = partial(_family, "gauge")
info = partial(_family, "info")
counter = partial(_family, "counter", when="Since the start, as of the latest scheduled collection")
content = partial(gauge, when=LAST_READ)
