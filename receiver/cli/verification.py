"""Proofs with promtool: `tocsin compile --verify` searches them, keeps them beside the policy and runs all tests."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from receiver.cli.output import fail, why_not, write
from rules.compile import compile  # noqa: A004 - it is what this does
from rules.outputs import unproved_alerts
from rules.policy import Policy
from rules.prometheus_versions import FLAG, needs
from rules.promtool import found_proofs
from rules.promtool.found_proofs import FoundProofs
from rules.promtool.promtool_questions import Answers, PromtoolQuestion, answers, as_test_file
from rules.promtool.proof_search import search

PATIENCE = 600.0
"""Seconds for one run of promtool."""

OPTION = "--verify"


def file_beside(paths: Sequence[Path] | None) -> Path | None:
    """Returns the file of the proofs that were found for a policy; None: it was read from no file."""
    if not paths or str(paths[0]) == "-":
        return None
    first = paths[0]
    return first / "policy.proofs.json" if first.is_dir() else first.with_suffix(".proofs.json")


def kept(paths: Sequence[Path] | None) -> FoundProofs:
    """Returns the proofs in the file beside the policy. Exits if they cannot be read."""
    file = file_beside(paths)
    try:
        return found_proofs.parse(file.read_bytes()) if file and file.exists() else FoundProofs()
    except OSError as error:
        fail(f"tocsin: {file} cannot be read: {error.strerror}", 2)
    except ValueError as error:
        fail(f"tocsin: {file} cannot be used: {error}; delete it, and `tocsin compile --verify` writes it anew", 2)


def find_proofs(policy: Policy, paths: Sequence[Path] | None, promtool: str) -> FoundProofs:
    """Searches what is not proved yet, and returns it with what was kept; writes the file. Exits without one."""
    file = file_beside(paths)
    if file is None:
        fail(f"tocsin compile: {OPTION} keeps what it finds beside the policy: name the policy's file or folder", 2)
    known = kept(paths)
    left = unproved_alerts(policy, known)
    searching = search(left)
    try:
        questions = next(searching)
        while True:
            questions = searching.send(_asked(questions, promtool) if questions else {})
    except StopIteration as done:
        found: FoundProofs = done.value
    read = {(alert.expr, group.interval) for group in compile(policy) for alert in group.alerts}
    every = FoundProofs({key: each for key, each in (*known.proofs.items(), *found.proofs.items()) if key in read})
    if every.proofs:
        write(file, found_proofs.dump(every), OPTION)
    say = f"promtool found proofs of {len(found.proofs)} expressions of {len(left)} rules; kept in {file}"
    print(say, file=sys.stderr)  # standard output may be JSON
    return every


def run_tests(folder: Path, files: Sequence[str], policy: Policy, promtool: str) -> None:
    """Runs the generated tests. Exits if promtool fails one."""
    done = _promtool(promtool, ["test", "rules", *files], folder, flag=_needs_flag(policy))
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
        fail("tocsin compile: promtool fails generated tests: that is a fault of Tocsin's, not of the policy")
    print(f"promtool passes {', '.join(files)}", file=sys.stderr)


def _needs_flag(policy: Policy) -> bool:
    return any(need.flag for rule in policy.rules for need in needs(rule.condition))


def _asked(questions: Sequence[PromtoolQuestion], promtool: str) -> Answers:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "questions.yml").write_bytes(as_test_file(questions))
        flag = any(need.flag for expr in {each.expr for each in questions} for need in needs(expr))
        done = _promtool(promtool, ["test", "rules", "questions.yml"], Path(folder), flag=flag)
    return answers(questions, done.stdout + done.stderr)


def _promtool(promtool: str, words: Sequence[str], folder: Path, *, flag: bool) -> subprocess.CompletedProcess[str]:
    command = [promtool, *([FLAG] if flag else []), *words]
    try:
        return subprocess.run(  # noqa: S603 - the user names the program
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    except OSError as error:
        fail(f"tocsin compile: {OPTION}: {promtool} cannot be run: {why_not(error)}", 2)
    except subprocess.TimeoutExpired:
        fail(f"tocsin compile: {OPTION}: {promtool} did not end within {PATIENCE:.0f} s")
