"""Pieces of the SVG pictures in docs/, which can be read on light and dark ground."""

from collections.abc import Iterator
from html import escape

WIDTH, LEFT, RIGHT = 800, 64, 776

STYLE = """\
<style>
  text { font: 13px sans-serif; fill: #1f2328; }
  .name { font-weight: bold; font-size: 15px; }
  .title { font-weight: bold; font-size: 17px; }
  .small { fill: #59636e; }
  .end { text-anchor: end; }
  .middle { text-anchor: middle; }
  .told { fill: #cf222e; font-weight: bold; }
  .ground { fill: #ffffff; }
  .age { fill: #0969da; fill-opacity: 0.18; stroke: #0969da; stroke-width: 1.4; }
  .limit { fill: none; stroke: #bc4c00; stroke-width: 2.4; }
  .late { fill: #cf222e; fill-opacity: 0.22; stroke: none; }
  .mark { stroke: #cf222e; stroke-width: 2; }
  .run { stroke: #0969da; stroke-width: 1.6; }
  .grid { stroke: #d1d9e0; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9198a1; }
    .told { fill: #ff7b72; }
    .ground { fill: #0d1117; }
    .age { fill: #58a6ff; stroke: #58a6ff; }
    .limit { stroke: #f0883e; }
    .late { fill: #ff7b72; }
    .mark { stroke: #ff7b72; }
    .run { stroke: #58a6ff; }
    .grid { stroke: #3d444d; }
  }
</style>"""


def begin(height: float, title: str, more: str) -> Iterator[str]:
    """The begin of a picture, whose title is also said with ``more`` to those who do not see it."""
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' width="{WIDTH}" height="{height}" role="img" aria-labelledby="title">'
    )
    yield f'<title id="title">{title}: {more}</title>'
    yield STYLE
    yield f'<rect class="ground" width="{WIDTH}" height="{height}" rx="8"/>'
    yield text(16, 28, title, "title")


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    """A line of a class."""
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """A text of a class."""
    known = f' class="{kind}"' if kind else ""
    return f'<text{known} x="{x:g}" y="{y:g}">{escape(words)}</text>'
