"""The first tables.

A migration never changes, so it says everything itself and reads nothing of `receiver.store.schema`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

DUE = sa.text("due_at IS NOT NULL")
ALONE = sa.text("due_at IS NOT NULL AND bundle_at IS NULL")
BUNDLED = sa.text("due_at IS NOT NULL AND bundle_at IS NOT NULL")


def upgrade() -> None:
    """Create everything."""
    _create_incidents()
    _create_alerts()
    _create_notifications()
    _create_entries()
    op.create_table(
        "policies",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "buckets",
        sa.Column("lane", sa.Text, primary_key=True),
        sa.Column("credit", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("bundle_at", sa.BigInteger),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )


def _create_incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("exercise", sa.Boolean, nullable=False),
        sa.Column("open_key", sa.Text, unique=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("resolved_at", sa.BigInteger),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("doc", sa.Text, nullable=False),
    )
    op.create_index("incidents_by_state", "incidents", ["state", "number", "level"])
    op.create_index("incidents_by_level", "incidents", ["level", "number"])
    op.create_index("incidents_by_type", "incidents", ["type", "number"])
    op.create_index("incidents_due", "incidents", ["due_at"], sqlite_where=DUE, postgresql_where=DUE)


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("incident_id", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, primary_key=True),
        sa.Column("starts_at", sa.BigInteger, nullable=False),
        sa.Column("firing", sa.Boolean, nullable=False),
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("doc", sa.Text, nullable=False),
    )


def _create_notifications() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("incident_id", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("give_up_at", sa.BigInteger, nullable=False),
        sa.Column("page", sa.BigInteger, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("leased_by", sa.Text, nullable=False),
        sa.Column("superseded", sa.Boolean, nullable=False),
        sa.Column("bundle_at", sa.BigInteger),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("done_at", sa.BigInteger),
    )
    op.create_index(
        "notifications_queue", "notifications", ["incident_id", "status", "channel", "recipient", "sequence"]
    )
    op.create_index(
        "notifications_due",
        "notifications",
        ["level", "due_at", "channel"],
        sqlite_where=ALONE,
        postgresql_where=ALONE,
    )
    op.create_index(
        "notifications_bundled",
        "notifications",
        ["due_at", "level"],
        sqlite_where=BUNDLED,
        postgresql_where=BUNDLED,
    )


def _create_entries() -> None:
    op.create_table(
        "entries",
        sa.Column("incident_id", sa.Text, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("fact", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
