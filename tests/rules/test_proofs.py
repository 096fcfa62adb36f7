"""What the generated tests prove, over a corpus of conditions as people write them."""

import pytest

from rules.condition import parse
from rules.expression import syntax
from rules.outputs import render
from rules.promtool.boundary_values import pairs
from tests.rules.corpus import NOT_PROVED, PROVED, conditions
from tests.rules.policies import policy, rule, write

BLURRED = "it looks back over a window"


def test_what_is_called_proved_passes(each_promtool, tmp_path):
    """All conditions of the corpus in one policy: promtool passes every test, and what should be proved is proved."""
    rules = [rule(name, condition) for name, condition in conditions(PROVED)]
    unproved = write(policy(*rules), tmp_path, watch=False)
    assert [each for each in unproved if BLURRED not in each] == []
    answer = each_promtool("test", "rules", "rules_test.yml", folder=tmp_path)
    assert answer.returncode == 0, (answer.stdout + answer.stderr)[:4000]


@pytest.mark.parametrize(("name", "condition"), conditions(NOT_PROVED))
def test_what_is_not_proved_is_named(name, condition):
    """A condition that depends on more than steady values is named with the reason; the others' proofs stay."""
    unproved = render(policy(rule(name, condition), rule("fine", "well > 1"))).unproved
    assert [each.name for each in unproved] == [f"incident_response/{name}"]


def test_not_proved_does_not_break_the_proofs(each_promtool, tmp_path):
    """The tests of a policy whose rules are not proved pass: promtool evaluates them beside the others."""
    write(policy(*(rule(*each) for each in conditions(NOT_PROVED))), tmp_path)
    answer = each_promtool("test", "rules", "rules_test.yml", folder=tmp_path)
    assert answer.returncode == 0, (answer.stdout + answer.stderr)[:4000]


def test_the_boundary_is_close():
    """Where the numbers of a condition are far from its boundary, the values fed are within a thousandth of it."""
    for text in ("1 - free / size > 0.9", "bytes / 1e9 < 5", "sum(bad_total) / 60 > 3", "size ^ 2 > 100"):
        made = parse(text)
        for pair in pairs(syntax(made.expr), made.sources):
            gaps = [abs(bad - pair.good[each]) / max(1, abs(bad)) for each, bad in pair.bad.items()]
            assert 0 < max(gaps) <= 1e-3, (text, pair)
