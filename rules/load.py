"""Policy files → Policy: the entry point of the policy language for the command line and the receiver.

Reports all problems in all files at once, each with its line; a returned Policy is complete.

>>> policy = load([Path("policy.yaml")])          # or a folder, Markdown, several; none: the shipped packs
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path

from rules import lost_labels, slo
from rules.calendar_files import with_calendars
from rules.document import RESPONSE, PolicyDocument, is_section
from rules.document.values import Vocabulary
from rules.durations import spellings
from rules.lint import document_lints
from rules.lint_catalog import without_allowed
from rules.meaning import USUAL_WORDS, interpret
from rules.merge import find_repeats, merge
from rules.nodes import Mark, Node, mapping
from rules.policy import BASIC, CRITICAL, Policy
from rules.problems import PolicyError, Problem
from rules.prometheus_versions import VERSIONS
from rules.scraping import Scraping
from rules.source import Sources, read, read_packs
from rules.system import System
from rules.systems import is_system, read_systems, unit_conflicts
from rules.validate import unknown_sections, validate

OBLIGATIONS = "reporting_obligations"
"""The section with optional shipped files: `rules/packs/obligations`."""

PACKS = Path(str(files("rules"))) / "packs"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A policy, and its warnings."""

    policy: Policy
    warnings: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    """Remarks on what is probably intended (``check -v``)."""
    allowed: Mapping[str, str] = field(default_factory=dict)
    """Lints that the policy allows, with the reason."""


def load(paths: Sequence[Path] = ()) -> Policy:
    """The policy in these files and folders; without any, the shipped packs.

    Raises PolicyError with every problem.
    """
    return load_with_warnings(paths).policy


def load_with_warnings(
    paths: Sequence[Path] = (), prometheus: str | None = None, scraping: Scraping | None = None
) -> Loaded:
    """The policy, and the warnings that `tocsin check` shows. Raises PolicyError like `load`.

    `prometheus`: overrides the policy's own `prometheus:`, `scraping` its `scrape_interval:`.
    """
    return _understand(read(paths) if paths else read_packs(PACKS), prometheus, scraping)


def load_text(text: str, path: str = "<text>") -> Loaded:
    """The policy in a text: Markdown if the path ends in ``.md``, else YAML. Raises PolicyError."""
    sources = Sources()
    sources.add(path, text)
    return _understand(sources)


def _understand(sources: Sources, prometheus: str | None = None, scraping: Scraping | None = None) -> Loaded:
    complete = not sources.problems
    documents, systems = _split(sources)
    for each in documents:
        find_repeats(each, sources.problems)
    root = merge(documents, sources.problems) or mapping(Mark("", 0, 0), {}, {})
    sources.problems += unknown_sections(root)
    root = _only(root, is_section)
    if prometheus is not None:
        root = _for_prometheus(root, prometheus)
    vocabulary = replace(_vocabulary(root), complete=complete)
    document = validate(PolicyDocument, root, vocabulary, sources)
    sources.problems += _empty_values(root, {(problem.path, problem.line) for problem in sources.problems})
    default_level = document.default_severity if document and document.default_severity else CRITICAL
    watched, unused = read_systems(systems, vocabulary, default_level, sources)
    # If a file could not be read, do not report what it may define as missing.
    policy = _policy(document, root, vocabulary, watched, sources, scraping) if document and complete else None
    if policy:
        sources.problems += (*unit_conflicts(systems, policy), *lost_labels.find(policy, root, sources))
    allowed = dict(document.lints.allow) if document else {}
    problems = list(without_allowed(_in_order(sources), allowed))
    warnings = tuple(problem for problem in problems if problem.severity != "note")
    if policy is None or any(problem.severity == "error" for problem in problems):
        raise PolicyError(warnings)
    notes = tuple(problem for problem in problems if problem.severity == "note")
    return Loaded(replace(policy, unused=unused), warnings, notes, allowed)


def _for_prometheus(root: Node, version: str) -> Node:
    mark = Mark("--prometheus", 0, 0)
    entries = {**root.entries(), "prometheus": Node(mark, version, version)}
    return mapping(root.mark, entries, {**root.keys, "prometheus": mark})


def _in_order(sources: Sources) -> list[Problem]:
    """The problems with their source lines, by file in reading order."""
    order = {path: index for index, path in enumerate(sources.lines)}
    shown = (replace(problem, source=sources.line(problem.path, problem.line)) for problem in sources.problems)
    return sorted(shown, key=lambda problem: (order.get(problem.path, -1), problem.line, problem.column))


def _policy(
    document: PolicyDocument,
    root: Node,
    vocabulary: Vocabulary,
    systems: tuple[System, ...],
    sources: Sources,
    scraping: Scraping | None,
) -> Policy:
    defaults, tree = _defaults() if _incomplete(document) else (document, root)
    policy = interpret(document, root, defaults, vocabulary.severities)
    policy = replace(policy, spellings=spellings((*root.texts(), *tree.texts())))
    policy = with_calendars(policy, root, sources.problems)
    policy = _with_systems(policy, systems, sources)
    sources.problems += document_lints.find(policy, document, root, scraping)
    return policy


