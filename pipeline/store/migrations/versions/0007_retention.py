"""When an original was deleted because its time was over."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add to items when their original was deleted; until now none was."""
    op.add_column("items", sa.Column("original_deleted_at", sa.String(length=32), nullable=True))
