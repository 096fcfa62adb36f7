"""The named SQL statements of a transaction. Used by `receiver.store.transaction`.

In PostgreSQL's dialect; `receiver.store.session` translates them for SQLite. A list of any length is passed as
`= ANY(:list)`. Statements with `?` run once per row.
"""
# ruff: noqa: S608 - the statements are formatted with names and fragments of this module, never with values

from collections.abc import Iterable

from receiver.store import codec
from rules.policy import LEVELS

# PostgreSQL sorts before it locks, so the locks are taken in key order.
LOCK = (
    "SELECT id, doc FROM incidents WHERE (open_key = ANY(:keys) OR id = ANY(:ids)) "
    "AND coalesce(state, '') <> 'set_aside'"
    " ORDER BY key, id FOR UPDATE"
)
LOCK_FREE = f"{LOCK} SKIP LOCKED"

DUE_INCIDENTS = "SELECT id FROM incidents WHERE due_at <= :now ORDER BY due_at LIMIT :limit"

# Acknowledged ones too: their responder may request help.
OPEN_INCIDENTS = """
SELECT id FROM incidents WHERE state IN ('open', 'acknowledged') ORDER BY state DESC, level DESC, number LIMIT :limit
"""

# An update that waits for its bundle does not hold back a page.
HEAD = """NOT EXISTS (
    SELECT 1 FROM notifications earlier
    WHERE earlier.incident_id = n.incident_id AND earlier.status = 'waiting'
      AND earlier.channel = n.channel AND earlier.recipient = n.recipient AND earlier.sequence < n.sequence
      AND NOT (n.kind = 'page' AND earlier.kind <> 'page' AND earlier.bundle_at IS NOT NULL AND earlier.leased_by = '')
)"""


def _by_level(query: str) -> str:
    """The query for each level, `{level}` replaced by its number: the index on due notifications begins with it."""
    return " UNION ALL ".join(
        f"SELECT * FROM ({query.format(level=level)}) AS level_{level}" for level in reversed(LEVELS)
    )


def _due(bundled: str) -> str:
    """Incidents with a queue's head due, the highest level first: pages must not wait behind many updates."""
    of_a_level = f"""
    SELECT n.incident_id, n.level, n.due_at FROM notifications n
    WHERE n.level = {{level}} AND {{level}} = ANY(:levels) AND n.due_at <= :now AND n.bundle_at {bundled}
      AND NOT (n.channel = ANY(:busy)) AND {HEAD}
    ORDER BY n.due_at LIMIT :limit
    """
    return f"SELECT incident_id FROM ({_by_level(of_a_level)}) AS due ORDER BY level DESC, due_at LIMIT :limit"


SENDABLE = _due("IS NULL")
BUNDLED = _due("IS NOT NULL")

HEADS = f"""
SELECT n.* FROM notifications n
WHERE n.incident_id = ANY(:ids) AND n.status = 'waiting' AND NOT (n.channel = ANY(:busy)) AND {HEAD}
ORDER BY n.level DESC, n.created_at, n.incident_id, n.sequence
"""


def _first(bundled: str) -> str:
    """The due time of the first head of a queue, per level."""
    return _by_level(f"""
    SELECT n.due_at FROM notifications n
    WHERE n.level = {{level}} AND n.due_at IS NOT NULL AND n.bundle_at {bundled} AND {HEAD} ORDER BY n.due_at LIMIT 1
    """)


NEXT_DUE = f"""
SELECT min(due_at) FROM (
    {_first("IS NULL")} UNION ALL {_first("IS NOT NULL")}
    UNION ALL SELECT min(due_at) FROM incidents WHERE due_at IS NOT NULL
) AS earliest
"""

ALERTS = """
SELECT alerts.incident_id, alerts.fingerprint, alerts.doc
FROM (SELECT value->>0 AS incident_id, value->>1 AS fingerprint
      FROM json_array_elements(CAST(:wanted AS json))) wanted
JOIN alerts ON alerts.incident_id = wanted.incident_id AND alerts.fingerprint = wanted.fingerprint
"""


def _alerts(condition: str) -> str:
    """The first `most` alerts of incidents: the highest level first, then those that have fired longest, so that the
    first alert stays first.
    """
    return f"""
SELECT alerts.incident_id, alerts.doc
FROM (SELECT incident_id, fingerprint,
             row_number() OVER (PARTITION BY incident_id ORDER BY level DESC, starts_at, fingerprint) AS place
      FROM alerts WHERE incident_id = ANY(:ids) {condition}) ranked
JOIN alerts ON alerts.incident_id = ranked.incident_id AND alerts.fingerprint = ranked.fingerprint
WHERE ranked.place <= :most ORDER BY alerts.incident_id, ranked.place
"""


FIRING = _alerts("AND firing")
FIRED = _alerts("")

