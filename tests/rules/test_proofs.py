"""What the generated tests prove, over a corpus of conditions as people write them."""

import os
from collections import Counter
from pathlib import Path

import pytest
import yaml

from rules.condition import parse
from rules.expression import syntax
from rules.lint_catalog import DOUBTS
from rules.load import load_text
from rules.outputs import render
from rules.policy import HOUR, MINUTE, SECOND, Micros
from rules.promtool.boundary_values import pairs
from tests.rules.corpus import (
    FUNCTIONS,
    NATIVE,
    NEWER_FUNCTIONS,
    NOT_NATIVE,
    NOT_PROVED,
    PROVED,
    conditions,
    of_functions,
)
from tests.rules.policies import policy, rule, write

EVERY = (MINUTE, SECOND)
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


def test_what_would_take_promtool_minutes_is_not_proved():
    """A `for` of a week is proved at one evaluation a minute, not at one a second: it is said how many that are."""
    made = policy(
        *(rule(f"r{every}", f"m{every} > 1", hold=Micros(7 * 24 * HOUR), interval=Micros(every)) for every in EVERY)
    )
    (left,) = render(made).unproved
    assert (left.name, left.partly) == (f"incident_response/r{SECOND}", False)
    assert left.reason.startswith("it waits for 604,872 evaluations")


def test_the_boundary_is_close():
    """Where the numbers of a condition are far from its boundary, the values fed are within a thousandth of it."""
    for text in ("1 - free / size > 0.9", "bytes / 1e9 < 5", "sum(bad_total) / 60 > 3", "size ^ 2 > 100"):
        made = parse(text)
        for pair in pairs(syntax(made.expr), made.sources):
            gaps = [abs(bad - pair.good[each]) / max(1, abs(bad)) for each, bad in pair.bad.items()]
            assert 0 < max(gaps) <= 1e-3, (text, pair)


def test_every_function_is_proved_or_said_not_to_be(each_promtool, tmp_path):
    """A condition of every function that both have: promtool passes what is called proved, and nothing is lost."""
    rules = [rule(name, condition) for name, condition in of_functions(FUNCTIONS)]
    write(policy(*rules), tmp_path, watch=False)
    answer = each_promtool("test", "rules", "rules_test.yml", folder=tmp_path)
    assert answer.returncode == 0, (answer.stdout + answer.stderr)[:4000]


def test_native_histograms_are_proved_on_3(newest_promtool, tmp_path):
    """Average, sum and count of a metric's own native histograms are proved where a rule needs Prometheus 3; what is
    made of histograms is not, nor does it break the others.
    """
    rules = [rule(name, condition, threshold=2) for name, condition in conditions(NATIVE | NOT_NATIVE)]
    write(policy(*rules), tmp_path, watch=False)
    left = render(policy(*rules)).unproved
    assert {each.name.rpartition("/")[2] for each in left} == {name for name, _ in conditions(NOT_NATIVE)}
    answer = newest_promtool("test", "rules", "rules_test.yml", folder=tmp_path)
    assert answer.returncode == 0, (answer.stdout + answer.stderr)[:4000]


def test_native_histograms_are_not_fed_to_2(each_promtool, tmp_path):
    """Where no rule needs Prometheus 3, and where two alerts of one name read them, they are not proved, and said so."""
    older = [rule(name, condition) for name, condition in conditions(NATIVE) if "_avg" not in condition]
    left = write(policy(rule("plain", "margin < 1"), *older), tmp_path, watch=False)
    assert len(left) == len(older) > 0
    assert all("no rule needs Prometheus 3" in each for each in left)
    answer = each_promtool("test", "rules", "rules_test.yml", folder=tmp_path)
    assert answer.returncode == 0, (answer.stdout + answer.stderr)[:4000]
    namesakes = [rule(name, condition, alert="One") for name, condition in conditions(NATIVE)[:2]]
    assert all("another alert is called One" in each.reason for each in render(policy(*namesakes)).unproved)


PAGE = Path(__file__).parents[2] / "docs" / "proofs.md"
HEAD = """# What the tests prove

`tocsin compile` writes tests for `promtool test rules` beside the rules. Each proved rule alerts just beyond the boundary of its condition
after just enough failures, not just before it, and resolves. A small evaluator of Tocsin's own finds the values, so that the same policy
gives the same bytes everywhere; promtool then checks them. What it does not model exactly is *not proved*: said by rule and with the
reason, by `compile`, by `check -v` and in `rules_test.yml`. [`compile --verify`](ci.md) searches proofs of such rules with promtool.

The tables are made by a test from conditions of the shapes that people run, and hold for promtool 2.42 and 3.5 (November 2026). Native
histograms are proved where a rule needs Prometheus 3 (`histogram_avg`, a quoted name …), because promtool 2.42 cannot be fed any.
"""


