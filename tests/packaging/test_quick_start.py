"""The quick start, followed to the letter: from a clone, in an empty folder, to a mail in a mailbox."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.sessions import ROOT, type_in
from tests.end_to_end.conftest import need

REPOSITORY = "https://github.com/your-organisation/tocsin"


def test_the_quick_start_ends_with_a_test_alert_delivered(tmp_path: Path, dependencies: Path) -> None:
    """Its commands, one by one, with the real Alertmanager; only the network is replaced by what is installed here."""
    need("git", "curl", "amtool", "prometheus", "promtool", "prometheus-alertmanager")
    if subprocess.run(["git", "-C", ROOT, "rev-parse"], capture_output=True).returncode:
        pytest.skip("not a clone: nothing to clone from")
    kept = {
        each: value for each, value in os.environ.items() if not each.startswith(("PYTHON", "TOCSIN", "PIP", "VIRTUAL"))
    }
    bare = {
        **kept,
        "PATH": f"{Path(sys.base_prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}",
        # The page's repository is this one.
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"url.{ROOT.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": REPOSITORY,
        "GIT_CONFIG_KEY_1": "safe.directory",
        "GIT_CONFIG_VALUE_1": "*",
        # pip asks no index: what it would fetch stands in a folder.
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's own way to say that the option is given
        "PYTHONPATH": str(dependencies),
    }
    code, printed = type_in(ROOT / "docs" / "quick-start.md", tmp_path, bare)
    logs = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert code == 0, f"{printed}\n{logs}"
    assert "safety_margin is below 0.95 on flight-control" in (tmp_path / "mail.txt").read_text()
    assert "accepted" in printed
