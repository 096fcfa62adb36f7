"""Golden pairs: what a policy compiles to, byte for byte, for people to read in a review.

After a change that is meant, write them anew: ``REWRITE_GOLDEN=1 python -m pytest tests/rules/test_compile_golden.py``
and read the difference.
"""

import os
from pathlib import Path

import pytest

from rules.load import load
from rules.outputs import render

HERE = Path(__file__).parent
POLICIES = HERE.parent / "policies"
PAIRS = {
    "guide": [POLICIES / "guide.md"],
    "signals": [HERE / "golden" / "in-signals.yaml"],
    "cargo-drone": [POLICIES / "systems" / "cargo-drone.yaml"],
}
WATCHED = {
    "guide": ("rules.yml", "alertmanager.yml", "alertmanagerconfig.yaml", "rules_test.yml"),
    "signals": ("rules.yml", "rules_test.yml"),
    "cargo-drone": ("rules.yml",),
}


@pytest.mark.parametrize(("pair", "file"), [(pair, file) for pair, files in WATCHED.items() for file in files])
def test_a_policy_compiles_to_what_was_reviewed(pair, file):
    """The outputs are the reviewed ones; a change shows in the difference."""
    golden = HERE / "golden" / f"out-{pair}-{file}"
    made = render(load(PAIRS[pair])).files[file]
    if os.environ.get("REWRITE_GOLDEN"):
        golden.write_bytes(made)
    assert made.decode() == golden.read_text()
