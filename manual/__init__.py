"""The manual: the parts of docs/ that are generated from the code, and the mkdocs hook of the site.

`python -m manual` writes the generated pages; a test compares them with the committed ones.
"""
