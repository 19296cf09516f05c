"""Sphinx makes the site of these pages: `tox -e docs`."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT))

from restic_reporter import __version__  # noqa: E402

project = "restic-reporter"
release = __version__
author = "the restic-reporter developers"
html_title = f"{project} {release.partition('+')[0]}"

extensions = [
    "myst_parser",
    "repoze.sphinx.autointerface",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "docsite.extension",
]
source_suffix = {".md": "markdown"}

# As on a forge: anchors of headings, and links between files.
myst_heading_anchors = 4
myst_links_external_new_tab = False
# Pictures with a width of their own.
myst_enable_extensions = ["html_image"]

html_theme = "furo"
html_favicon = "../restic_reporter/status_page/icon.svg"
# The colours of the status page.
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#14654f", "color-brand-content": "#14654f"},
    "dark_css_variables": {"color-brand-primary": "#6fcfb1", "color-brand-content": "#6fcfb1"},
}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
smartquotes = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"

# A build has no network: these are shipped.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", "inventories/python.inv"),
    "twisted": ("https://docs.twisted.org/en/stable/api", "inventories/twisted.inv"),
}

# In docstrings: `Listing` is a class, wherever it is.
default_role = "any"
# Names that are on no page stay text.
suppress_warnings = ["ref.any"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
