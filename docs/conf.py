"""The site: `make docs` builds it into site/html/.

Sphinx with MyST-NB: pages are the Markdown files as they are, tutorials are text that each build executes, links are checked, and
CosmoSim's site is MyST too. (mkdocs has had no release since 2024.)
"""

import os
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import nbformat  # noqa: E402
from docutils import nodes  # noqa: E402
from jupyter_cache import get_cache  # noqa: E402
from myst_nb.core.read import read_myst_markdown_notebook  # noqa: E402

import lensjax  # noqa: E402
from scripts.commands_page import write_page  # noqa: E402

write_page(HERE / "commands.md")

# Tutorials call `lensjax` as a shell does: this environment's, and this checkout.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
os.environ["PYTHONPATH"] = os.pathsep.join((str(HERE.parent), os.environ.get("PYTHONPATH", ""))).rstrip(os.pathsep)
os.environ.setdefault("COLUMNS", "110")

# Each tutorial can be downloaded as .ipynb, without outputs.
for page in (HERE / "notebooks").glob("*.md"):
    text = page.read_text().rpartition("\nThis page as a notebook")[0]
    nbformat.write(read_myst_markdown_notebook(text, path=page), page.with_suffix(".ipynb"))

project = "LensJAX"
author = "The LensJAX authors"
version = release = lensjax.__version__
extensions = ["myst_nb"]
exclude_patterns = ["figures", "notebooks/*.ipynb"]
templates_path = ["templates"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE.parent / "site" / ".jupyter_cache")
get_cache(nb_execution_cache_path).list_cache_records()  # makes its tables, which two processes at once cannot
nb_execution_raise_on_error = True
nb_execution_timeout = 1800  # of one cell, on a machine that is busy with other work
nb_execution_in_temp = True  # they write files
nb_merge_streams = True
nb_output_stderr = "remove"  # progress
suppress_warnings = ["misc.highlighting_failure"]
highlight_language = "none"

html_theme = "furo"
html_title = "LensJAX"
html_favicon = "favicon.svg"
html_static_path = ["site.css", "site.js"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False

# Numbers do not part from their units, nor at their thousands.
TOGETHER = re.compile(r"(?<=\d) (?=%|×$|(?:px|ms)\b|\d{3}\b(?!\.))|(?<=\d) (?=± )|(?<=±) (?=\d)")


def keep_together(app: Any, doctree: nodes.document) -> None:
    """Spaces within numbers become spaces that do not break."""
    for text in list(doctree.findall(nodes.Text)):
        new = TOGETHER.sub("\N{NO-BREAK SPACE}", text)
        if new != text and not isinstance(text.parent, nodes.literal | nodes.FixedTextElement):
            text.parent.replace(text, nodes.Text(new))


def setup(app: Any) -> None:
    """Sphinx calls this."""
    app.connect("doctree-read", keep_together)
