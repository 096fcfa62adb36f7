"""The README of the Helm chart: every value, from values.yaml and values.schema.json."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

FOLDER = "deploy/helm/tocsin"
PLACE = f"{FOLDER}/README.md"

HEAD = """# Tocsin's Helm chart

<!-- made by `make docs` from values.yaml and values.schema.json -->

How to install it stands in [docs/deploy.md](../../../docs/deploy.md#helm). Values that contradict each other are
refused with words, before anything is applied.

| value | default | what |
|---|---|---|
"""


def page(root: Path) -> str:
    """The page."""
    schema = json.loads((root / FOLDER / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((root / FOLDER / "values.yaml").read_text(encoding="utf-8"))
    return HEAD + "".join(_rows(schema, values))


def _rows(node: Mapping[str, Any], values: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, each in node["properties"].items():
        if name not in values:  # `global` is Helm's
            continue
        if "properties" in each:
            yield from _rows(each, values[name], f"{path}{name}.")
        else:
            yield f"| `{path}{name}` | {_default(values[name])} | {each['description']} |\n"


def _default(value: Any) -> str:
    text = "an example" if isinstance(value, str) and "\n" in value else json.dumps(value, ensure_ascii=False)
    return text if text == "an example" else f"`{text}`"
