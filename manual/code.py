"""Reads the product's code as text: modules, imports, public classes and their first sentences."""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("receiver", "rules", "templates")


@dataclass(frozen=True)
class Module:
    """One file of the code."""

    name: str
    """Dotted: ``receiver.core.plan``; a package's own name stands for its ``__init__.py``."""
    path: Path
    tree: ast.Module

    @property
    def classes(self) -> Mapping[str, ast.ClassDef]:
        """The public classes by name."""
        found = (each for each in self.tree.body if isinstance(each, ast.ClassDef))
        return {each.name: each for each in found if not each.name.startswith("_")}


def modules() -> Mapping[str, Module]:
    """Every module by its name, without migrations, which are frozen."""
    found = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    read = (_module(path) for path in found if "migrations" not in path.parts)
    return {each.name: each for each in read}


def _module(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, path, ast.parse(path.read_text(encoding="utf-8")))


def imports(module: Module, known: Iterable[str]) -> set[str]:
    """The modules among `known` that `module` imports. All imports are absolute (enforced by ruff)."""
    found = set()
    for each in ast.walk(module.tree):
        if isinstance(each, ast.Import):
            found |= {alias.name for alias in each.names}
        elif isinstance(each, ast.ImportFrom) and each.module:
            submodules = {f"{each.module}.{alias.name}" for alias in each.names} & set(known)
            found |= submodules or {each.module}
    return found & set(known)


def first_sentence(node: ast.Module | ast.ClassDef) -> str:
    """The first sentence of a docstring, on one line; empty if there is none."""
    text = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
    head, dot, _ = text.partition(". ")
    return head + dot.strip()
