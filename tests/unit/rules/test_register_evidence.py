"""Forms and portraits: what counts as evidence, and what is not even opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.domain.types import Medium, Reason
from pipeline.rules.verdicts import may_in
from tests.unit.consent_sync.test_register_csv import ALL, EXPECTED, KIM, ON, allowed, read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "form.pdf").write_bytes(b"%PDF-1.4")
    return tmp_path


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ("gone.pdf", "no such form"),
        ("empty.pdf", "is empty"),
        ("folder", "not a file"),
        ("pipe", "not a file"),
        ("../outside.pdf", "without .."),
        ("folder/../form.pdf", "without .."),
        ("/etc/hostname", "relative"),
        ("C:\\form.pdf", "relative"),
        ("\\\\server\\form.pdf", "relative"),
        ("link-out.pdf", "out of the register's folder"),
        ("folder-out/outside.pdf", "out of the register's folder"),
        ("circle", "cannot be"),
        ("x" * 5000, "cannot be"),
    ],
)
def test_what_is_no_evidence(tmp_path: Path, form: str, why: str) -> None:
    folder = tmp_path / "school"
    (folder / "folder").mkdir(parents=True)
    (tmp_path / "outside.pdf").write_bytes(b"%PDF")
    (folder / "form.pdf").write_bytes(b"%PDF")
    (folder / "empty.pdf").touch()
    os.mkfifo(folder / "pipe")
    (folder / "link-out.pdf").symlink_to(tmp_path / "outside.pdf")
    (folder / "folder-out").symlink_to(tmp_path)
    (folder / "circle").symlink_to(folder / "circle")
    register = read(folder, ALL.replace(KIM, KIM.replace("form.pdf", form)))
    assert may_in(register.register(1), "P1", Medium.PHOTO, "school", ON).reason is Reason.NO_EVIDENCE
    (problem,) = register.problems
    assert (problem.row, problem.column, problem.person_id) == (2, "form", "P1")
    assert why in problem.expected
    assert allowed(register) == {e for e in EXPECTED if e[0] != "P1"}


@pytest.mark.parametrize("form", ["form.pdf", "forms\\P1.pdf", "forms/P1.pdf", "./forms/P1.pdf", "link.pdf"])
def test_what_is_evidence(folder: Path, form: str) -> None:
    (folder / "forms").mkdir()
    (folder / "forms" / "P1.pdf").write_bytes(b"%PDF")
    (folder / "link.pdf").symlink_to("forms/P1.pdf")
    register = read(folder, ALL.replace(KIM, KIM.replace("form.pdf", form)))
    assert (allowed(register), register.problems) == (EXPECTED, ())


def test_no_form_named_is_silent_no_evidence(folder: Path) -> None:
    register = read(folder, ALL.replace(KIM, KIM.replace("form.pdf", "")))
    assert may_in(register.register(1), "P1", Medium.PHOTO, "school", ON).reason is Reason.NO_EVIDENCE
    assert register.problems == ()


def test_portraits(folder: Path) -> None:
    home = folder / "portraits" / "P1"
    home.mkdir(parents=True)
    for name in ("2.JPG", "1.jpeg", "3.png", "4.heic", "5.webp"):
        (home / name).write_bytes(name.encode())
    for name in ("notes.txt", ".hidden.jpg", "Thumbs.db"):
        (home / name).write_bytes(b"x")
    (home / "6.jpg").touch()
    (home / "7.jpg").mkdir()
    (home / "8.jpg").symlink_to("/etc/hostname")
    register = read(folder, ALL)
    assert [p.path.name for p in register.portraits["P1"]] == ["1.jpeg", "2.JPG", "3.png", "4.heic", "5.webp"]
    assert len({p.sha256 for p in register.portraits["P1"]}) == 5
    assert {p.expected.partition("but ")[2] for p in register.problems} == {
        "the portrait is empty",
        "the portrait is not a file",
        "the path leads out of the register's folder",
    }
    assert set(register.portraits) == {"P1"}


@pytest.mark.parametrize("answer", ["no", "", "perhaps"])
def test_portraits_of_those_who_did_not_agree_are_reported_and_not_opened(folder: Path, answer: str) -> None:
    home = folder / "portraits" / "P1"
    home.mkdir(parents=True)
    os.mkfifo(home / "1.jpg")  # opening it to read would show as another problem
    register = read(folder, ALL.replace(KIM, KIM.replace("form.pdf,yes", f"form.pdf,{answer}")))
    assert register.portraits == {}
    assert "delete the portraits" in register.problems[-1].expected


def test_too_many_portraits(folder: Path) -> None:
    home = folder / "portraits" / "P1"
    home.mkdir(parents=True)
    for n in range(30):
        (home / f"{n:02}.jpg").write_bytes(b"x")
    register = read(folder, ALL)
    assert len(register.portraits["P1"]) == 20
    assert "more than 20" in register.problems[0].expected
