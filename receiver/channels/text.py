"""Making foreign text fit a wire: no characters that a provider refuses, and no more than it takes."""

from unicodedata import category


def clean(text: str) -> str:
    """Without control characters (line ends and tabs stay), lone surrogates and U+FFFE, U+FFFF.

    Labels and annotations may hold all of these; XML, forms and several providers refuse them.
    """
    return "".join(c for c in text if c in "\n\t" or not (c in "\ufffe\uffff" or category(c) in {"Cc", "Cs"}))


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, clean; what was cut off is shown by an ellipsis."""
    # Annotations of megabytes were seen: what will be cut off anyway is not looked at.
    text = clean(text[: 4 * limit])
    return text if len(text) <= limit else text[: max(0, limit - 1)].rstrip() + "…"
