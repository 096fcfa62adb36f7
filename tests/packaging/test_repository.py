"""What the repository shows to those who want to take part: forms that can be read, and checks that exist."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.packaging.conftest import ROOT

FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_for_something(path: Path) -> None:
    """An issue's form has what GitHub wants of it: name, description, and fields with labels and ids of their own."""
    form: dict[str, Any] = yaml.safe_load(path.read_text())
    assert form["name"]
    assert form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields) > 0


def test_continuous_integration_runs_what_a_developer_runs() -> None:
    """The workflow calls the repository's own script, which is there and can be run, and builds the documents."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = [step.get("run", "") for step in workflow["jobs"]["run"]["steps"]]
    assert {".ci/run", "make docs"} <= set(steps)
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert "make check" in (ROOT / ".ci" / "run").read_text()