def _with_systems(policy: Policy, systems: tuple[System, ...], sources: Sources) -> Policy:
    """Add the meaning of framework systems' SLOs and thresholds; the policy's own elements take precedence."""
    if not systems:
        return policy
    channels = {level.level: policy.level_channels(level.level) for level in policy.levels}
    added = slo.expand(systems, channels)
    sources.problems += added.problems
    own = {signal.name for signal in policy.signals}
    return replace(
        policy,
        rules=(*policy.rules, *added.rules),
        recordings=(*policy.recordings, *added.recordings),
        signals=(*policy.signals, *(signal for signal in added.signals if signal.name not in own)),
        incident_types=(*policy.incident_types, *added.incident_types),
    )


def _split(sources: Sources) -> tuple[list[Node], list[Node]]:
    """The policy documents, and the framework system documents (whose policy sections count as policy)."""
    policies, systems = [], []
    for document in sources.documents:
        if not is_system(document):
            policies.append(document)
            continue
        systems.append(_only(document, lambda key: not is_section(key)))
        sections = _only(document, is_section)
        if sections.entries():
            policies.append(sections)
    lacking = _lacks_policy(policies, systems)
    if lacking and not sources.problems:
        packs = read_packs(PACKS)
        mark = (systems or policies)[0].mark
        message = f"only {lacking} here, no policy: who is told, and when, is as in the shipped packs"
        sources.problems.append(Problem(*mark, message, "warning"))
        sources.lines |= packs.lines
        policies = [*packs.documents, *policies]
    return policies, systems


def _lacks_policy(policies: Sequence[Node], systems: Sequence[Node]) -> str:
    """The parts that are present without a policy; empty: there is a policy."""
    keys = {key for each in policies for key in each.entries() if not key.startswith("x-")}
    if not keys:
        return "systems" if systems else ""
    beside = {key for key in keys if key == OBLIGATIONS or (key.endswith(RESPONSE) and key != BASIC)}
    return "reporting obligations" if OBLIGATIONS in keys and keys == beside else ""


def _only(node: Node, wanted: Callable[[str], bool]) -> Node:
    entries = {key: entry for key, entry in node.entries().items() if wanted(key)}
    return mapping(node.mark, entries, {key: node.keys[key] for key in entries})


def _vocabulary(root: Node) -> Vocabulary:
    """The names that values may refer to, from the tree, so that references are checked despite other errors."""
    basic = root.entries().get(BASIC, root)
    channels = frozenset(item.entries()["name"].raw for item in _list(basic, "alert_channels") if item.child("name"))
    severities = dict(USUAL_WORDS)
    classification = basic.child("classification")
    for item in _list(classification, "severity_levels") if classification else ():
        name, number = item.child("name"), item.child("level")
        if name and number and isinstance(number.value, int):
            severities[name.raw.lower()] = number.value
    for word, node in root.entries().get("severity_aliases", root).entries().items():
        if isinstance(node.value, int) and "severity_aliases" in root.entries():
            severities[word.lower()] = node.value
    for each in _list(root, "severities"):
        words = each.child("map")
        if words and not each.child("source"):
            levels = ((word.lower(), node.value) for word, node in words.entries().items())
            severities |= {word: level for word, level in levels if isinstance(level, int)}
    version = root.child("prometheus")
    prometheus = version.raw if version and version.raw in VERSIONS else None
    return Vocabulary(channels, severities, *_who(root), prometheus, _types(basic))


def _who(root: Node) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    """The people with their contacts' types, and the schedules."""
    people, schedules = ([each for each in _list(root, key) if each.child("name")] for key in ("people", "schedules"))
    contacts = {each.entries()["name"].raw: each.child("contacts") for each in people}
    types = {name: frozenset(node.entries() if node else ()) for name, node in contacts.items()}
    return types, frozenset(each.entries()["name"].raw for each in schedules)


def _types(basic: Node) -> dict[str, str]:
    channels = (each.entries() for each in _list(basic, "alert_channels"))
    return {each["name"].raw: each["type"].raw for each in channels if "name" in each and "type" in each}


def _list(node: Node, key: str) -> list[Node]:
    child = node.child(key)
    return child.items() if child else []


def _empty_values(node: Node, known: set[tuple[str, int]]) -> Iterator[Problem]:
    """Keys without a value: it was forgotten, or an unquoted # made it a comment."""
    for key, entry in node.entries().items():
        mark = node.keys[key]
        if entry.value is None and (mark.path, mark.line) not in known and not key.startswith("x-"):
            yield Problem(*mark, f"`{key}` is empty (an unquoted # begins a comment)")
    for child in (*node.entries().values(), *node.items()):
        yield from _empty_values(child, known)


def _incomplete(document: PolicyDocument) -> bool:
    """Whether the document lacks something that every policy needs and the packs contain."""
    classification = document.incident_response.classification
    templates = (document.initial_alert_template, document.status_update_template, document.resolution_template)
    if None in templates or classification is None or len(classification.severity_levels) < 4:
        return True
    return any(spec.is_silent for spec in classification.severity_levels)


@functools.cache
def _defaults() -> tuple[PolicyDocument, Node]:
    """The defaults of a policy: the shipped packs."""
    sources = read_packs(PACKS)
    root = merge(sources.documents, sources.problems)
    document = validate(PolicyDocument, root, _vocabulary(root), sources) if root else None
    if root is None or document is None or sources.problems:
        raise PolicyError(sources.problems)
    return document, root