WITHDRAWN = """
SELECT * FROM notifications
WHERE incident_id = :incident_id AND superseded AND status IN ('waiting', 'superseded') ORDER BY sequence
"""

THREADS = """
SELECT n.id, (
    SELECT f.reference FROM notifications f
    WHERE f.incident_id = n.incident_id AND f.status IN ('accepted', 'delivered')
      AND f.channel = n.channel AND f.recipient = n.recipient AND f.reference <> ''
    ORDER BY f.sequence LIMIT 1
) AS reference
FROM notifications n WHERE n.id = ANY(:ids)
"""

# A notification without a lease becomes due at once, so that it is soon finished and reported.
SUPERSEDE = """
UPDATE notifications
SET superseded = true, due_at = CASE WHEN leased_by = '' AND due_at > created_at THEN created_at ELSE due_at END
WHERE incident_id = :incident_id AND status = 'waiting' AND sequence < :before AND kind = ANY(:kinds)
"""
SUPERSEDE_ON = f"{SUPERSEDE} AND channel = ANY(:channels)"

# The oldest by number are nearly always the oldest closed: the limit avoids a scan of all closed incidents.
FORGETTABLE = """
SELECT id FROM (
    SELECT id, number, closed_at FROM incidents
    WHERE state = 'closed' AND NOT EXISTS (SELECT 1 FROM legal_holds WHERE incident_id = incidents.id)
    ORDER BY number LIMIT 500
) oldest
WHERE closed_at < :before ORDER BY number LIMIT :limit
"""
LOCK_CLOSED = (
    "SELECT id FROM incidents WHERE id = ANY(:ids) AND state = 'closed' ORDER BY key, id FOR UPDATE SKIP LOCKED"
)
# Runs after the incidents are locked: no hold can be added any more.
ON_HOLD = "SELECT incident_id FROM legal_holds WHERE incident_id = ANY(:ids)"
HOLD = "INSERT INTO legal_holds (incident_id) VALUES (?) ON CONFLICT DO NOTHING"
RELEASE_HOLD = "DELETE FROM legal_holds WHERE incident_id = ?"
FORGET = (
    *(
        f"DELETE FROM {table} WHERE number IN (SELECT number FROM incidents WHERE id = ANY(:ids))"
        for table in ("learned", "closed_words", "closed_people", "open_systems", "policy_changes")
    ),
    *(
        f"DELETE FROM {table} WHERE {column} = ANY(:ids)"
        for table, column in (
            ("alerts", "held_source IS NULL AND incident_id"),
            ("notifications", "incident_id"),
            ("entries", "incident_id"),
            ("bundles", "incident_id"),
            ("incidents", "id"),
        )
    ),
)

PROBE = """
INSERT INTO meta (name, value) VALUES ('probe', :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""

RELEASE_LEASES = """
UPDATE notifications SET leased_by = '', due_at = created_at, attempts = attempts + 1
WHERE status = 'waiting' AND leased_by <> ''
"""

# A lost counter continues after the highest incident number; otherwise no incident could be opened.
TAKE_NUMBERS = """
INSERT INTO meta (name, value) VALUES ('last_number', CAST(:count AS text))
ON CONFLICT (name) DO UPDATE SET value = CAST(:count + (
    SELECT CASE WHEN used > last THEN used ELSE last END
    FROM (SELECT coalesce(max(number), 0) AS used, coalesce(CAST(meta.value AS bigint), 0) AS last FROM incidents) known
) AS text)
RETURNING CAST(value AS bigint)
"""


def _update(table: str, names: Iterable[str]) -> str:
    """An UPDATE by id. `superseded` stays true: a leased notification may be superseded before its report."""
    put = ("superseded = (superseded OR ?)" if name == "superseded" else f"{name} = ?" for name in names)
    return f"UPDATE {table} SET {', '.join(put)} WHERE id = ?"


# PostgreSQL rewrites every index on a column that an update names, changed or not: so name as few as possible.
UPDATE_INCIDENT = _update("incidents", codec.INCIDENT_CHANGES)
UPDATE_INCIDENT_OFTEN = _update("incidents", codec.INCIDENT_OFTEN)
UPDATE_NOTIFICATION = _update("notifications", codec.NOTIFICATION_CHANGES)
UPDATE_WAITING = _update("notifications", codec.NOTIFICATION_WAITS)

KEEP_ALERT = """
INSERT INTO alerts (incident_id, fingerprint, starts_at, firing, level, doc, held_source, held_until)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (incident_id, fingerprint) DO UPDATE
SET starts_at = excluded.starts_at, firing = excluded.firing, level = excluded.level, doc = excluded.doc,
    held_source = excluded.held_source, held_until = excluded.held_until
"""

HOLDERS = """
SELECT alerts.held_source, alerts.fingerprint, alerts.incident_id
FROM (SELECT value->>0 AS source, value->>1 AS fingerprint
      FROM json_array_elements(CAST(:wanted AS json))) wanted
