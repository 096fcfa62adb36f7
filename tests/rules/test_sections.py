"""Sections under sections: what is inherited, the guide by itself, and what cannot be."""

from pathlib import Path

import pytest

from receiver.core.model import Incident, Instant
from receiver.core.plan import PolicyVersion
from rules.load import PACKS, load, load_text
from rules.policy import MINUTE
from tests.rules.test_load_refusals import BASE, errors_of

GUIDE = Path(__file__).parents[1] / "policies" / "guide.md"
AVIATION, SAFETY, BUSINESS = (f"{name}_incident_response" for name in ("aviation_safety", "safety", "business"))


def checklists(policy, key, level=4):
    """The checklists that an incident of that rule or type may get."""
    incident = Incident("i", "k", "", level, "t", "t", Instant(0), Instant(0), rules={key: level})
    return [each.key for each in PolicyVersion.of(policy, "").checklists(incident)]


@pytest.mark.parametrize(
    ("key", "own"),
    [
        (f"{AVIATION}/engine_failure", "aviation_emergency_response"),
        ("incident_response/safety_critical_failure", "safety_emergency_response"),
    ],
)
def test_the_guides_safety_procedures_reach_what_it_puts_under_safety(key, own):
    """Aviation incidents, and safety_critical_failure alone, get the investigation and so the evidence preserved."""
    found = checklists(load([GUIDE]), key)
    assert {"safety_emergency_response", "safety_investigation"} <= set(found)
    assert next(each for each in found if each != "immediate_actions") == own


@pytest.mark.parametrize("key", [f"{BUSINESS}/revenue_loss", "incident_response/slo_violation", "Stranger"])
def test_other_incidents_have_no_safety_procedures(key):
    """What the guide does not put under safety stays as it was."""
    assert not [each for each in checklists(load([GUIDE]), key, 3) if "safety" in each]


def test_a_section_inherits_from_the_one_it_extends():
    """Procedures, and the threshold that its conditions must repeat."""
    text = BASE + (
        "safety_incident_response:\n  critical_threshold: 0.95\n"
        "  procedures: [{name: evidence, steps: [Keep it]}]\n"
        "rail_incident_response:\n  extends: safety_incident_response\n"
        '  detection: [{name: brakes, condition: "safety_margin < 0.9", severity: 4}]\n'
        "tram_incident_response:\n  extends: rail_incident_response\n"
        "  incidents: [{name: derailed, severity: 4}]\n"
    )
    loaded = load_text(text)
    assert "evidence" in checklists(loaded.policy, "rail_incident_response/brakes")
    assert "evidence" in checklists(loaded.policy, "tram_incident_response/derailed")
    assert "critical-threshold" in [each.name for each in loaded.warnings if '"brakes" compares' in each.message]


def test_a_section_can_stand_alone():
    """`extends: incident_response` puts a section of the guide's under no other."""
    text = "aviation_safety_incident_response: {extends: incident_response, incidents: [{name: stall, severity: 4}]}\n"
    policy = load_text(BASE + "safety_incident_response: {procedures: [{name: p, steps: [x]}]}\n" + text).policy
    assert "p" not in checklists(policy, f"{AVIATION}/stall")


def test_a_section_of_ones_own_is_under_what_it_says_only():
    """A name that ends like one of the guide's puts a section of one's own under nothing."""
    text = "safety_incident_response: {procedures: [{name: p, steps: [x]}]}\n"
    own = "rail_safety_incident_response: {incidents: [{name: derailed, severity: 4}]}\n"
    policy = load_text(BASE + text + own).policy
    assert "p" not in checklists(policy, "rail_safety_incident_response/derailed")


def test_a_section_that_is_switched_off_gives_nothing():
    """`enabled: false` of the upper section takes its procedures from those below too."""
    text = "safety_incident_response: {enabled: false, procedures: [{name: p, steps: [x]}]}\n"
    policy = load_text(BASE + text + f"{AVIATION}: {{incidents: [{{name: stall, severity: 4}}]}}\n").policy
    assert "p" not in checklists(policy, f"{AVIATION}/stall")


WRONG = {
    "an unknown section": (
        f"{AVIATION}: {{extends: safty_incident_response}}\n",
        "there is no section `safty_incident_response`",
    ),
    "itself": ("x_incident_response: {extends: x_incident_response}\n", "would be under itself"),
    "in a circle": (
        "a_incident_response: {extends: b_incident_response}\nb_incident_response: {extends: a_incident_response}\n",
        "a_incident_response under b_incident_response under a_incident_response",
    ),
}


@pytest.mark.parametrize(("text", "says"), WRONG.values(), ids=WRONG)
def test_what_a_section_cannot_extend_is_refused_with_a_caret(text, says):
    """An unknown section, itself, a circle: the error points at `extends`."""
    problems = errors_of(BASE + text)
    assert says in " ".join(each.message for each in problems)
    for problem in problems:
        assert problem.source[problem.column - 1 :].startswith("extends")


def test_every_pack_of_obligations_is_sound_beside_the_guide_and_alone():
    """The examples for aviation, NIS2 and the AI Act load; each names its source, and counsel."""
    for file in sorted((PACKS / "obligations").glob("*.yaml")):
        for policy in (load([GUIDE, file]), load([file])):
            assert policy.reporting_obligations
            for each in policy.reporting_obligations:
                assert "Regulation (EU)" in each.source or "Directive (EU)" in each.source
                assert "counsel" in each.note
    whole = load([GUIDE, PACKS / "obligations"])
    within = {f"{o.name}/{s.name}": s.within // MINUTE // 60 for o in whole.reporting_obligations for s in o.stages}
    assert (within["aviation_occurrence/occurrence_report"], within["nis2/early_warning"]) == (72, 24)
    months = {f"{o.name}/{s.name}": s.months for o in whole.reporting_obligations for s in o.stages if s.months}
    assert (within["nis2/notification"], months) == (72, {"nis2/final_report": 1, "aviation_analysis/final_results": 3})
    assert [within[f"ai_{each}/report"] for each in ("serious_incident", "critical_infrastructure", "death")] == [
        15 * 24,
        2 * 24,
        10 * 24,
    ]
