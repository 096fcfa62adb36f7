"""People and schedules in a policy: what is read, what it means, and that it is stored and compared like the rest."""

import zoneinfo
from datetime import timedelta

from receiver.drill.changes import changes
from rules.load import load, load_text
from rules.policy import MINUTE, DutyHours, Layer, Micros, ReachStep
from rules.rota import Every, parse_every
from rules.stored import digest, dump, parse
from rules.time_scale import faster
from rules.time_zones import VERSION, fixed_zone, time_zone, zone_names

TEXT = """\
time_zone: Europe/Berlin
incident_response:
  alert_channels:
    - {name: sms, type: sms, recipients: ["@primary"]}
    - {name: phone-second, type: phone, recipients: ["@secondary", "@dana", "+4930123456"]}
    - {name: chat, type: slack, channel: "@primary"}
stakeholder_notification:
  - {name: internal, recipients: ["@dana", lead@example.org], channels: [email]}
people:
  - name: dana
    contacts: {email: dana@example.com, slack: U024BE7LH, sms: "+491701234567", phone: "+491701234567"}
    reach:
      - {by: [slack, sms]}
      - {by: [phone], after: 3m, levels: [3, 4]}
  - {name: ben, time_zone: America/Chicago, contacts: {sms: "+15551234567", phone: "+15551234567", slack: U024BE7LJ}}
schedules:
  - name: primary
    time_zone: America/Chicago
    layers:
      - people: [dana, ben]
        starts: "2026-10-01T09:00"
        every: 1w
        only: [{days: [Monday, tue], from: "09:00", to: "17:00"}]
        time_zone: Europe/Berlin
      - {people: [ben], starts: 2026-10-01 09:00, every: 12h}
  - {name: secondary, calendar: "https://calendar.example.com/oncall.ics"}
"""


def test_people_and_schedules_are_read():
    """What was written, with the zones that it leaves out."""
    policy = load_text(TEXT).policy
    dana, ben = policy.people
    assert dana.reach == (ReachStep(("slack", "sms")), ReachStep(("phone",), Micros(3 * MINUTE), (3, 4)))
    assert (dana.time_zone, ben.time_zone) == ("Europe/Berlin", "America/Chicago")
    assert (dana.contact("sms"), ben.contact("email")) == ("+491701234567", None)
    primary, secondary = policy.schedules
    assert primary.layers == (
        Layer(
            "layer 1",
            ("dana", "ben"),
            "2026-10-01T09:00",
            "1w",
            "Europe/Berlin",
            (DutyHours(("mon", "tue"), "09:00", "17:00"),),
        ),
        Layer("layer 2", ("ben",), "2026-10-01T09:00", "12h", "America/Chicago"),
    )
    assert (secondary.time_zone, secondary.calendar) == ("Europe/Berlin", "https://calendar.example.com/oncall.ics")
    assert policy.channel("phone-second").recipients == ("@secondary", "@dana", "+4930123456")


def test_contacts_may_stand_in_a_file_of_their_own(tmp_path):
    """Files merge by the person's name: numbers need not stand where the schedules do."""
    (tmp_path / "policy.yaml").write_text(
        TEXT.replace(
            'contacts: {sms: "+15551234567", phone: "+15551234567", slack: U024BE7LJ}', "contacts: {slack: U024BE7LJ}"
        )
    )
    secret = tmp_path / "secret" / "contacts.yaml"
    secret.parent.mkdir()
    secret.write_text('people:\n  - {name: ben, contacts: {sms: "+15551234567", phone: "+15551234567"}}\n')
    whole = load([tmp_path / "policy.yaml", secret])
    assert whole.person("ben").contacts == load_text(TEXT).policy.person("ben").contacts


def test_they_are_stored_with_the_policy():
    """The version that an incident runs under says who was in it."""
    policy = load_text(TEXT).policy
    assert parse(dump(policy)) == policy
    assert digest(policy) != digest(load_text(TEXT.replace("every: 1w", "every: 2w")).policy)


def test_what_changes_is_told():
    """`tocsin diff` names the schedule, the layer, and what became of it."""
    said = [
        (" ".join(each.path), each.before, each.after)
        for each in changes(
            load_text(TEXT).policy,
            load_text(TEXT.replace("every: 1w", "every: 2w").replace('to: "17:00"', 'to: "18:00"')).policy,
        )
    ]
    assert ("schedules primary layers layer 1 every", "1w", "2w") in said
    assert any("mon tue 09:00-18:00" in " ".join(each) for each in said)


def test_turns_are_not_scaled_with_the_demo():
    """Faster time is for deadlines; a reach step waits less, a week stays one."""
    policy = faster(load_text(TEXT).policy, 60)
    assert policy.people[0].reach[1].after == 3 * MINUTE // 60
    assert policy.schedules[0].layers[0].every == "1w"


def test_lints_of_how_people_are_reached():
    """A step after the level's escalation comes too late; who is not told again is said."""
    late = TEXT.replace("after: 3m", "after: 5m").replace("reach:", "repeat: false\n    reach:")
    found = {each.name: each for each in load_text(late).warnings}
    assert "5m after the page, when level 4 has escalated already" in found["late-reach"].message
    assert "dana is told once" in found["not-repeated"].message
    assert not {"late-reach", "not-repeated"} & {each.name for each in load_text(TEXT).warnings}


def test_how_long_turns_are():
    """Every unit, and minutes between possible handoffs."""
    assert [parse_every(text) for text in ("30m", "12h", "3d", "2w", "1month")] == [
        Every(30, "m"), Every(12, "h"), Every(3, "d"), Every(2, "w"), Every(1, "month"),
    ]  # fmt: skip
    assert [parse_every(text).slot_minutes for text in ("30m", "12h", "3d")] == [30, 720, 1440]


def test_zones_are_those_of_the_pinned_package():
    """Not the machine's, which replicas may have in another version."""
    assert zoneinfo.TZPATH == ()
    assert VERSION[:2] == "20"
    assert time_zone("Europe/Berlin").utcoffset(None) in (None, timedelta(0))


def test_zones_that_are_an_offset_by_a_places_name():
    """EST is no summer's time of New York, and Etc/GMT+5 no UTC+5; places that know no summer are places."""
    assert {name for name in zone_names() if fixed_zone(name) and not name.startswith("Etc/")} == {
        "EST", "MST", "HST", "GMT", "GMT0", "GMT+0", "GMT-0", "Greenwich",
    }  # fmt: skip
    assert fixed_zone("EST") == ("UTC-5", "America/New_York")
    assert fixed_zone("Etc/GMT+5") == ("UTC-5", "")
    assert not any(map(fixed_zone, ("UTC", "Etc/UTC", "Zulu", "EST5EDT", "CET", "Asia/Karachi", "Iceland", "PRC")))


def test_a_fixed_offset_is_said_wherever_a_zone_stands():
    """Of the policy, a person, a schedule and a layer, each at its line, with what to write."""
    text = TEXT.replace("Europe/Berlin", "EST").replace("America/Chicago", "MST")
    found = [each for each in load_text(text).warnings if each.name == "fixed-zone"]
    assert [each.line for each in found] == [1, 15, 18, 24]
    assert "UTC-5 all year, in summer too: write `America/New_York`" in found[0].message
    assert "fixed-zone" not in {each.name for each in load_text(TEXT).warnings}
