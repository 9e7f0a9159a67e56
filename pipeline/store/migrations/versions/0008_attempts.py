"""Attempts counted one by one in moving windows, and the places from which accounts have signed in before."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Count anew: a wait that ran ends."""
    op.drop_table("sign_in_failures")
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_index(op.f("ix_attempts_key"), "attempts", ["key", "at"])
    op.create_table(
        "known_addresses",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_known_addresses_account_id_accounts")),
        sa.PrimaryKeyConstraint("account_id", "place", name=op.f("pk_known_addresses")),
    )
