"""The tables. Instants are BIGINT microseconds; `doc` columns hold the whole dataclass as JSON.

An incident's `doc` is the truth about it (its windows included, docs/decisions/0003); the columns beside it are
projections to find and count it by. Only `due_at` may be ahead of the `doc`: `postpone` moves it alone.

No foreign keys: everything of an incident is written in one transaction by the one place that writes, and a check
per row would cost more than the rows. The mutable columns stand last, in the order that updates write them
(`receiver.store.codec`). What changes here needs a migration; a test holds the two together.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)

metadata = MetaData()


def _required(name: str, type_: Any = Text) -> Column[Any]:
    return Column(name, type_, nullable=False)


def _partial(name: str, *columns: Any, where: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


# Beside these, what finds words in titles, where the database has it (migration 0004, `receiver.store.search`).
incidents = Table(
    "incidents",
    metadata,
    # SQLite keeps rows in the order of an INTEGER primary key: new incidents are appended, lists read backwards.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    _required("key"),
    _required("opened_at", BigInteger),
    _required("exercise", Boolean),
    # The key while the incident is not closed: at most one of them has it.
    Column("open_key", Text, unique=True),
    _required("state"),
    _required("level", SmallInteger),
    _required("type"),
    _required("title"),
    _required("policy"),
    Column("resolved_at", BigInteger),
    Column("closed_at", BigInteger),
    Column("due_at", BigInteger),
    _required("doc"),
    Index("incidents_by_state", "state", "number", "level"),
    Index("incidents_by_level", "level", "number"),
    Index("incidents_by_type", "type", "number"),
    Index("incidents_by_opening", "opened_at", "number"),
    _partial("incidents_due", "due_at", where="due_at IS NOT NULL"),
)

# Of incidents about which somebody wrote something down: what, and by what later ones are like them.
learned = Table(
    "learned",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    _required("type"),
    _required("system"),
    _required("words"),
    Index("learned_by_type", "type", "number"),
    Index("learned_by_system", "system", "number"),
)

# What closed incidents are found by beside that (`receiver.store.closed_words`). The words have an index of their
# trigrams, where the database has it (migration 0024).
closed_words = Table(
    "closed_words",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    _required("system"),
    _required("words"),
    Index("closed_words_by_system", "system", "number"),
)
closed_people = Table(
    "closed_people",
    metadata,
    Column("person", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Index("closed_people_by_number", "number"),
)

# Which incidents that are not closed are about which system; of closed ones `closed_words` says it.
open_systems = Table(
    "open_systems",
    metadata,
    Column("system", Text, primary_key=True),
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    _required("starts_at", BigInteger),
    _required("firing", Boolean),
    _required("level", SmallInteger),
    _required("doc"),
    # The incident's source while it holds the alert: at most one does. A closed one holds what still fires.
    Column("held_source", Text),
    # While it is held as a possible echo: when it is believed.
    Column("held_until", BigInteger),
    Index("alerts_held", "fingerprint", "held_source", unique=True),
    _partial("alerts_echoes", "incident_id", where="held_until IS NOT NULL"),
)

notifications = Table(
    "notifications",
    metadata,
    Column("id", Text, primary_key=True),
    _required("incident_id"),
    _required("sequence", BigInteger),
    _required("kind"),
    _required("reason"),
    _required("channel"),
    _required("recipient"),
    _required("level", SmallInteger),
    _required("created_at", BigInteger),
    _required("give_up_at", BigInteger),
    _required("page", BigInteger),
    _required("data"),
    Column("due_at", BigInteger),
    _required("status"),
    _required("attempts", BigInteger),
    _required("leased_by"),
    _required("superseded", Boolean),
    Column("bundle_at", BigInteger),
    _required("reference"),
    _required("detail"),
    Column("done_at", BigInteger),
    Column("reached_at", BigInteger),
    # These never change; they stand after what does because they came later (migration 0013).
    *(Column(name, Text, nullable=False, server_default="") for name in ("person", "via", "shift")),
    # One index for all that is asked within an incident: heads of queues, threads, what a decision overtakes.
    Index("notifications_queue", "incident_id", "status", "channel", "recipient", "sequence"),
    # Not "where it waits": then PostgreSQL, before it has statistics, walks all that waits to find one queue's.
    _partial("notifications_due", "level", "due_at", "channel", where="due_at IS NOT NULL AND bundle_at IS NULL"),
    _partial(
        "notifications_bundled", "level", "due_at", "channel", where="due_at IS NOT NULL AND bundle_at IS NOT NULL"
    ),
)

entries = Table(
    "entries",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    _required("at", BigInteger),
    _required("fact"),
    _required("by"),
    _required("data"),
    sqlite_with_rowid=False,  # a timeline lies together, and a line costs one tree, not two
)

# Incidents about which something is open to be asked of Prometheus; what it is stands in the incident.
inquiries = Table("inquiries", metadata, Column("incident_id", Text, primary_key=True))

# What is known of each heartbeat (`receiver.core.heartbeat`).
heartbeats = Table("heartbeats", metadata, Column("key", Text, primary_key=True), _required("doc"))
# Open emergencies whose alarm has reached nobody yet (`Incident.unreached_since`): most of the time, none.
alarms = Table("alarms", metadata, Column("incident_id", Text, primary_key=True), _required("since", BigInteger))

# Who was put on call for a while, and what of it was cancelled: in the order in which it was done.
overrides = Table(
    "overrides", metadata, Column("position", BigInteger, primary_key=True, autoincrement=False), _required("doc")
)

# Who came on call and went off when, as it was: a line is never changed. `key`: the schedule, or an override.
shift_log = Table(
    "shift_log",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    _required("key"),
    _required("at", BigInteger),
    _required("doc"),
    Index("shift_log_by_key", "key", "position"),
)

# The messages about them, `at` which time they were planned; `due_at` NULL: done.
handoffs = Table(
    "handoffs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("due_at", BigInteger),
    _required("at", BigInteger),
    _required("doc"),
    _partial("handoffs_due", "due_at", where="due_at IS NOT NULL"),
    Index("handoffs_by_time", "at"),
)
devices = Table(
    "devices",
    metadata,
    Column("id", Text, primary_key=True),
    _required("person"),
    _required("at", BigInteger),
    _required("doc"),
    Index("devices_by_person", "person", "at"),
)

# The last good copy of each schedule's calendar that a URL feeds; how the fetches fared stands in `meta`.
calendars = Table(
    "calendars",
    metadata,
    Column("schedule", Text, primary_key=True),
    _required("fetched_at", BigInteger),
    _required("digest"),
    _required("text"),
)

# Incidents of which nothing is deleted (`Incident.is_on_hold`).
legal_holds = Table("legal_holds", metadata, Column("incident_id", Text, primary_key=True))

# The content of evidence files (`receiver.store.evidence_bytes`): uploads that no incident has yet, whose content is
# whose, and the pieces of it.
evidence_uploads = Table(
    "evidence_uploads", metadata, Column("upload", Text, primary_key=True), _required("begun_at", BigInteger)
)
evidence_files = Table(
    "evidence_files",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    _required("upload"),
)
evidence_chunks = Table(
    "evidence_chunks",
    metadata,
    Column("upload", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    _required("content", LargeBinary),
)

# What could not be read: it stays where it is, out of everybody's way, and a person is told of it once.
set_aside = Table(
    "set_aside",
    metadata,
    Column("what", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    _required("why"),
    _required("told", Boolean),
)

policies = Table(
    "policies",
    metadata,
    Column("digest", Text, primary_key=True),
    _required("created_at", BigInteger),
    _required("document", LargeBinary),
)

# Which incidents have a follow-up action that brought a policy version.
policy_changes = Table(
    "policy_changes",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
)

buckets = Table(
    "buckets",
    metadata,
    Column("lane", Text, primary_key=True),
    _required("credit", BigInteger),
    _required("at", BigInteger),
    Column("bundle_at", BigInteger),
)

# What left together in one message: whoever answers it takes exactly that. Forgotten with the first's incident.
bundles = Table(
    "bundles",
    metadata,
    Column("name", Text, primary_key=True),
    _required("incident_id"),
    _required("notifications"),
    Index("bundles_by_incident", "incident_id"),
)

audit = Table(
    "audit",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    _required("at", BigInteger),
    _required("who"),
    _required("via"),
    _required("address"),
    _required("action"),
    _required("incident"),
    _required("outcome"),
    _required("data"),
    # What a provider calls the request: the same one is carried out once.
    Column("reference", Text, unique=True),
    _required("hash"),
)

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    _required("value"),
)
