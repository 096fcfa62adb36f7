"""For any content of a policy file, `load` gives a policy or says what is wrong and where; nothing else."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.load import load
from rules.outputs import render
from rules.problems import PolicyError
from tests.policies import GUIDE

FEW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.dates()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3),
    max_leaves=8,
)
ODD = st.sampled_from(
    ["15m", "0s", "99999999999y", "safety_margin < 0.95", "a <", "{{", "{incident_id}", "=x", "!!python/x"]
)
YAML_LIKE = st.text("abc:-[]{}&*!|>'\"%@`#\n\t ?,0<", max_size=80)


def dump(document: Any) -> bytes:
    """As YAML; hypothesis may draw what YAML cannot say, which then stands as its text."""
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False).encode("utf-8", "surrogatepass")


def attempt(folder: Path, content: bytes, name: str = "policy.yaml") -> None:
    """Load it; what loads also compiles, and what does not says where it is wrong."""
    path = folder / name
    path.write_bytes(content)
    try:
        render(load([path]))
    except PolicyError as error:
        problems = error.problems
    else:
        return
    assert problems
    assert all(problem.message and problem.path.endswith(name) for problem in problems)


@FEW
@given(content=st.binary(max_size=120) | YAML_LIKE.map(str.encode) | VALUES.map(dump))
def test_any_file(tmp_path: Path, content: bytes) -> None:
    """Bytes, almost-YAML and any document at all are a policy or problems."""
    attempt(tmp_path, content)
    attempt(tmp_path, b"```yaml\n" + content + b"\n```\n", "policy.md")


@FEW
@given(data=st.data())
def test_spoiled_guide(tmp_path: Path, data: st.DataObject) -> None:
    """The guide's own documents, with a value changed, taken out or put somewhere else, are a policy or problems."""
    document = copy.deepcopy(data.draw(st.sampled_from(DOCUMENTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        spoil(document, data)
    attempt(tmp_path, dump(document))


@FEW
@given(data=st.data())
def test_damaged_guide(tmp_path: Path, data: st.DataObject) -> None:
    """The guide's text with some bytes replaced is a policy or problems."""
    content = bytearray(dump(data.draw(st.sampled_from(DOCUMENTS))))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    attempt(tmp_path, bytes(content))


@pytest.mark.parametrize("content", [
    "a: &a [*a]\n",
    "a: &a {b: *a}\n",
    "incident_response: &r {detection: *r}\n",
    "x-a: &a [1,1,1,1,1,1,1,1]\nx-b: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nx-c: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nx-d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\nx-e: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nx-f: &f [*e,*e,*e,*e,*e,*e,*e,*e]\nx-g: &g [*f,*f,*f,*f,*f,*f,*f,*f]\nx-h: [*g,*g,*g,*g,*g,*g,*g,*g]\n",
    "[" * 5000,
    "{a: " * 5000,
    "- " * 5000,
    "? " * 3000,
    "!!python/object/apply:os.system [id]\n",
    "a: !!binary x\n",
    "a: 2026-99-99\n",
    "a: 1e999\n",
    "%YAML 9.9\n---\na: 1\n",
    "\ufeffincident_response: {}\n",
    "a: \x07\n",
])  # fmt: skip
def test_hostile_yaml(tmp_path: Path, content: str) -> None:
    """References to themselves, laughs by the billion, depth without end and foreign tags end in words, soon."""
    attempt(tmp_path, content.encode())


def documents() -> list[Any]:
    """The guide's fenced blocks that are policies."""
    blocks = GUIDE.read_text().split("```yaml\n")[1:]
    return [
        each for block in blocks for each in yaml.safe_load_all(block.partition("```")[0]) if isinstance(each, dict)
    ]


DOCUMENTS = documents()


def spoil(document: Any, data: st.DataObject) -> None:
    """Change one place."""
    places = list(holders(document))
    if not places:
        return
    holder = data.draw(st.sampled_from(places))
    key = data.draw(st.sampled_from(list(holder) if isinstance(holder, dict) else list(range(len(holder)))))
    match data.draw(st.sampled_from(["change", "remove", "rename"])):
        case "remove" if isinstance(holder, dict):
            del holder[key]
        case "rename" if isinstance(holder, dict):
            holder[data.draw(SCALARS)] = holder.pop(key)
        case _:
            holder[key] = data.draw(ODD | VALUES)


def holders(value: Any) -> Any:
    """Every mapping and list that holds something."""
    if isinstance(value, dict | list) and value:
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from holders(inner)
