"""The register in full: protected people, guardians, dated groups, who signed which form, and its state on disk."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add to people, consents and versions what they did not record; every row of before reads as it did."""
    op.add_column("people", sa.Column("sixteen_on", sa.String(length=10), nullable=True))
    op.add_column("people", sa.Column("protected", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("people", sa.Column("left_on", sa.String(length=10), nullable=True))
    op.add_column("people", sa.Column("periods", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("people", sa.Column("guardians_known", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("consents", sa.Column("signer_id", sa.Text(), nullable=True))
    op.add_column("consents", sa.Column("form_version", sa.Text(), nullable=False, server_default=""))
    op.add_column("consents", sa.Column("form_language", sa.Text(), nullable=False, server_default=""))
    op.add_column("consents", sa.Column("evidence", sa.String(length=8), nullable=False, server_default="ok"))
    op.add_column("consents", sa.Column("reminded_on", sa.String(length=10), nullable=True))
    op.add_column("register_versions", sa.Column("confirmed_by", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "guardians",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pupil_id", sa.Text(), nullable=False),
        sa.Column("guardian_id", sa.Text(), nullable=False),
        sa.Column("from_version", sa.Integer(), nullable=False),
        sa.Column("until_version", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guardians")),
    )
    op.create_index(op.f("ix_guardians_pupil_id"), "guardians", ["pupil_id"], unique=False)
    op.create_index(op.f("ix_guardians_guardian_id"), "guardians", ["guardian_id"], unique=False)
    op.create_index(op.f("ix_guardians_until_version"), "guardians", ["until_version"], unique=False)
