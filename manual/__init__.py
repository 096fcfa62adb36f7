"""The manual: what of docs/ is made from the code, and the hook that makes the site of the rest.

`python -m manual` writes the made pages; a test compares them with what is committed.
"""
