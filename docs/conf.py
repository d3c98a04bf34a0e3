"""The site: `make docs` builds it into site/html/.

Sphinx with MyST-NB: pages are the Markdown files as they are, tutorials are text that each build executes, links are checked, and
CosmoSim's site is MyST too. (mkdocs has had no release since 2024.)
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import lensjax  # noqa: E402
from scripts.commands_page import write_page  # noqa: E402

write_page(HERE / "commands.md")

project = "LensJAX"
author = "The LensJAX authors"
version = release = lensjax.__version__
extensions = ["myst_nb"]
exclude_patterns = ["figures"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
suppress_warnings = ["misc.highlighting_failure"]
highlight_language = "none"

html_theme = "furo"
html_title = "LensJAX"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
