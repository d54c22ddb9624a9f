"""Configuration of the site. `make docs` builds it; pages and what their folders mean: reference/development.md."""

import hashlib
import sys
from pathlib import Path

import surgrad

HERE = Path(__file__).parent
SOURCE = Path(surgrad.__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project, author, copyright = "surgrad", "the surgrad authors", "the surgrad authors"
version = release = surgrad.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "offline_mathjax",
    "api",
    "claims",
    "explorer",
    "ledger_page",
    "measurements",
    "versions",
    "neighbours",
    "notebooks",
]
exclude_patterns = ["_build", "_ext"]
source_suffix = {".md": "myst-nb", ".rst": "restructuredtext", ".markdown": "myst-nb"}
default_role = "py:obj"
python_use_unqualified_type_names = True
maximum_signature_line_length = 80
nitpicky = False  # backticks in docstrings hold expressions as well as names

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "attrs_inline"]
myst_heading_anchors = 3

# Pages run when their code or the library has changed. An error, and an output other
# than a page claims, fail the build.
library = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(SOURCE.rglob("*.py")))).hexdigest()[:12]
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "cache" / library)
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_execution_show_tb = True
nb_merge_streams = True
nb_render_markdown_format = "myst"  # tables that a cell displays

html_theme = "pydata_sphinx_theme"
html_title = f"surgrad {version}"
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["surgrad.css"]
html_search_scorer = str(HERE / "_ext" / "scorer.js")
html_favicon = "_static/logo.svg"
html_show_sourcelink = False
html_theme_options = {
    "logo": {
        "image_light": "_static/logo.svg",
        "image_dark": "_static/logo.svg",
        "text": html_title,
        "alt_text": "surgrad",
    },
    "github_url": "https://github.com/surgrad/surgrad",
    "navbar_end": ["version-switcher", "theme-switcher", "navbar-icon-links"],
    "switcher": {"json_url": "https://surgrad.github.io/surgrad/versions.json", "version_match": version},
    "check_switcher": False,
    "show_prev_next": True,
    "navigation_with_keys": True,
    "secondary_sidebar_items": ["page-toc", "download-notebook"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
autodoc_typehints = "none"  # signatures are written by _ext/signatures.py
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "returns_style")]
napoleon_attr_annotations = False
