"""What became of messages: accepted, delivered, failed; whether a page reached its recipient."""

from receiver.core.model import Fact, Kind, Notification, Status
from tests.core.truth.on_call import told_whom
from tests.core.truth.record import Found, Record, statements

BECAME = {
    "waiting": Status.WAITING,
    "accepted": Status.ACCEPTED,
    "delivered": Status.DELIVERED,
    "overtaken, not sent": Status.SUPERSEDED,
    "failed": Status.GAVE_UP,
    "undeliverable": Status.UNDELIVERABLE,
}
TAKEN = frozenset({Status.ACCEPTED, Status.DELIVERED})


def pages(record: Record) -> list[Notification]:
    """Its pages."""
    return [each for each in record.notifications if each.kind is Kind.PAGE]


def _not_reached(record: Record, _found: Found) -> bool:
    """The page under way is not delivered."""
    return not record.incident.page.delivered


def _had_not(record: Record, _found: Found) -> bool:
    """When the fallback was told, the page was not delivered."""
    return any(not each.data.get("failed") for each in record.find(Fact.FALLBACK))


RECEIPTED = (Fact.DELIVERED, Fact.DELIVERED_LATE)


def became(record: Record, found: Found) -> bool:
    """A message of that kind became that."""
    status, kind = BECAME[found["became"].partition("; ")[0]], found["what"]
    reached = found["became"].endswith("; reached somebody")
    like = [each for each in record.notifications if each.kind.value == kind and each.status is status]
    proved = not record.has(*RECEIPTED) if status is Status.ACCEPTED else True
    is_receipted = status is not Status.DELIVERED or any(each.data.get("receipt") for each in record.find(*RECEIPTED))
    return any((each.reached_at is not None) is reached for each in like) and is_receipted and (bool(like) or proved)


def _reached(record: Record, found: Found) -> bool:
    first = min((each.reached_at for each in pages(record) if each.reached_at is not None), default=None)
    on = any(each.channel == found["on"] and each.reached_at == first for each in pages(record))
    is_taken = any(each.status in TAKEN and each.channel == found["on"] for each in pages(record))
    return record.is_at(found["at"], first) and on and is_taken


def _stands(record: Record, found: Found) -> bool:
    """A message of that kind stands so, reached or not."""
    return became(record, found) or became(record, {**found, "became": f"{found['became']}; reached somebody"})


STATEMENTS = statements(
    "delivery",
    {
        "this page has reached nobody yet on the channels that come first, so it comes to you|<in>reached nobody yet": (
            _not_reached
        ),
        "this page had reached nobody in time on the channels that come first, so it comes to you": _had_not,
        "this page could not be delivered on (?P<on>\\w+), so it comes to you": lambda record, found: record.has(
            Fact.GAVE_UP, channel=found["on"]
        ),
        "^(?:occurrence \\d+: )?who was told\\| (?P<at>[^|]+) \\| (?P<what>[^|]+) \\| (?P<on>[^|]*) \\| (?P<whom>[^|]*) \\| (?P<became>[^|]+)$": (
            lambda record, found: became(record, found) and told_whom(record, found)
        ),
        "^reached: <at> on (?P<on>\\w+), .* after (?:the opening|it came back)": _reached,
        "^reached: no page is known to have reached anybody.*": lambda record, _found: all(
            each.reached_at is None for each in pages(record)
        ),
        # The console's list of messages.
        # A message that is put back is due at a time that no commit tells.
        "^due @\\d+@$": lambda record, _found: any(each.status is Status.WAITING for each in record.notifications),
        "^(?:¤|\\w+ to .+): (?P<what>\\w+) (?P<became>waiting|accepted|delivered|overtaken, not sent|failed|undeliverable)"
        "$": _stands,
        "^no answer within \\d+ s$": lambda record, _found: any(
            "no answer" in each.detail for each in record.notifications
        ),
        "^reached somebody$": lambda record, _found: any(each.reached_at is not None for each in pages(record)),
    },
)
