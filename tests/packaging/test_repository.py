"""What the repository shows to those who want to take part: forms that can be read, and checks that exist."""

import re
import subprocess
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


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
WRITTEN = {"values.yaml", "policy.yaml", "stricter.yaml"}
"""Files that a step writes itself."""


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_can_be_run(path: Path) -> None:
    """Of a workflow that runs elsewhere only: each step is something, its commands are a shell's, the files of ours that they
    name are there, and what a step refers to of an earlier one has that id.
    """
    jobs = yaml.safe_load(path.read_text())["jobs"]
    for job in jobs.values():
        known: set[str] = set()
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step), step
            text = yaml.safe_dump(step)
            assert set(re.findall(r"steps\.(\w+)\.", text)) <= known
            known |= {step["id"]} if "id" in step else set()
            script = re.sub(r"\$\{\{.*?\}\}", "x", step.get("run", ""))
            read = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
            assert (read.returncode, read.stderr) == (0, ""), script
            named = re.findall(r"(?<![\w/$.-])(?:(?:deploy|docs|tests)/[\w./-]+|[\w-]+\.(?:yaml|lock|toml|md))", script)
            made = {"notes.md"} | WRITTEN
            assert not [each for each in named if each not in made and not (ROOT / each).exists()], step


def test_the_clusters_files_are_the_manuals() -> None:
    """The job that tries Tocsin in a cluster takes policy and values out of the manual's first hour, by the very lines that mark
    them there.
    """
    (step,) = [
        step["run"]
        for step in yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["cluster"]["steps"]
        if "awk" in step.get("run", "")
    ]
    script = step.replace("> policy.yaml", "").splitlines()[0]
    found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert "safety_margin < 0.95" in found
    assert yaml.safe_load(found)["incident_response"]


def test_continuous_integration_runs_what_a_developer_runs() -> None:
    """The workflow calls the repository's own script, which is there and can be run, and builds the documents."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = [step.get("run", "") for step in workflow["jobs"]["run"]["steps"]]
    assert {".ci/run", "make docs"} <= set(steps)
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert "make check" in (ROOT / ".ci" / "run").read_text()
