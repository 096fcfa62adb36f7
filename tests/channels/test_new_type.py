"""A newcomer adds a channel type as CONTRIBUTING says: a row, a module, a local provider, a page; and nothing else."""

import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from rules.channel_types import CHANNEL_FACTS, ChannelFacts
from tests.docs.sessions import ROOT

PIGEON = Path(__file__).parent / "pigeon"
END_OF_TABLE = "\n)\n\nCHANNEL_FACTS:"
ADDED = {
    "sender.py": "receiver/channels/pigeon.py",
    "provider.py": "tests/channels/providers/pigeon.py",
    "page.md": "docs/channels/pigeon.md",
    "promises.py": "tests/channels/test_pigeon.py",
}
CONTRACT = 16
"""Promises of the suite for one channel, mishap by mishap."""
COPIED = (
    "receiver",
    "rules",
    "templates",
    "manual",
    "docs",
    "deploy",
    "tests/channels",
    "tests/messages",
    "tests/docs",
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of the repository to which a newcomer has added carrier pigeons."""
    copy = tmp_path_factory.mktemp("pigeon") / "tocsin"
    for folder in COPIED:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "mkdocs.yml", "tests/__init__.py", "tests/patience.py"):
        shutil.copy(ROOT / name, copy / name)
    table = copy / "rules" / "channel_types.py"
    before, found, after = table.read_text().partition(END_OF_TABLE)
    assert found
    table.write_text(f"{before}\n{(PIGEON / 'row.txt').read_text().rstrip()}{found}{after}")
    for name, place in ADDED.items():
        shutil.copy(PIGEON / name, copy / place)
    return copy


def run(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=copy, capture_output=True, text=True)


def test_a_new_type_keeps_what_every_channel_promises(copy: Path) -> None:
    """The whole contract suite runs on it, beside what must hold of it in policy, core, views and documents."""
    files = [f"tests/channels/test_{name}.py" for name in ("contract", "pigeon", "configured")]
    done = run(copy, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "-k", "pigeon or configured or held", *files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"PASSED tests/channels/test_contract.py::.*pigeon", done.stdout)) >= CONTRACT


def test_a_forgotten_fact_is_a_type_error(copy: Path) -> None:
    """Each fact but the two safe ones has to be said: the type checker names the one that a row leaves out."""
    row = (PIGEON / "row.txt").read_text().splitlines()
    facts = [each.strip().partition("=")[0] for each in row if re.match(r" {8}\w+=", each)]
    rows = ["\n".join(line for line in row if not line.startswith(f"        {fact}=")) for fact in facts]
    made = "import re\nfrom rules.channel_types import Address, ChannelFacts, HOUR, Key\n_ = [\n{}\n]"
    said = run(copy, "-m", "mypy", "--config-file=", "--strict", "-c", made.format("\n".join(rows))).stdout
    assert re.findall(r'Missing named argument "(\w+)"', said) == facts
    assert len(facts) == len(fields(ChannelFacts)) - 2


def test_ranks_of_fallbacks_differ() -> None:
    """No two types have one place in the order of fallbacks."""
    ranks = [facts.fallback_rank for facts in CHANNEL_FACTS.values() if facts.fallback_rank is not None]
    assert len(ranks) == len(set(ranks))


def test_a_key_means_one_thing() -> None:
    """A key that several types have holds the same for all of them; every recipient is secret unless its row says not."""
    holds = {(key.name, key.holds) for facts in CHANNEL_FACTS.values() for key in facts.keys}
    assert len(holds) == len({name for name, _ in holds})
    assert [name for name, facts in CHANNEL_FACTS.items() if facts.recipient_is_secret] == ["webhook"]
