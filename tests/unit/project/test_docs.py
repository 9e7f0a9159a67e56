"""Pages point to pages that are there, and letters of threats that are cited stand in the list of threats."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/**/*.md"), *ROOT.glob("models/*.md")])
THREATS = (ROOT / "docs/developer/threats.md").read_text(encoding="utf-8")
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_page_stands_in_the_index() -> None:
    index = ROOT / "docs/README.md"
    named = {(index.parent / target).resolve() for target in LINK.findall(index.read_text(encoding="utf-8"))}
    pages = {p for p in ROOT.glob("docs/**/*.md") if p != index and "adr" not in p.parts}
    assert pages <= named


def test_the_threats_that_promises_answer_are_in_the_list() -> None:
    promises = (ROOT / "docs/officer/promises.md").read_text(encoding="utf-8")
    cited = set(re.findall(r"^\| ([A-Z]\d+)\b", promises, re.MULTILINE))
    listed = set(re.findall(r"^\| ([A-Z]\d+) \|", THREATS, re.MULTILINE))
    assert cited
    assert cited <= listed
