"""Values that come with a type, from a workbook or a database, as the text that a CSV would hold."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from consent_sync.parsing.cells import typed_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (date(2026, 6, 12), "2026-06-12"),
        (datetime(2026, 6, 12), "2026-06-12"),
        (datetime(2026, 6, 12, 8, 30), "2026-06-12T08:30:00"),
        (12, "12"),
        (12.0, "12"),
        (12.5, "12.5"),
        (Decimal("12.00"), "12"),
        (Decimal("12.5"), "12.5"),
        (float("nan"), "nan"),
        (Decimal("NaN"), "NaN"),
        (float("inf"), "inf"),
        ("12", None),
        (b"12", None),
    ],
)
def test_a_typed_value_reads_as_in_a_csv(value: object, text: str | None) -> None:
    assert typed_text(value) == text
