"""The list of usual changes (docs/developer/where.md) names files that are there and hold what it says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ROW = re.compile(r"^\| (?P<change>[^|]+) \| `(?P<file>[^`]+)` \| `(?P<word>[^`]+)` \|$", re.MULTILINE)
ROWS = [m.groupdict() for m in ROW.finditer((ROOT / "docs/developer/where.md").read_text(encoding="utf-8"))]


def test_the_list_has_at_least_sixteen_changes() -> None:
    assert len(ROWS) >= 16


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["change"])
def test_the_file_holds_what_the_list_says(row: dict[str, str]) -> None:
    text = (ROOT / row["file"]).read_text(encoding="utf-8")
    word = re.escape(row["word"])
    defined = rf"^\s*(?:class|def) {word}\b|^{word}\b" if row["file"].endswith(".py") else rf"^{word}\b"
    assert re.search(defined, text, re.MULTILINE), f"{row['file']} does not define {row['word']}"
