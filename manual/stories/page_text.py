"""A page of the console as text, line by line."""

import re
from html.parser import HTMLParser

BLOCKS = frozenset(
    "p li tr h1 h2 h3 h4 div section summary dt dd td th table ul ol label button details".split()  # noqa: SIM905 - a list of tags
)
VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"])
UNREAD = frozenset(["script", "style", "svg", "select", "textarea", "template", "head", "nav", "footer"])


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self._unread = 0
        self._hidden = 0
        """The depth of open elements within the outermost hidden one, inclusive."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unread += tag in UNREAD
        self._hidden += tag not in VOID and (self._hidden > 0 or "hidden" in dict(attrs))
        if self._hidden:
            return
        if tag in BLOCKS:
            self.text.append("\n- " if tag == "li" else " | " if tag in ("td", "th", "dd") else "\n")
        if tag == "h1":
            self.text.append("# ")
        if tag in ("h2", "h3"):
            self.text.append("## ")
        if tag == "input" and dict(attrs).get("type") == "checkbox":
            self.text.append("[x] " if "checked" in dict(attrs) else "[ ] ")

    def handle_endtag(self, tag: str) -> None:
        self._unread -= tag in UNREAD
        self._hidden -= self._hidden > 0
        if tag in BLOCKS and tag not in ("td", "th"):
            self.text.append("\n")

    def handle_data(self, data: str) -> None:
        if not (self._unread or self._hidden):
            self.text.append(re.sub(r"\s+", " ", data))


def read_page(html: str) -> str:
    """The visible text of a page."""
    reader = _Reader()
    reader.feed(html)
    lines = (re.sub(r" +", " ", line).strip(" ") for line in "".join(reader.text).splitlines())
    return "\n".join(line for line in lines if line.strip("|- "))
