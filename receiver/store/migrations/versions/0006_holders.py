"""Which incident holds an alert, and which alerts are held as possible echoes.

An alert that two incidents hold (its groups had moved) stays with the newer one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

ECHOES = sa.text("held_until IS NOT NULL")

SOURCE = {"sqlite": "json_extract(i.doc, '$.source')", "postgresql": "CAST(i.doc AS json)->>'source'"}


def upgrade() -> None:
    """Add the columns, fill in what is held, and index both."""
    op.add_column("alerts", sa.Column("held_source", sa.Text))
    op.add_column("alerts", sa.Column("held_until", sa.BigInteger))
    source = SOURCE[op.get_bind().dialect.name]
    op.execute(f"""
        UPDATE alerts SET held_source = (
            SELECT coalesce({source}, '') FROM incidents i WHERE i.id = alerts.incident_id AND i.open_key IS NOT NULL
        )
        WHERE incident_id IN (SELECT id FROM incidents WHERE open_key IS NOT NULL)
    """)  # noqa: S608 - our own names
    op.execute("""
        UPDATE alerts SET held_source = NULL WHERE held_source IS NOT NULL AND EXISTS (
            SELECT 1 FROM alerts other
            JOIN incidents newer ON newer.id = other.incident_id
            JOIN incidents own ON own.id = alerts.incident_id
            WHERE other.fingerprint = alerts.fingerprint AND other.held_source = alerts.held_source
              AND newer.number > own.number
        )
    """)
    op.create_index("alerts_held", "alerts", ["fingerprint", "held_source"], unique=True)
    op.create_index("alerts_echoes", "alerts", ["incident_id"], sqlite_where=ECHOES, postgresql_where=ECHOES)