def test_the_page_tells_what_is_proved():
    """docs/proofs.md has every kind of condition of the corpus and every function, as it is (REWRITE_GOLDEN=1 writes it)."""
    made = "".join([HEAD, *_kinds(), *_functions(), *_lints()])
    if os.environ.get("REWRITE_GOLDEN"):
        PAGE.write_text(made)
    assert PAGE.read_text() == made
    assert len(conditions(PROVED | NOT_PROVED)) + len(FUNCTIONS) >= 300


WAITS = ({}, {"for": "30s"}, {"for": "2m"}, {"for": "5m", "keep_firing_for": "20s"})
SCRAPED = ("15s", "30s", "1m", "5m")
JUDGED: dict[str, str] = {
    "cannot-fire": "right: one sample is no rate",
    "compared-metrics": "a note: all these comparisons of two metrics are meant",
    "differs-on-3": "a note: right, and of no consequence for most thresholds",
    "keeps-too-short": "right: nothing comes within `keep_firing_for`",
    "one-bad-sample": "right: the wait covers no second sample",
    "vanishes-between-scrapes": "right: without a value for moments, `absent()` fires, others end",
}
"""What became of a sample of ten of each, read by a person."""


def _lints():
    yield "\n## Lints of ranges, waits and comparisons\n\n"
    yield "On the corpus, each rule looked at every 30 s and, in turn, with no `for`, 30 s, 2 m, and 5 m with `keep_firing_for: 20s`.\n\n"
    yield f"| lint | severity | {' | '.join(f'scraped every {each}' for each in SCRAPED)} | judged: ten of them, or all |\n"
    yield f"|---|---|{'---|' * len(SCRAPED)}---|\n"
    counts = [_found(every) for every in SCRAPED]
    assert set().union(*counts) == set(JUDGED)
    for name, said in JUDGED.items():
        yield f"| `{name}` | {DOUBTS[name].severity} | {' | '.join(str(each[name]) for each in counts)} | {said} |\n"


def _found(scraped):
    """How often each lint of a rule speaks in a policy of the corpus."""
    rules = [
        {
            "name": name,
            "condition": text,
            "severity": 3,
            "channels": ["e"],
            "check_interval": "30s",
            **WAITS[number % 4],
        }
        for number, (name, text) in enumerate((*conditions(PROVED | NOT_PROVED), *of_functions(FUNCTIONS)))
    ]
    channels = [{"name": "e", "type": "email", "recipients": ["a@example.org"]}]
    document = {
        "scrape_interval": scraped,
        "incident_response": {"alert_channels": channels, "detection": {"rules": rules}},
    }
    loaded = load_text(yaml.safe_dump(document, sort_keys=False))
    return Counter(each.name for each in (*loaded.warnings, *loaded.notes) if each.line > 1 and '"' in each.message)


def _kinds():
    yield "\n## By kind\n\n| kind | conditions | proved | in part | not proved | such as |\n|---|---|---|---|---|---|\n"
    for kind, some in (PROVED | NATIVE | NOT_PROVED | NOT_NATIVE).items():
        left = render(policy(*(rule(*each) for each in conditions({kind: some})))).unproved
        none = {each.name for each in left if not each.partly}
        part = {each.name for each in left if each.partly} - none
        shown = some[0].replace("@", "").replace("|", "\\|")
        yield f"| {kind} | {len(some)} | {len(some) - len(none | part)} | {len(part)} | {len(none)} | `{shown}` |\n"


def _functions():
    yield "\n## By function\n\n| function | condition | proved | why not |\n|---|---|---|---|\n"
    every = FUNCTIONS | NEWER_FUNCTIONS
    left = render(policy(*(rule(*each) for each in of_functions(every)))).unproved
    told = {each.name.rpartition("/")[2]: each for each in left if each.kind == "rule"}
    for name, text in sorted(every.items()):
        found = told.get(name)
        verdict, why = ("yes", "") if found is None else ("in part" if found.partly else "no", found.reason)
        newer = ", Prometheus 3" if name in NEWER_FUNCTIONS else ""
        yield f"| `{name}`{newer} | `{text.replace('@', '')}` | {verdict} | {why} |\n"
