"""An incident that happened, as a promtool test: real promtool passes it, and fails it when the rule is gone."""

from dataclasses import replace

import pytest

from rules.load import load_text
from rules.policy import MINUTE, SECOND
from rules.promtool.incident_replay import Firing, RecordedSeries, relive
from tests.rules.policies import policy, rule, write

HOUR = 60 * MINUTE
KINDS = policy(
    rule("below", "safety_margin < 0.95", 4, threshold=3),
    rule("averaged", "avg_over_time(q[10m]) < 0.8", 3),
    rule("two", 'a > 1 and on () b{x="y"} < 2', 3, threshold=2),
    rule("hasty", "h > 1", 3, interval=10 * SECOND),
    rule("rated", "rate(errors_total[5m]) > 1", 3),
)


def firing(name, level=3, twin="", lasted=20 * MINUTE):
    """It fired an hour into the record."""
    return Firing(f"incident_response/{name}", level, twin, HOUR, HOUR + lasted if lasted else None)


def proved(promtool, folder, relived):
    """promtool's verdict on every file."""
    answers = []
    for interval, content in relived.files.items():
        (folder / f"{interval}.yml").write_bytes(content)
        answers.append(promtool("test", "rules", f"{interval}.yml", folder=folder))
    return answers


@pytest.mark.parametrize(
    ("alert", "kept"),
    [
        (firing("below", 4), [(minute, 0.93 if minute > 56 else 0.99) for minute in range(30, 61)]),
        (firing("below", 4), []),
        (firing("below", 4), [(30, 0.99), (60, 0.93)]),
        (firing("below", 4, lasted=0), []),
        (firing("averaged"), []),
        (firing("two"), []),
        (firing("hasty"), []),
        (firing("below", 4, twin="SafetyMarginSignalLost"), []),
    ],
    ids=["kept", "rebuilt", "too coarse", "still firing", "averaged", "two signals", "every 10 s", "lost"],
)
def test_what_alerted_alerts_again(promtool, tmp_path, alert, kept):
    """With the kept values or rebuilt ones promtool passes; with the rules' conditions out of reach it fails."""
    write(KINDS, tmp_path)
    courses = [
        RecordedSeries("safety_margin", (("unit", 'a "b", c'),), tuple((at * MINUTE, value) for at, value in kept))
    ]
    relived = relive(KINDS, "incident #1", [alert], courses)
    assert not relived.missing
    assert ("were kept with" in relived.notes[0]) is (len(kept) > 2)
    (answer,) = proved(promtool, tmp_path, relived)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    milder = [replace(each, level=1, missing_data=False) for each in KINDS.rules]
    write(replace(KINDS, rules=tuple(milder)), tmp_path)
    (answer,) = proved(promtool, tmp_path, relived)
    assert answer.returncode == 1


def test_what_cannot_be_tested_is_said():
    """An alert of a rule outside the policy and a rule whose values cannot be made up are named; no file is empty."""
    relived = relive(KINDS, "incident #1", [firing("rated"), firing("stranger")], [])
    assert not relived.files
    assert [each.split(":")[0] for each in relived.missing] == ["incident_response/rated", "incident_response/stranger"]


def test_the_guide_can_be_lived_again(promtool, tmp_path):
    """Every rule and type of a policy that promtool can prove is rebuilt, and passes."""
    loaded = load_text(
        "incident_response:\n  detection:\n    rules:\n"
        '      - {name: a, condition: "x > 1", severity: 2, channels: [email]}\n'
        "  alert_channels:\n    - {name: email, type: email, recipients: [a@b.example]}\n"
        "aviation_incident_response:\n  incidents:\n    - {name: engine_failure, severity: 4}\n",
        "policy.yaml",
    ).policy
    write(loaded, tmp_path)
    keys = [("incident_response/a", 2), ("aviation_incident_response/engine_failure", 4)]
    firings = [Firing(key, level, "", HOUR, 2 * HOUR) for key, level in keys]
    relived = relive(loaded, "incident #2", firings, [])
    assert not relived.missing
    for answer in proved(promtool, tmp_path, relived):
        assert answer.returncode == 0, answer.stdout + answer.stderr
