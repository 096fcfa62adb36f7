"""The tables. Instants are BIGINT microseconds; `doc` columns hold the whole dataclass as JSON.

An incident's `doc` is authoritative, its windows included (docs/decisions/0003); the columns beside it are projections
for searching and counting. Only `due_at` may be later than in the `doc`: `postpone` changes it alone.

No foreign keys: the engine writes everything of an incident in one transaction, and a check per row would cost more
than the rows. The mutable columns stand last, in the order in which updates write them (`receiver.store.codec`).
A change here needs a migration; a test compares the two.
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


# The full-text index of titles is made by migration 0004, where the database supports it (`receiver.store.search`).
incidents = Table(
    "incidents",
    metadata,
    # SQLite keeps rows in the order of an INTEGER primary key: new incidents are appended, lists read backwards.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    _required("key"),
    _required("opened_at", BigInteger),
    _required("exercise", Boolean),
    # The key while the incident is not closed; unique, so each key has at most one such incident.
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

# Incidents with recorded findings: their text, and the attributes by which later incidents are compared with them.
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

# Search terms of closed incidents (`receiver.store.closed_words`). `words` has a trigram index where the database
# supports it (migration 0024).
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

# System of each incident that is not closed; for closed incidents it is in `closed_words`.
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
    # The incident's source while it holds the alert; at most one incident does. A closed one holds alerts still firing.
    Column("held_source", Text),
    # While the alert is held as a possible echo: when it is accepted as a real alert.
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
    # Immutable columns; they stand after the mutable ones because migration 0013 added them.
    *(Column(name, Text, nullable=False, server_default="") for name in ("person", "via", "shift")),
    # One index for all queries within an incident: heads of queues, threads, notifications to supersede.
    Index("notifications_queue", "incident_id", "status", "channel", "recipient", "sequence"),
    # No partial index on waiting rows: without statistics PostgreSQL would scan all of them to find one queue's.
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
    sqlite_with_rowid=False,  # entries of a timeline are stored together, and an entry costs one B-tree, not two
)

# Incidents with open Prometheus queries; the incident's `doc` holds the queries.
inquiries = Table("inquiries", metadata, Column("incident_id", Text, primary_key=True))

# The state of each heartbeat (`receiver.core.heartbeat`).
heartbeats = Table("heartbeats", metadata, Column("key", Text, primary_key=True), _required("doc"))
# Open emergencies whose alarm has not reached a responder yet (`Incident.unreached_since`); usually empty.
alarms = Table("alarms", metadata, Column("incident_id", Text, primary_key=True), _required("since", BigInteger))

# Overrides of on-call schedules and their cancellations, in the order in which they were made.
overrides = Table(
    "overrides", metadata, Column("position", BigInteger, primary_key=True, autoincrement=False), _required("doc")
)

# Starts and ends of on-call shifts; rows are never changed. `key`: the schedule, or an override.
shift_log = Table(
    "shift_log",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    _required("key"),
    _required("at", BigInteger),
    _required("doc"),
    Index("shift_log_by_key", "key", "position"),
)

# The handoff messages. `at`: the time they were planned. `due_at` NULL: done.
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

# The last good copy of each schedule's fetched calendar; the results of the fetches are in `meta`.
calendars = Table(
    "calendars",
    metadata,
    Column("schedule", Text, primary_key=True),
    _required("fetched_at", BigInteger),
    _required("digest"),
    _required("text"),
)

# Incidents under legal hold: retention deletes nothing of them (`Incident.is_on_hold`).
legal_holds = Table("legal_holds", metadata, Column("incident_id", Text, primary_key=True))

# The content of evidence files (`receiver.store.evidence_bytes`): uploads that belong to no incident yet, the upload
# of each file, and the chunks of each upload.
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

# Rows that cannot be read: they stay in their tables, are skipped, and are reported to a person once.
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

# Policy versions that are the result of an incident's follow-up action.
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

# The notifications that left in one message; an answer to the message applies to them. Deleted with the first one's
# incident.
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
    # The provider's id of the request; unique, so that a repeated request is carried out once.
    Column("reference", Text, unique=True),
    _required("hash"),
)

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    _required("value"),
)
