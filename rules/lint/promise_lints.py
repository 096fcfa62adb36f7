"""Lints about promises in messages: a contact, updates at an interval, an approver who is told about a waiting notice.

`rules.lint.document_lints` calls `find`. A policy without its own texts and without an external group makes no
promises.
"""

from collections.abc import Iterator

from rules.document import PolicyDocument
from rules.durations import as_spelled
from rules.lint_catalog import doubt
from rules.nodes import Node
from rules.placeholders import TemplateError
from rules.policy import Place, Policy
from rules.problems import Problem
from rules.rendering import placeholders
from rules.validate import place_of

TEXTS = ("initial_alert_template", "status_update_template", "resolution_template")


def find(policy: Policy, document: PolicyDocument, root: Node) -> Iterator[Problem]:
    """All such doubts."""
    promised = _promised(policy, document, root)
    if "contact_information" in promised and not policy.contact_information:
        message = 'a template tells {contact_information}, and the policy has none: it will read "not yet known"'
        yield doubt("contact-not-given", promised["contact_information"], message)
    silent = [level for level in policy.levels if level.update_interval is None]
    if "update_interval" in promised and silent:
        said = ", ".join(
            f"level {level.level}: {as_spelled(level.response_time, policy.spellings)}" for level in silent
        )
        message = f"a template promises updates every {{update_interval}}, and no `update_interval` is set: {said}"
        yield doubt("update-interval-not-given", promised["update_interval"], message)
    yield from _approvers(policy, root)


def _promised(policy: Policy, document: PolicyDocument, root: Node) -> dict[str, Place]:
    """The placeholders that the texts name, each with the place of the first such text."""
    usual = (policy.templates.initial, policy.templates.update, policy.templates.resolution)
    is_told_outside = any(group.external for group in policy.stakeholders)
    texts = [
        (f"{each.subject}\n{each.body}", place_of(root, key))
        for key, each in zip(TEXTS, usual, strict=True)
        if is_told_outside or getattr(document, key) is not None
    ]
    for index, group in enumerate(policy.stakeholders):
        own = zip(TEXTS, (group.initial, group.update, group.resolution), strict=True)
        way = ("stakeholder_notification", index)
        texts += [(f"{each.subject}\n{each.body}", place_of(root, *way, key)) for key, each in own if each is not None]
    found: dict[str, Place] = {}
    for text, place in texts:
        for name in _named(text):
            found.setdefault(name, place)
    return found


def _named(text: str) -> tuple[str, ...]:
    try:
        return placeholders(text)
    except TemplateError:
        return ()  # reported where it is read


def _approvers(policy: Policy, root: Node) -> Iterator[Problem]:
    for index, group in enumerate(policy.stakeholders):
        inside = any(not each.external and each.from_level <= group.from_level for each in policy.stakeholders)
        if group.external and not group.approvers and not inside:
            message = f'nobody is told that a notice to "{group.name}" waits: name `approvers`, or an internal group'
            yield doubt("notice-without-approver", place_of(root, "stakeholder_notification", index), message)
