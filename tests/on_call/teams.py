"""Policies with people and schedules, as people write them; and rosters in a form that can be read."""

from datetime import UTC, datetime

from receiver.on_call.expand import shifts
from rules.load import load_text

PEOPLE = ("dana", "ben", "chris")
HEAD = """\
incident_response:
  alert_channels:
    - {name: email, type: email, recipients: [team@example.org]}
    - {name: phone, type: phone, recipients: ["@primary"]}
  detection:
    rules:
      - {name: margin, condition: "safety_margin < 0.95", severity: 4, channels: [email, phone]}
people:
  - {name: dana, contacts: {email: dana@example.org, phone: "+4917010000001", sms: "+4917010000001"}}
  - {name: ben, contacts: {email: ben@example.org, phone: "+4917010000002", sms: "+4917010000002"}}
  - {name: chris, contacts: {email: chris@example.org, phone: "+4917010000003", sms: "+4917010000003"}}
"""


def policy(schedules):
    """The policy with these schedules (YAML, from the margin)."""
    return load_text(f"{HEAD}{schedules}").policy


def layered(*layers, zone="Europe/Berlin", name="primary"):
    """One schedule of layers, each in YAML's flow style."""
    rows = "".join(f"      - {layer}\n" for layer in layers)
    return policy(f"schedules:\n  - name: {name}\n    time_zone: {zone}\n    layers:\n{rows}")


def utc(text):
    """Microseconds since 1970 of a time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def said(at):
    """Such as ``2026-10-01T09:00``, in UTC."""
    return f"{datetime.fromtimestamp(at / 1e6, UTC):%Y-%m-%dT%H:%M}"


def roster(given, starts, ends, overrides=(), calendars=None):
    """The first schedule's roster between two times in UTC."""
    return shifts(given, calendars or {}, overrides, utc(starts), utc(ends))[0]


def told(found):
    """A roster's shifts as (from, until, person)."""
    return [(said(each.starts), said(each.ends), each.person) for each in found.shifts]


def missing(found):
    """A roster's gaps as (from, until)."""
    return [(said(each.starts), said(each.ends)) for each in found.gaps]
