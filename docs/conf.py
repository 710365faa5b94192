"""The site of these pages, by Sphinx: ``make docs`` writes it to site/.

The sources are the Markdown files of the repository where they lie, so that a link works here as
on a forge; what is not in ``include_patterns`` is no page.
"""

project = "cnn-tui"
copyright = "2026 the cnn-tui authors"
root_doc = "docs/index"
include_patterns = ["docs/**.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
# Not looked into, for time.
exclude_patterns = [".*", "site", "runs", "core", "tui", "tests", "docs/results"]
extensions = ["myst_parser"]
myst_heading_anchors = 4  # as forges have them
# Code blocks without a language are commands and listings.
highlight_language = "text"
smartquotes_action = "q"  # an option in a sentence is no dash

html_theme = "furo"
html_title = "cnn-tui"
html_copy_source = False
html_show_sphinx = False
html_extra_path = ["front"]  # index.html, which leads to docs/
