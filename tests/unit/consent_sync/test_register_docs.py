"""The examples of docs/operator/register.md: each configures its source, and the first one works."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

from consent_sync.loader import load_spec
from consent_sync.sources.base import find, names
from pipeline.app import register_spec
from pipeline.config import Settings, load
from pipeline.domain.types import Medium
from pipeline.rules.reasons import ARTICLES
from pipeline.rules.verdicts import may_in

DOC = (Path(__file__).resolve().parents[3] / "docs" / "operator" / "register.md").read_text(encoding="utf-8")
CONFIGURATIONS = re.findall(r"```toml\n(.*?)```", DOC, re.DOTALL)
TABLES = re.findall(r"```\n(Leerlingnummer.*?)```", DOC, re.DOTALL)


def settings(folder: Path, text: str) -> Settings:
    (folder / "beeldwacht.toml").write_text(text, encoding="utf-8")
    return load(folder / "beeldwacht.toml")


def test_every_source_has_an_example() -> None:
    assert {tomllib.loads(c)["register"]["source"] for c in CONFIGURATIONS} == set(names())


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_each_example_is_a_configuration(tmp_path: Path, text: str) -> None:
    spec = register_spec(settings(tmp_path, text))
    for part in (spec, spec.sheet):
        if part is not None:
            assert find(part.source, "x").configured(part.options)
            assert part.translation.problems() == []


def test_the_example_of_an_export_works(tmp_path: Path) -> None:
    spec = register_spec(settings(tmp_path, CONFIGURATIONS[0]))
    (tmp_path / "register" / "forms").mkdir(parents=True)
    (tmp_path / "register" / "leerlingen.csv").write_text(TABLES[0], encoding="cp1252")
    for number in ("1001", "1002"):
        (tmp_path / "register" / "forms" / f"{number}.pdf").write_bytes(b"%PDF-1.4")
    read = load_spec(spec, on=date(2026, 11, 1))
    assert read.problems == ()
    register = read.register(1)
    shown = {
        (p, c)
        for p, m, c in register.consents
        if m is Medium.PHOTO and may_in(register, p, m, c, date(2026, 11, 1)).allowed
    }
    assert shown == {("1001", "website"), ("1001", "ouderapp"), ("1002", "ouderapp")}


def test_the_reasons_in_the_table_exist() -> None:
    table = DOC.split("## The rules, in order")[1].split("- **Under 16**")[0]
    named = set(re.findall(r"`([a-z_]+)`", table))
    assert named <= {str(r) for r in ARTICLES}
    assert len(named) == 16
