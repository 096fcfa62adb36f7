"""Compile: from the policy's YAML to all written files, with rule tests and dashboard.

Compared with `promtool check rules` on the compiled rules.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from bench.ingest import POLICY
from bench.table import Row

SIZES = (10, 100, 1_000, 10_000)


def run() -> list[Row]:
    """Both as commands in new processes, alternating."""
    rows: list[Row] = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            rows += _measure(Path(folder), size, tries=1 if size >= 10_000 else 3)
    return rows


def _measure(folder: Path, size: int, tries: int) -> list[Row]:
    (folder / "policy.yaml").write_text(_policy(size))
    compile_ = [sys.executable, "-m", "receiver.cli", "compile", str(folder / "policy.yaml"), "--out", str(folder)]
    promtool = shutil.which("promtool")
    ours, theirs = [], []
    for _ in range(tries):
        ours.append(_seconds(compile_))
        if promtool:
            theirs.append(_seconds([promtool, "check", "rules", str(folder / "rules.yml")]))
    rows = [Row("compile", f"{size:,} rules, all files", "s", tuple(ours))]
    if promtool:
        ratios = tuple(a / b for a, b in zip(ours, theirs, strict=True))
        rows += [
            Row("compile", f"{size:,} rules, promtool check rules", "s", tuple(theirs)),
            Row("compile", f"{size:,} rules, ours / promtool", "ratio", ratios, "≤ 1" if size == SIZES[-1] else ""),
        ]
    return rows


def _policy(size: int) -> str:
    rule = '      - {{name: rule_{0}, condition: "signal_{0} < 0.9", severity: 3, channels: [email, slack]}}\n'
    head, _, _ = POLICY.partition("      - {name: accuracy_low")
    return head + "".join(rule.format(number) for number in range(size))


def _seconds(command: list[str]) -> float:
    began = perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr or done.stdout)
    return perf_counter() - began
