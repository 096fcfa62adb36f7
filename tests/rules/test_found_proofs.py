"""Proofs that are found with promtool, and kept beside the policy."""

import shutil

import pytest
from typer.testing import CliRunner

from receiver.cli import app
from rules.promtool.found_proofs import FoundProofs, dump, parse
from rules.promtool.promtool_questions import PromtoolQuestion, answers, as_test_file

HEAD = """\
incident_response:
  alert_channels: [{name: email, type: email, recipients: [oncall@example.com]}]
  detection:
    rules:
"""
CONDITIONS = (
    "rate(errors_total[5m]) > 1",
    "histogram_quantile(0.99, sum by (le) (rate(took_bucket[5m]))) > 0.5",
    "time() - last_backup_seconds > 86400",
    "count_over_time(beats[5m]) < 3",
)


def _compile(folder, *options: str, rules: tuple[str, ...] = CONDITIONS, threshold: int = 2):
    written = (
        f"      - {{name: r{number}, condition: '{each}', severity: 3, alert_threshold: {threshold}}}\n"
        for number, each in enumerate(rules)
    )
    (folder / "policy.yaml").write_text(HEAD + "".join(written))
    return CliRunner().invoke(app, ["compile", str(folder / "policy.yaml"), "--out", str(folder / "out"), *options])


def _files(folder) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (folder / "out").iterdir()}


def test_what_was_found_is_kept_and_passes_on_every_promtool(promtool, newest_promtool, tmp_path):
    """`--verify` proves rates, quantiles, the time and counts; a compile without promtool then gives the same
    bytes, which both promtools pass. A proof that is too short for a longer `for` is not used, and said to be.
    """
    found = _compile(tmp_path, "--verify", shutil.which("promtool"))
    assert found.exit_code == 0, found.output
    assert "4 of 4 rules proved." in found.output
    first = _files(tmp_path)
    shutil.rmtree(tmp_path / "out")
    assert _compile(tmp_path).exit_code == 0
    assert _files(tmp_path) == first
    for each in (promtool, newest_promtool):
        told = each("test", "rules", "rules_test.yml", folder=tmp_path / "out")
        assert told.returncode == 0, (told.stdout + told.stderr)[:2000]
    kept = (tmp_path / "policy.proofs.json").read_bytes()
    assert dump(parse(kept)) == kept
    longer = _compile(tmp_path, threshold=30)
    assert longer.output.count("does not fit its `for` any more: --verify finds another") == 4


@pytest.mark.parametrize("content", [b"", b"[{}]", b"{"])
def test_a_broken_file_is_named(content, tmp_path):
    """A file beside the policy that is no file of proofs is an error that names it, not a traceback."""
    (tmp_path / "policy.proofs.json").write_bytes(content)
    told = _compile(tmp_path)
    assert told.exit_code == 2
    assert "policy.proofs.json cannot be used" in told.output + (told.stderr or "")


def test_a_promtool_that_is_not_there_is_named(tmp_path):
    """`--verify` with a program that does not exist says so."""
    told = _compile(tmp_path, "--verify", "no-such-promtool")
    assert (told.exit_code, "there is no program no-such-promtool" in told.output + (told.stderr or "")) == (2, True)


def test_promtools_answers_are_read_as_it_writes_them(each_promtool, tmp_path):
    """Labels with quotes, infinity, refused and empty results of a batch come back from both promtools' words."""
    series = {("x", (("a", 'b"c\\'),)): "_ 1x20", ("x", (("a", "d, {e}"),)): "_ 2x20"}
    expressions = ("x > 0", "sum(x) / 0", "x * on() x", "x > 5", 'label_replace(x, "z", "}", "a", "d.*") > 1')
    asked = [PromtoolQuestion(each, 60_000_000, 14_999_000, series, (2, 3)) for each in expressions]
    (tmp_path / "asked.yml").write_bytes(as_test_file(asked))
    done = each_promtool("test", "rules", "asked.yml", folder=tmp_path)
    told = answers(asked, done.stdout + done.stderr)
    both = [(dict(each.labels), each.value) for each in told[0, 3]]
    assert sorted(both, key=str) == [({"a": 'b"c\\'}, 1.0), ({"a": "d, {e}"}, 2.0)]
    assert [each.value for each in told[1, 2]] == [float("inf")]
    assert told[2, 2] is None
    assert (3, 2) not in told
    assert [dict(each.labels) for each in told[4, 2]] == [{"a": "d, {e}", "z": "}"}]


def test_no_proofs_are_an_empty_file():
    """Nothing found is written and read as nothing."""
    assert parse(dump(FoundProofs())) == FoundProofs()
