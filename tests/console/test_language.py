"""Dutch and English: no message, and no word of the program that a page shows, is without its Dutch."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from consent_sync.notices import Kind
from consent_sync.settle import Wait
from pipeline.console import i18n
from pipeline.console.pages.audit import KINDS as ENTRIES
from pipeline.console.pages.upload import KINDS
from pipeline.lifecycle import State
from pipeline.marks import MarkKind
from pipeline.reasons import HoldReason
from pipeline.store.accounts import AccountRole
from pipeline.store.spot import MARKS
from pipeline.types import Answer, EvidenceState, Medium, Reason, Role, Signer

CONSOLE = Path(i18n.__file__).parent
WORDS = (*State, *AccountRole, *Reason, *HoldReason, *Medium, *Answer, *Role, *Signer, *EvidenceState, *MarkKind, *Kind,
         *Wait, *KINDS, *ENTRIES, *MARKS)  # fmt: skip


def messages() -> set[str]:
    found = extract_from_dir(
        CONSOLE, [("**.py", "python"), ("templates/**.html", "jinja2")],
        options_map={"templates/**.html": {"newstyle_gettext": "true"}}, keywords={"_": None, "gettext": None},
    )  # fmt: skip
    return {str(text) for _, _, text, _, _ in found}


def test_everything_that_a_page_says_is_there_in_dutch() -> None:
    with (i18n.LOCALES / "nl" / "console.po").open("rb") as f:
        dutch = {str(m.id): str(m.string) for m in read_po(f) if m.id}
    wanted = messages() | {str(w).replace("_", " ") for w in WORDS}
    assert len(wanted) > 400
    assert sorted(w for w in wanted if not dutch.get(w)) == []


def test_what_stands_in_braces_stands_in_both_languages() -> None:
    import re

    with (i18n.LOCALES / "nl" / "console.po").open("rb") as f:
        for m in read_po(f):
            holes = [sorted(re.findall(r"%\(\w+\)s|\{\w*\}", str(t))) for t in (m.id, m.string)]
            assert holes[0] == holes[1], m.id


@pytest.mark.parametrize(
    ("cookie", "accept", "language"),
    [
        ("", "nl-NL,nl;q=0.9,en;q=0.8", "nl"),
        ("", "de-DE,en-GB;q=0.7,nl;q=0.3", "en"),
        ("", "en;q=0.2, nl;q=0.9", "nl"),
        ("nl", "en", "nl"),
        ("xx", "fr", "en"),
        ("", "nl;q=0, en;q=0", "en"),
        ("", ";q=x,,;;;" * 50, "en"),
    ],
)
def test_the_browser_chooses_and_the_switch_wins(cookie: str, accept: str, language: str) -> None:
    assert i18n.chosen(cookie, accept, "en") == language
