"""docs/states.md and its drawing: the states of an incident, from the results of `manual.walks`."""

from collections.abc import Iterator, Mapping
from html import escape

from manual.walks import NOBODY, Changes
from receiver.core.model import Recovery, State

HEAD = """# The states of an incident

Made by trying every event on every kind of incident with the code that decides (`python -m manual`; a test keeps it
so). [How it works](how-it-works.md) explains the reasons.

![The states of an incident](images/states.svg)

| | from | to | what leads there |
|---|---|---|---|
"""
RECOVERY = """
While an incident is open or acknowledged and none of its alerts fires any more, its recovery goes its own way: a
resolve is a claim until it has been verified. Where its source has a heartbeat, "no longer reported" becomes
"verifying" as soon as one comes that was evaluated after the end.

| from | to | what leads there |
|---|---|---|
"""
MEANING: Mapping[str, str] = {
    Recovery.NONE: "it fires",
    Recovery.UNREPORTED: "no longer reported",
    Recovery.VERIFYING: "verifying",
    Recovery.CHECKING: "checking: Prometheus is asked",
    Recovery.CONFIRM: "a person must confirm",
    Recovery.UNVERIFIED: "recovery unverified",
    State.RESOLVED: "resolved",
}
QUIET: Mapping[str, str] = {
    "AddFollowUp": "a follow-up action",
    "FinishFollowUp": "a follow-up action that is done",
    "ApproveNotice": "an approved notice",
    "EditNotice": "a notice that is written anew",
    "RejectNotice": "a rejected notice",
    "ApproveReport": "an approved report",
    "AttachFile": "an evidence file",
    "RedactFile": "evidence whose content is removed",
    "OpenRoom": "a channel of its own",
    "PlaceHold": "a legal hold",
    "ReleaseHold": "the end of a legal hold",
    "WithdrawFiling": "a filing that was recorded by mistake",
    "JudgeObligation": "whether an authority must be told",
    "Arrived": "a message that proves to have arrived",
    "Bounced": "a message that bounces",
    "RosterChanged": "an override of a schedule",
    "Relieved": "a page for a person who is off call by now",
    "Reported": "what became of a message",
    "Handover": "a handover",
    "Assign": "a role that a person takes",
    "Note": "a note",
    "Escalate": "a call for help with an acknowledged incident",
    "Withdraw": "a call for help that is withdrawn",
    "Update": "a status update",
    "Silenced": "a silence in Alertmanager, or its end",
    "SilenceAnswered": "what became of a silence for an acknowledgement",
    "TrainingRead": "who is to practise again",
    "Unheard": "that nobody repeats its alerts",
    "Replan": "the move to another policy",
    "Tick": "a ticked step",
    "SignOff": "a signature of a second person",
}
PLACES = {NOBODY: 24, State.OPEN: 110, State.ACKNOWLEDGED: 330, State.RESOLVED: 570, State.CLOSED: 790}
"""The left edge of each state's box."""
WIDTH, TOP, HEIGHT = 130, 130, 46
STYLE = """
  text { font: 15px sans-serif; fill: #37474f; text-anchor: middle }
  rect { fill: #eceff1; stroke: #546e7a; stroke-width: 1.5 }
  path { fill: none; stroke: #546e7a; stroke-width: 1.5 }
  .tip, .start { fill: #546e7a; stroke: none }
  .number { font-size: 13px; font-weight: bold }
  @media (prefers-color-scheme: dark) {
    text { fill: #cfd8dc } rect { fill: #37474f; stroke: #b0bec5 } path { stroke: #b0bec5 }
    .tip, .start { fill: #b0bec5 }
  }
"""


