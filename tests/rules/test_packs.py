"""The shipped packs are the guide's configuration, split by subject, and nothing else."""

import re
from pathlib import Path

import pytest

from rules import stored
from rules.load import PACKS, load, load_text
from rules.nodes import same
from rules.policy import MINUTE, SECOND
from rules.source import read

POLICIES = Path(__file__).parents[1] / "policies"
GUIDE = POLICIES / "guide.md"


def test_the_packs_mean_what_the_guide_means():
    """Loading the guide and loading the packs give the same policy, the levels' prose included."""
    assert stored.digest(load()) == stored.digest(load([GUIDE]))


@pytest.mark.parametrize(
    ("words", "said"),
    [("name: critical", "Issues that significantly affect"), ("name: red", ""), ("name: critical, impact: Bad", "")],
)
def test_a_level_without_words_means_what_the_guide_says(words, said):
    """Of the guide's name, and with no word of its own; a level of another name is not explained by the guide."""
    level = f"{{level: 3, {words}, response_time: 1h, escalation_time: 30m}}"
    levels = (
        f"incident_response: {{classification: {{severity_levels: [{level}]}}, "
        "alert_channels: [{name: email, type: email, recipients: [a@example.org]}]}"
    )
    description = load_text(levels).policy.level(3).description
    assert description.startswith(said) if said else not description


def test_every_block_of_the_guide_stands_in_the_packs():
    """Block by block, each value of the guide is found verbatim in the packs' YAML."""
    documents, packs = read([GUIDE]).documents, read([PACKS]).documents
    assert len(documents) == 18

    def contained(part, whole):
        if isinstance(part.value, dict):
            return all(whole.child(key) and contained(node, whole.child(key)) for key, node in part.value.items())
        if isinstance(part.value, list) and all(isinstance(item.value, dict) for item in part.value):
            return len(part.value) == len(whole.items()) and all(map(contained, part.items(), whole.items()))
        return same(part, whole)

    for document in documents:
        assert any(contained(document, pack) for pack in packs), document.mark


def test_the_prose_of_the_levels_is_the_guides():
    """Description, impact and examples of each level are the guide's words."""
    text = GUIDE.read_text(encoding="utf-8")
    for level in load().levels:
        part = text.split(f"#### Level {level.level}: ")[1].split("####")[0]
        assert level.name == part.splitlines()[0].lower()
        assert f"- **Description**: {level.description}" in part
        assert f"- **Impact**: {level.impact}" in part
        written = re.search(r"- \*\*Examples\*\*: (.*)", part)[1].lower().split(", ")
        assert [example.lower() for example in level.examples] == written


def test_places_in_markdown_are_the_lines_of_the_markdown_file():
    """A rule read from the guide knows the line of the guide where its name stands."""
    lines = GUIDE.read_text(encoding="utf-8").splitlines()
    policy = load([GUIDE])
    for part in (*policy.rules, *policy.channels, *policy.incident_types):
        line = lines[part.place.line - 1]
        assert f'- name: "{part.name}"' in line
        assert line.index("name:") + 1 == part.place.column


def test_the_guides_numbers_arrive():
    """Spot checks, written out by hand from the guide: times, waits, ranges, durations, templates."""
    policy = load([GUIDE])
    assert [(level.response_time // MINUTE, level.escalation_time // MINUTE) for level in policy.levels] == [
        (1440, 720),
        (240, 120),
        (60, 30),
        (15, 5),
    ]
    waits = {rule.key: rule.waits // SECOND for rule in policy.rules}
    assert waits["incident_response/slo_violation"] == 120
    assert waits["safety_incident_response/safety_margin_violation"] == 0
    assert waits["business_incident_response/compliance_violation"] == 120
    conditions = {rule.key: rule.condition for rule in policy.rules}
    assert conditions["incident_response/compliance_violation"] == "compliance_violation_detected"
    assert conditions["business_incident_response/compliance_violation"] == "compliance_score < 0.95"
    assert policy.impact_scales[0].ranges == (
        ("low", 0.0, 0.05),
        ("medium", 0.05, 0.2),
        ("high", 0.2, 0.5),
        ("critical", 0.5, None),
    )
    assert [group.external for group in policy.stakeholders] == [False, True]
    assert policy.stakeholders[1].channels == ("email", "phone")
    assert policy.monitoring_duration == 24 * 60 * MINUTE
    assert policy.initial_response[0].time_limit == 15 * MINUTE
    assert policy.incident_type("engine_failure").immediate_actions[0] == "Activate engine failure procedures"
    assert policy.incident_type("production_stoppage").business_impact == "high"
    assert policy.safety_critical_threshold == 0.95
    assert policy.templates.update.subject == "INCIDENT UPDATE: {incident_id} - {status}"
    assert len(policy.reports.structure) == 9


@pytest.mark.parametrize("pack", sorted(path.name for path in PACKS.glob("*.yaml")))
def test_each_pack_loads_beside_the_basic_one(pack):
    """Each pack loads together with incident_response.yaml, so that people may take only what they need."""
    basic = PACKS / "incident_response.yaml"
    assert load([basic, PACKS / pack]).channels


def test_a_policy_survives_its_storage_exactly():
    """What the receiver stores and reads again is equal in every field, and so is its version."""
    policy = load([GUIDE, POLICIES / "systems"])
    again = stored.parse(stored.dump(policy))
    assert again == policy
    assert stored.dump(again) == stored.dump(policy)
    assert stored.digest(again) == stored.digest(policy)


def test_stored_bytes_that_are_no_policy_are_refused():
    """Reading back something else is a ValueError, not half a policy."""
    with pytest.raises(ValueError, match="levels"):
        stored.parse(b"{}")


def test_the_version_does_not_depend_on_lines():
    """A comment above everything moves all lines, and is the same version."""
    text = (PACKS / "incident_response.yaml").read_text(encoding="utf-8")
    moved = load_text("# one more line\n" + text).policy
    assert moved.rules[0].place != load_text(text).policy.rules[0].place
    assert stored.digest(moved) == stored.digest(load_text(text).policy)
