"""The compiled rules and their unit tests, before the real promtool."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from rules.load import load
from rules.outputs import render
from rules.policy import MINUTE, SECOND, IncidentType, Micros, Signal
from rules.promtool.unit_tests import render as render_tests
from tests.policies import FRAMEWORK, SYSTEMS
from tests.rules.policies import policy, rule, write

POLICIES = Path(__file__).parent.parent / "policies"

KINDS = policy(
    rule("bare", "slo_violation_detected"),
    rule("below", "safety_margin < 0.95", 4),
    rule("below_at_once", "safety_margin < 0.95", 4, "safety", immediate=True),
    rule("further_below", "safety_margin <= 0.5", 4),
    rule("equal", "state == 3", 1),
    rule("unequal", "version != 7", 1, threshold=1),
    rule("tiny", "drift >= 1e-5", 2, threshold=5),
    rule("negative", "altitude < -0.5", 2, hold=Micros(90 * SECOND)),
    rule("turned_round", "100 < latency", 3),
    rule("two", 'a > 1 and on () b{x="y",z=~"p|q",w!="v"} < 2', 3, threshold=2),
    rule("either", "c > 1 or c < -1", 3),
    rule("must_hold", "d unless d >= 0.99", 3),
    rule("share", "errors / requests > 0.05", 3),
    rule("summed", "sum by (zone) (load) > 5", 3),
    rule("averaged", "avg_over_time(q[10m]) < 0.8", 3),
    rule("worst", "max_over_time(p[5m]) > 3", 3),
    rule("recorded", "share_of_errors > 0.05", 3, description="Too many {{ errors }}"),
    rule("alike", "x > 1", 3, "one"),
    rule("alike", "y > 2", 3, "two"),
    rule("same", "z > 1", 3, "one", labels=(("system", "one"),)),
    rule("same", "z > 1", 3, "two", labels=(("system", "two"),)),
    rule(
        "worded", "pressure < 3", summary="{{$labels.unit}} has {{ $value }}", description="{{ not }} {{ $labels.no }}"
    ),
    rule("measured", "max(heat) >= 1500000", 3),
    rule("hasty", "h > 1", 3, interval=Micros(10 * SECOND)),
    rule("slow", "i > 1", 3, interval=Micros(5 * MINUTE)),
    signals=(
        Signal("share_of_errors", "failed / all_of_them", unit="ratio"),
        Signal("d", identity=("unit",)),
        Signal("pressure", unit="bar", identity=("system", "unit")),
        Signal("heat", unit="W"),
    ),
    types=(IncidentType("aviation", "engine_failure", 4, "Aircraft engine failure"),),
)


def test_every_kind_of_rule_is_proved(promtool, tmp_path):
    """promtool lints the rules without complaint and passes all their tests; only blurred averages are unproved."""
    unproved = write(KINDS, tmp_path)
    answer = promtool("check", "rules", "--lint=all", "--lint-fatal", tmp_path / "rules.yml")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    files = sorted(path.name for path in tmp_path.glob("rules_test*.yml"))
    assert files == ["rules_test.yml", "rules_test_10s.yml", "rules_test_5m.yml"]
    for file in files:
        answer = promtool("test", "rules", file, folder=tmp_path)
        assert answer.returncode == 0, answer.stdout + answer.stderr
    assert [each.split(" ", 2)[1] for each in unproved] == ["incident_response/averaged", "incident_response/worst"]


@pytest.mark.parametrize("path", [None, POLICIES / "guide.md"], ids=["packs", "guide"])
def test_the_guide_is_proved_whole(promtool, tmp_path, path):
    """The shipped packs and the guide itself compile to rules that promtool accepts and tests, all of them."""
    assert write(load([path] if path else []), tmp_path) == ()
    assert promtool("check", "rules", "--lint=all", "--lint-fatal", tmp_path / "rules.yml").returncode == 0
    answer = promtool("test", "rules", "rules_test.yml", folder=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("systems", [SYSTEMS, FRAMEWORK], ids=["ours", "framework"])
def test_systems_are_proved_whole(promtool, tmp_path, systems):
    """Our systems, and all of the framework's together: SLOs, burn rates, thresholds; nothing is left unproved."""
    if not systems.exists():
        pytest.skip("the framework's examples do not lie beside the project")
    assert write(load([systems]), tmp_path) == ()
    answer = promtool("check", "rules", "--lint=all", "--lint-fatal", tmp_path / "rules.yml")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    answer = promtool("test", "rules", "rules_test.yml", folder=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_what_cannot_be_proved_is_said():
    """A rule whose truth depends on more than steady values is compiled, and named in the file and in the answer."""
    outputs = render(policy(rule("errors", "rate(errors_total[5m]) > 1"), rule("fine", "a > 1")))
    assert len(outputs.unproved) == 1
    assert "incident_response/errors" in str(outputs.unproved[0])
    assert b"# - rule incident_response/errors" in outputs.files["rules_test.yml"]


def test_how_many_rules_are_proved_is_said():
    """In the answer and at the head of the tests; what is proved in part counts, and what is not is named."""
    made = policy(rule("a", "a > 1"), rule("b", "rate(b_total[5m]) > 1"), rule("c", "avg_over_time(c[5m]) > 1"))
    outputs = render(made)
    assert outputs.proved == "2 of 3 rules proved"
    assert b"# 2 of 3 rules proved.\n" in outputs.files["rules_test.yml"]
    assert [(each.name, each.partly) for each in outputs.unproved] == [
        ("incident_response/b", False),
        ("incident_response/c", True),
    ]


def test_two_rules_of_one_name_that_differ_are_proved(promtool, tmp_path):
    """Their alerts have names of their own, so each is seen by itself."""
    made = policy(rule("same", "z > 1"), rule("same", "z > 2", section="two_incident_response"))
    assert write(made, tmp_path) == ()
    answer = promtool("test", "rules", "rules_test.yml", folder=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_without_watch_there_are_only_the_policys_rules(promtool, tmp_path):
    """Tocsin's own alerts can be left out."""
    write(policy(rule("margin", "a < 1")), tmp_path, watch=False)
    groups = yaml.safe_load((tmp_path / "rules.yml").read_text())["groups"]
    assert [group["name"] for group in groups] == ["tocsin:incident_response"]
    assert promtool("test", "rules", "rules_test.yml", folder=tmp_path).returncode == 0


def test_a_policy_without_rules_compiles(promtool, tmp_path):
    """Nothing to detect is no error: the watch is there, and proved."""
    write(policy(), tmp_path)
    assert promtool("test", "rules", "rules_test.yml", folder=tmp_path).returncode == 0


def test_rare_evaluations_are_proved_too(promtool, tmp_path):
    """Rules evaluated once an hour have their file; what watches Tocsin, which needs shorter ticks, gets its own."""
    write(policy(rule("rare", "a < 1", interval=Micros(60 * MINUTE))), tmp_path)
    assert sorted(path.name for path in tmp_path.glob("rules_test*")) == ["rules_test.yml", "rules_test_1m.yml"]
    for file in tmp_path.glob("rules_test*"):
        answer = promtool("test", "rules", file.name, folder=tmp_path)
        assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_same_bytes_whatever_the_hash_seed(tmp_path):
    """The same policy gives the same bytes in every process."""
    code = (
        "import hashlib, sys; from rules.load import load; from rules.outputs import render; from pathlib import Path\n"
        "files = render(load([Path(each) for each in sys.argv[1:]])).files\n"
        "print([(name, hashlib.sha256(content).hexdigest()) for name, content in files.items()])"
    )
    paths = [str(path) for path in sorted(SYSTEMS.glob("*.yaml"))]
    seen = {
        subprocess.run(
            [sys.executable, "-c", code, *paths],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            cwd=POLICIES.parent.parent,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(seen) == 1


def test_rules_that_share_no_metric_are_tested_at_once():
    """promtool evaluates every rule at every tick of every test: many rules must not make many tests."""
    many = policy(*(rule(f"r{n}", f"s{n} < 0.95") for n in range(300)))
    file = yaml.load(render(many).files["rules_test.yml"], yaml.CSafeLoader)
    assert len(file["tests"]) < 15


def test_no_path_of_this_machine_is_in_the_outputs():
    """What is compiled on one machine looks the same on another."""
    outputs = render(load([POLICIES / "guide.md"]))
    here = str(POLICIES.parent.parent).encode()
    assert not any(here in content for content in outputs.files.values())


def test_every_test_file_names_its_rules():
    """Test files find rules.yml beside them, and say at which interval they run."""
    from rules.compile import compile as compiled  # noqa: PLC0415 - shadows a builtin elsewhere

    tests = render_tests(compiled(replace(KINDS, incident_types=())))
    for content in tests.files.values():
        document = yaml.safe_load(content)
        assert document["rule_files"] == ["rules.yml"]
        assert {each["interval"] for each in document["tests"]} == {document["evaluation_interval"]}
