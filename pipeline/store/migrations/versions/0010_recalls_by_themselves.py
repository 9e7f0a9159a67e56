"""On which day an item was judged, and a way to what is published."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add to items the day of their newest decision: what waits to be published without one is decided again."""
    op.add_column("items", sa.Column("judged_on", sa.String(length=10), nullable=True))
    op.create_index("ix_renditions_state", "renditions", ["state"])