JOIN alerts ON alerts.fingerprint = wanted.fingerprint AND alerts.held_source = wanted.source
"""

RELEASE_ALERT = "UPDATE alerts SET held_source = NULL WHERE fingerprint = :fingerprint AND held_source = :source"

HELD = "SELECT incident_id, fingerprint, doc FROM alerts WHERE held_until IS NOT NULL AND incident_id = ANY(:ids)"

# A closing incident releases its alerts, except firing ones: their next webhook must find the incident.
RELEASE_ALERTS = "UPDATE alerts SET held_source = NULL WHERE incident_id = ANY(:ids) AND NOT firing"
MOVE_ALERT = "UPDATE alerts SET held_source = NULL WHERE held_source = ? AND fingerprint = ?"

KEEP_BUCKET = """
INSERT INTO buckets (lane, credit, at, bundle_at) VALUES (?, ?, ?, ?)
ON CONFLICT (lane) DO UPDATE SET credit = excluded.credit, at = excluded.at, bundle_at = excluded.bundle_at
"""

BUCKETS = "SELECT * FROM buckets WHERE lane = ANY(:names) ORDER BY lane FOR UPDATE"

KEEP_BUNDLE = "INSERT INTO bundles (name, incident_id, notifications) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
BUNDLE = "SELECT notifications FROM bundles WHERE name = :name"

OVERRIDE_CHANGES = "SELECT position, doc FROM overrides WHERE position > :after ORDER BY position"
ADD_OVERRIDE_CHANGE = """
INSERT INTO overrides (position, doc) SELECT coalesce(max(position), 0) + 1, :doc FROM overrides RETURNING position
"""

LAST_SHIFT_ENTRIES = """
SELECT position, key, doc FROM shift_log
WHERE position IN (SELECT max(position) FROM shift_log GROUP BY key) ORDER BY position
"""
SHIFT_ENTRIES = """
SELECT doc FROM shift_log WHERE key = :key AND position >= coalesce(
  (SELECT max(position) FROM shift_log WHERE key = :key AND at <= :since), 0) ORDER BY position
"""
ADD_SHIFT_ENTRY = """
INSERT INTO shift_log (position, key, at, doc) VALUES (:position, :key, :at, :doc)
ON CONFLICT DO NOTHING RETURNING position
"""
ADD_HANDOFF = "INSERT INTO handoffs (id, due_at, at, doc) VALUES (:id, :due_at, :at, :doc) ON CONFLICT DO NOTHING"
DUE_HANDOFFS = "SELECT id, due_at, doc FROM handoffs WHERE due_at <= :now ORDER BY due_at LIMIT :limit"
CLAIM_HANDOFF = "UPDATE handoffs SET due_at = :leased WHERE id = :id AND due_at = :due RETURNING id"
KEEP_HANDOFF = "UPDATE handoffs SET due_at = :due_at, at = :at, doc = :doc WHERE id = :id"
DEVICES = "SELECT doc FROM devices WHERE person = :person ORDER BY at, id"
KEEP_DEVICE = (
    "INSERT INTO devices (id, person, at, doc) VALUES (:id, :person, :at, :doc)"
    " ON CONFLICT (id) DO UPDATE SET person = :person, at = :at, doc = :doc"
)
FORGET_DEVICE = "DELETE FROM devices WHERE id = :id AND person = :person"
NEWEST_HANDOFFS = "SELECT doc FROM handoffs ORDER BY at DESC, id LIMIT :limit"

KEEP_LEARNED = """
INSERT INTO learned (number, type, system, words) VALUES (?, ?, ?, ?)
ON CONFLICT (number) DO UPDATE SET type = excluded.type, system = excluded.system, words = excluded.words
"""

KEEP_POLICY_CHANGE = "INSERT INTO policy_changes (digest, number) VALUES (?, ?) ON CONFLICT DO NOTHING"

# Newest first, with the incidents whose follow-up actions resulted in each version.
POLICY_HISTORY = """
SELECT policies.digest, policies.created_at, policies.document, incidents.number, incidents.doc
FROM (SELECT digest, created_at, document FROM policies ORDER BY created_at DESC, digest LIMIT :limit) AS policies
LEFT JOIN policy_changes ON policy_changes.digest = policies.digest
LEFT JOIN incidents ON incidents.number = policy_changes.number
ORDER BY policies.created_at DESC, policies.digest, incidents.number
"""

# Incidents that are over, with recorded findings; exercises are left out. One may wait months for a report's filing.
SIMILAR = """
SELECT incidents.number, incidents.doc
FROM learned JOIN incidents ON incidents.number = learned.number
WHERE (learned.type = :type OR (learned.system = :system AND learned.system <> ''))
  AND learned.number < :below AND learned.words <> ''
  AND incidents.state IN ('resolved', 'closed') AND NOT incidents.exercise
