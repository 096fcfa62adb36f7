"""The content of evidence files, and which incidents are under legal hold."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
readable_from = "0015"  # it only adds


def upgrade() -> None:
    """Add the tables."""
    op.create_table("legal_holds", sa.Column("incident_id", sa.Text, primary_key=True))
    op.create_table(
        "evidence_uploads",
        sa.Column("upload", sa.Text, primary_key=True),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "evidence_files",
        sa.Column("incident_id", sa.Text, primary_key=True),
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("upload", sa.Text, nullable=False),
    )
    op.create_table(
        "evidence_chunks",
        sa.Column("upload", sa.Text, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
