"""A second factor for signing in: its secret, and the last step of time for which a code was taken."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody has one yet."""
    op.add_column("accounts", sa.Column("second_secret", sa.Text(), nullable=True))
    op.add_column("accounts", sa.Column("second_step", sa.Integer(), nullable=True))
