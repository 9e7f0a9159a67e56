"""The console's films: where faces go in them, and regions by hand that are covered for some seconds only."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; marks of before cover a film from beginning to end, as they did. Films get a board when they
    are decided again."""
    op.create_table(
        "film_boards",
        sa.Column("item_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("board", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_film_boards_item_id")),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_film_boards")),
    )
    op.add_column("marks", sa.Column("start_second", sa.Float(), nullable=True))
    op.add_column("marks", sa.Column("end_second", sa.Float(), nullable=True))
