"""The list of ways to break the program (bench/broken.py) follows the program: each still finds what it replaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.broken import WAYS, Broken, replaced

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_what_is_replaced_is_there_once_and_so_are_the_tests_that_should_notice(way: Broken) -> None:
    for change in way.changes:
        text = (ROOT / change[0]).read_text(encoding="utf-8")
        assert replaced(text, change) != text
    for test in way.noticed_by:
        if test.startswith("tests/"):
            file, _, function = test.partition("::")
            assert f"def {function.partition('[')[0]}" in (ROOT / file).read_text(encoding="utf-8")