ORDER BY learned.number DESC LIMIT :limit
"""

# Other incidents of the same system: those not closed, and the newest closed ones.
RELATED_NOW = """
SELECT incidents.number, incidents.doc
FROM (
    SELECT number FROM open_systems WHERE system = :system AND number <> :number ORDER BY number DESC LIMIT :limit
) AS last
JOIN incidents ON incidents.number = last.number
WHERE incidents.state IN ('open', 'acknowledged', 'resolved') ORDER BY incidents.number DESC
"""
RELATED_CLOSED = """
SELECT incidents.number, incidents.doc
FROM (
    SELECT number FROM closed_words WHERE system = :system AND number <> :number ORDER BY number DESC LIMIT :limit
) AS last
JOIN incidents ON incidents.number = last.number
WHERE incidents.state = 'closed' AND incidents.opened_at >= :since AND NOT incidents.exercise
ORDER BY incidents.number DESC
"""

CALENDAR_DIGESTS = "SELECT schedule, digest FROM calendars"
CALENDAR_TEXT = "SELECT text FROM calendars WHERE schedule = :schedule"
CALENDAR_TEXTS = "SELECT schedule, text FROM calendars"
KEEP_CALENDAR = """
INSERT INTO calendars (schedule, fetched_at, digest, text) VALUES (:schedule, :fetched_at, :digest, :text)
ON CONFLICT (schedule) DO UPDATE SET fetched_at = excluded.fetched_at, digest = excluded.digest, text = excluded.text
"""
CALENDAR_IS_GOOD = "UPDATE calendars SET fetched_at = :fetched_at WHERE schedule = :schedule"

BEGIN_INQUIRY = "INSERT INTO inquiries (incident_id) VALUES (?) ON CONFLICT DO NOTHING"
END_INQUIRY = "DELETE FROM inquiries WHERE incident_id = ?"

KEEP_ALARM = """
INSERT INTO alarms (incident_id, since) VALUES (?, ?) ON CONFLICT (incident_id) DO UPDATE SET since = excluded.since
"""
END_ALARM = "DELETE FROM alarms WHERE incident_id = ?"

NOTIFICATIONS = "SELECT * FROM notifications WHERE id = ANY(:ids) AND status <> 'set_aside'"

# An unreadable row keeps its place and content, and no query returns it. The incident's key is free again: firing
# alerts open another incident, which pages.
SET_ASIDE_INCIDENT = (
    "UPDATE incidents SET state = 'set_aside', open_key = NULL, due_at = NULL WHERE id = :id",
    "UPDATE notifications SET status = 'set_aside', due_at = NULL WHERE incident_id = :id AND status = 'waiting'",
    "DELETE FROM inquiries WHERE incident_id = :id",
    "DELETE FROM alarms WHERE incident_id = :id",
)
SET_ASIDE_NOTIFICATION = ("UPDATE notifications SET status = 'set_aside', due_at = NULL WHERE id = :id",)
INCIDENTS = "SELECT * FROM incidents WHERE id = ANY(:ids)"
DUE_AT_ONCE = "UPDATE notifications SET due_at = created_at WHERE id = :id"
NOTE_DAMAGE = """
INSERT INTO set_aside (what, id, why, told) VALUES (:what, :id, :why, false)
ON CONFLICT (what, id) DO UPDATE SET why = excluded.why, told = false
"""
TOLD = "UPDATE set_aside SET told = true WHERE what = :what AND id = :id"

POSTPONE_WINDOWS = "UPDATE incidents SET due_at = :until WHERE id = :id AND due_at < :until"
POSTPONE_NOTIFICATIONS = """
UPDATE notifications SET due_at = :until WHERE incident_id = :id AND status = 'waiting' AND due_at < :until
"""

HEARTBEATS = "SELECT key, doc FROM heartbeats ORDER BY key"
LOCK_HEARTBEATS = "SELECT key, doc FROM heartbeats WHERE key = ANY(:keys) ORDER BY key FOR UPDATE"
KEEP_HEARTBEAT = """
INSERT INTO heartbeats (key, doc) VALUES (:key, :doc) ON CONFLICT (key) DO UPDATE SET doc = excluded.doc
"""
FORGET_HEARTBEAT = "DELETE FROM heartbeats WHERE key = :key"

# Compare and set: only one caller that read the stored value replaces it; for the others it has changed.
TAKE_TURN = """
INSERT INTO meta (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE meta.value = :last
RETURNING name
"""

KEEP_NOTE = """
INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""

KEEP_POLICY = """
INSERT INTO policies (digest, created_at, document) VALUES (:digest, :now, :document) ON CONFLICT DO NOTHING
"""
POLICY = "SELECT document FROM policies WHERE digest = :digest"
