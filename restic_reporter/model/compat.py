"""Which metrics of other exporters are served too."""

from attrs import frozen

# The exporters whose metrics can be served too.
COMPATS = ("restic-exporter",)


@frozen
class Compat:
    """
    How to serve the metrics of restic-exporter.

    ``paths`` fills the label ``snapshot_paths``, which is empty otherwise. ``url`` adds a label
    that tells repositories apart: that program has only one.
    """

    paths: bool = False
    url: bool = True
