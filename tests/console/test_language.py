"""Dutch and English: no message, and no word of the program that a page shows, is without its Dutch."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from consent_sync.changes.safeguards import Wait
from consent_sync.notices import Kind
from pipeline.console import i18n
from pipeline.console.pages.audit import KINDS as ENTRIES
from pipeline.console.pages.upload import KINDS
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Answer, EvidenceState, Medium, Reason, Role, Signer, StopKind
from pipeline.redaction.manual_marks import AnnotationKind
from pipeline.rules.reasons import HoldReason
from pipeline.store.accounts import AccountRole
from pipeline.store.spot_checks import MARKS

CONSOLE = Path(i18n.__file__).parent
PIPELINE = CONSOLE.parent
RAISING = (
    "officer/actions.py",
    "publishing/recall.py",
    *(
        f"store/{n}.py"
        for n in (
            "accounts",
            "log",
            "hand_names",
            "places",
            "recalls",
            "review",
            "stops",
            "tombstones",
            "spot_checks",
            "uploads",
        )
    ),
)
INNER = {"ValueError", "StartupError", "FileNotFoundError", "SignInError", "NotFound", "SystemExit"}
"""Errors that no page shows, or in words of its own."""
WORDS = (
    *State,
    *AccountRole,
    *Reason,
    *HoldReason,
    *Medium,
    *Answer,
    *StopKind,
    *Role,
    *Signer,
    *EvidenceState,
    *AnnotationKind,
    *Kind,
    *Wait,
    *KINDS,
    *ENTRIES,
    *MARKS,
)


def messages() -> set[str]:
    found = extract_from_dir(
        CONSOLE,
        [("**.py", "python"), ("templates/**.html", "jinja2")],
        options_map={"templates/**.html": {"newstyle_gettext": "true"}},
        keywords={"_": None, "gettext": None},
    )
    return {str(text) for _, _, text, _, _ in found}


def test_everything_that_a_page_says_is_there_in_dutch() -> None:
    with (i18n.LOCALES / "nl" / "console.po").open("rb") as f:
        dutch = {str(m.id): str(m.string) for m in read_po(f) if m.id}
    wanted = messages() | {str(w).replace("_", " ") for w in WORDS}
    assert len(wanted) > 400
    assert sorted(w for w in wanted if not dutch.get(w)) == []


def told(node: ast.expr) -> str:
    """A literal as the catalogue has it: {} for each value."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def errors() -> set[str]:
    """What the errors say that an act on a page can raise; remedies that name a command are left out on pages."""
    found = set()
    for path in (*CONSOLE.rglob("*.py"), *(PIPELINE / name for name in RAISING)):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Raise(exc=ast.Call(func=ast.Name(id=name), args=said)) if name not in INNER:
                    found |= {told(a) for a in said}
    return {text for text in found if re.search("[A-Za-z]{3}", text) and "beeldwacht " not in text}


def test_what_errors_say_is_said_in_dutch() -> None:
    known = set(i18n.messages())
    assert len(errors()) > 50
    assert sorted(errors() - known) == []
    dutch = i18n.Sentences(i18n.catalogues()["nl"], i18n.messages())
    assert dutch.translated("Item 7 is published: this cannot be done with it.") == (
        "Bestand 7 is gepubliceerd: dit kan er niet mee."
    )
    assert dutch.translated("Item 7, face 2: nobody gave it a name.") == (
        "Bestand 7, gezicht 2: niemand gaf het een naam."
    )
    assert dutch.translated("What nobody wrote down {} (yet)") == "What nobody wrote down {} (yet)"


def test_what_stands_in_braces_stands_in_both_languages() -> None:
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
