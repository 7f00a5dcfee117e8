"""Settings of the site; see docs/website.py, which builds it."""

project = "ramnp"
copyright = "the ramnp developers"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
root_doc = "README"
exclude_patterns = ["ramnp/**", "tests/**", "tutorials/exercises/**"]
nb_execution_mode = "off"  # the notebooks hold their outputs
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
html_theme = "pydata_sphinx_theme"
html_title = "ramnp"
html_theme_options = {"show_prev_next": True, "navigation_with_keys": False}
autodoc_default_options = {"members": True, "member-order": "bysource"}
# A notebook's title and the README's sections start where their authors want.
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type"]
