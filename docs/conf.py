"""The site: `make docs` builds it into site/html/.

Sphinx with MyST-NB: pages are the Markdown files as they are, tutorials are text that each build executes, links are checked, and
CosmoSim's site is MyST too. (mkdocs has had no release since 2024.)
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import nbformat  # noqa: E402
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

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_in_temp = True  # they write files
# What takes minutes is executed by `make docs-all` alone.
nb_execution_excludepatterns = [] if os.environ.get("LENSJAX_DOCS_ALL") else ["notebooks/telescope.md"]
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
