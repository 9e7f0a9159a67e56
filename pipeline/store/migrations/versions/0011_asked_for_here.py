"""What was asked for here, who was erased, links for parents, and seals of texts that can be erased."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; until now nothing was asked for here."""
    op.add_column("people", sa.Column("stops", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("incidents", sa.Column("salt", sa.String(length=32), nullable=False, server_default=""))
    op.create_table(
        "consent_stops",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("medium", sa.String(length=16), nullable=False, server_default=""),
        sa.Column("channel", sa.String(length=31), nullable=False, server_default=""),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.String(length=32), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_consent_stops"),
    )
    op.create_index("ix_consent_stops_person_id", "consent_stops", ["person_id"])
    op.create_table(
        "tombstones",
        sa.Column("id_sha256", sa.String(length=64), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id_sha256", name="pk_tombstones"),
    )
    op.create_table(
        "person_links",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.String(length=32), nullable=False),
        sa.Column("expires_at", sa.String(length=32), nullable=False),
        sa.Column("ended_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_person_links"),
        sa.UniqueConstraint("secret_sha256", name="uq_person_links_secret_sha256"),
    )
    op.create_index("ix_person_links_person_id", "person_links", ["person_id"])