def page(changes: Changes) -> str:
    """The page with both tables."""
    rows = "".join(
        f"| {number} | {_state(start)} | {_state(end)} | {'; '.join(causes)} |\n"
        for number, ((start, end), causes) in enumerate(changes.states.items(), 1)
    )
    recoveries = "".join(
        f"| {MEANING[start]} | {MEANING[end]} | {'; '.join(causes)} |\n"
        for (start, end), causes in changes.recoveries.items()
    )
    quiet = ", ".join(sorted(QUIET[name] for name in changes.quiet))
    return f"{HEAD}{rows}\nThese never change the state: {quiet}.\n{RECOVERY}{recoveries}{TAIL}"


TAIL = """
From "verifying" and "checking" it depends on the level (`resolution: confirmed` wants a person) and on what could have
proved the recovery: without a heartbeat, or where a missing-data twin was the last to clear, it stays unverified even
if Prometheus says that all is well. So it does where an alert ended because its sender has nothing to measure any
more. A level with `confirmations: 2` resolves at the second person's word.

A resolved incident that could not close for want of something ([policy: `closing`](policy.md#closing)) closes with what
brings the last of it: a fact, a ticked step, a signature.

An alert of level 0 opens an incident that is `resolved` from the start, and about which nobody is told.
"""


def _state(state: str) -> str:
    return f"`{state}`" if state else "–"


def drawing(changes: Changes) -> str:
    """The states as boxes, the changes as numbered arrows: forward ones above, backward ones below."""
    boxes = "".join(_box(state, left) for state, left in PLACES.items() if state)
    arrows = "".join(_arrow(start, end, number) for number, (start, end) in enumerate(changes.states, 1))
    start = f'<circle class="start" cx="{PLACES[NOBODY]}" cy="{TOP + HEIGHT // 2}" r="7"/>\n'
    title = "<title>The states of an incident; the table below the picture says what each number is</title>"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 940 {2 * TOP + HEIGHT}" role="img">'
    return f"{head}\n{title}\n<style>{STYLE}</style>\n{start}{boxes}{arrows}</svg>\n"


def _box(state: str, left: int) -> str:
    words = f'<text x="{left + WIDTH // 2}" y="{TOP + HEIGHT // 2 + 5}">{escape(state)}</text>'
    return f'<rect x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" rx="8"/>{words}\n'


def _arrow(start: str, end: str, number: int) -> str:
    """Straight to the right neighbour; in a bow over intermediate states; in a bow below if it leads back."""
    order = list(PLACES)
    distance = order.index(end) - order.index(start)
    middle = TOP + HEIGHT // 2
    if distance == 1:
        left = PLACES[start] + (WIDTH if start else 10)
        right = PLACES[end]
        return _path(
            f"M{left} {middle}H{right - 8}", (right, middle), (-8, 0), ((left + right) // 2 - 4, middle - 9), number
        )
    above = distance > 0
    edge = TOP if above else TOP + HEIGHT
    bow = -1 if above else 1
    begin = PLACES[start] + WIDTH // 2 + (20 if above else -20)
    finish = PLACES[end] + WIDTH // 2 + (-20 if above else 20)
    reach = edge + bow * 45 * abs(distance)
    curve = f"M{begin} {edge}C{begin} {reach} {finish} {reach} {finish} {edge + bow * 8}"
    top = edge + bow * int(0.75 * 45 * abs(distance)) + (-8 if above else 18)
    return _path(curve, (finish, edge), (0, bow * 8), ((begin + finish) // 2, top), number)


def _path(curve: str, tip: tuple[int, int], back: tuple[int, int], label: tuple[int, int], number: int) -> str:
    points = " ".join(f"{x},{y}" for x, y in _triangle(tip, back))
    words = f'<text class="number" x="{label[0]}" y="{label[1]}">{number}</text>'
    return f'<path d="{curve}"/><polygon class="tip" points="{points}"/>{words}\n'


def _triangle(tip: tuple[int, int], back: tuple[int, int]) -> Iterator[tuple[int, int]]:
    (x, y), (dx, dy) = tip, back
    yield x, y
    yield x + dx - dy // 2, y + dy - dx // 2
    yield x + dx + dy // 2, y + dy + dx // 2
