"""docs/words.md, second half: every package, module and public class with its first sentence, from the code."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from manual.code import Module, first_sentence, modules

PLACE = "docs/words.md"
MARK = "<!-- made from the code by `python -m manual`; the words above are written by hand -->\n"


def page(root: Path) -> str:
    """The page: the hand-written table unchanged, then the generated part."""
    written = (root / PLACE).read_text(encoding="utf-8").partition(MARK)[0].rstrip()
    return f"{written}\n\n{MARK}\n## In the code\n\n{''.join(_rooms(list(modules().values())))}".rstrip() + "\n"


def _rooms(found: Sequence[Module]) -> Iterator[str]:
    ordered = sorted(found, key=_package)
    for package, inside in groupby(ordered, _package):
        rows = "".join(_rows(package, sorted(inside, key=lambda module: module.name)))
        yield f"### `{package.replace('.', '/')}/`\n\n| name | what it is |\n|---|---|\n{rows}\n"


def _package(module: Module) -> str:
    return module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]


def _rows(package: str, inside: Sequence[Module]) -> Iterator[str]:
    for module in inside:
        name = "the package" if module.name == package else f"`{module.path.name}`"
        yield f"| {name} | {_told(first_sentence(module.tree))} |\n"
        for title, node in module.classes.items():
            yield f"| `{title}` | {_told(first_sentence(node))} |\n"


def _told(sentence: str) -> str:
    return sentence.replace("|", "\\|").replace("<", "&lt;")
