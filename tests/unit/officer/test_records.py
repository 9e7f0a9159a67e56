"""Every sentence of a record follows from the configuration: each value is changed, and its sentence has to change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from pipeline.config import Settings
from pipeline.officer import privacy_notice
from pipeline.officer.impact_assessment import dpia, reminders
from pipeline.officer.processing_record import art30, markdown
from pipeline.recognition.matching import BandRule, EngineScale, MatchSettings

SILENT = {
    "root": "where the files are",
    "language": "in which language, asked for apart",
    "folders": "where the files are",
    "watch": "when a file is taken",
    "work": "how much work at once",
    "film.max_minutes": "what is too long is refused",
    "film.max_megapixels": "what is too large is refused",
    "film.max_rate": "how fast the result plays",
    "film.threads": "how much work at once",
    "film.patience_seconds": "when work is given up",
    "film.slowest": "when work is given up",
    "keys.": "where exactly the keys are",
    "register.folder": "where the files are",
    "register.options": "where the files are",
    "register.sheet": "where the files are",
    "register.columns": "what the columns are called",
    "register.values": "what the columns are called",
    "register.constants": "what the columns are called",
    "register.settle_seconds": "when a file is taken",
    "console.host": "where it listens",
    "console.port": "where it listens",
    "console.address": "where it listens",
    "console.tls": "where it listens",
    "console.behind_proxy": "where it listens",
    "console.database_mib": "how much room it takes",
    "console.upload_quota_mib": "how much room it takes",
    "console.oidc.": "how it signs in; the issuer is named",
    "alarms.": "when and how it warns; to whom is named",
    "metrics": "figures without people",
    "log.": "how its files are cut; the second place is named",
}
"""Values that say nothing about people's data, and why. A new setting is here, or in a sentence."""
SPOKEN = {"keys.source", "console.oidc.issuer", "alarms.webhook", "alarms.mail_to", "log.anchor"}
BASE: dict[str, Any] = {
    "matching": {
        "enabled": True,
        "dpia_reference": "DPIA 1",
        "decided_by": "het bestuur",
        "dpo_advice": "yes",
        "prior_consultation": "not needed",
    },
    "register": {"source": "csv"},
    "console": {"enabled": True},
}


def settings(**changed: Any) -> Settings:
    values = {k: dict(v) if isinstance(v, dict) else v for k, v in BASE.items()}
    for path, value in changed.items():
        place, *rest = path.split("__")
        target = values
        for part in (place, *rest)[:-1]:
            target = target.setdefault(part, {})
        target[(place, *rest)[-1]] = value
    return Settings(**values)


def texts(s: Settings, language: str) -> str:
    counts = {"people": 3}
    parts = [art30(s, counts, language), dpia(s, counts, {"sface": "ab"}, [], None, language)]
    return "\n".join([*(markdown("t", p) for p in parts), privacy_notice.text(s, language)])


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        inner = next((a for a in (kind, *get_args(kind)) if isinstance(a, type) and issubclass(a, BaseModel)), None)
        if inner is not None:
            yield from leaves(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", kind


LEAVES = dict(leaves(Settings))
TOLD = sorted(k for k in LEAVES if k in SPOKEN or not any(k == s or k.startswith(s) for s in SILENT))
OTHER: dict[str, Any] = {
    "school": "De Klimop",
    "channels": ("website",),
    "film.sound": "strict",
    "detection.detectors": ("yunet",),
    "matching.enabled": False,
    "matching.review_on": "2027-06-01",
    "matching.embedders": ("dlib", "sface"),
    "matching.rules": MatchSettings(adult=BandRule(6.5, 2.0, 5e-7, smallest=28.0, small=40.0, small_extra=0.35)),
    "keys.source": "keyring",
    "redaction.style": "block",
    "redaction.channels": {"school": "block"},
    "redaction.cover": "head",
    "register.source": "sql",
    "register.recall": "ask",
    "register.at_16": "carry",
    "console.enabled": False,
    "console.second_factor": ("officer",),
    "console.oidc.issuer": "https://login.school.example",
    "alarms.webhook": "https://alarm.school.example/x",
    "alarms.mail_to": ("ict@school.example",),
    "log.anchor": "/mnt/board",
    "database.url": "postgresql://db/x",
}


@pytest.mark.parametrize("language", ["en", "nl"])
@pytest.mark.parametrize("path", TOLD)
def test_a_value_that_changes_changes_its_sentence(path: str, language: str) -> None:
    place = path.replace(".", "__")
    if path in OTHER:
        other = OTHER[path]
    else:
        was = settings()
        for part in path.split("."):
            was = getattr(was, part)
        other = was + 7 if isinstance(was, (int, float)) and not isinstance(was, Enum) else "something else"
    more = {"console__oidc__client_id": "x", "console__oidc__groups": {"g": ("uploader",)}} if "oidc" in path else {}
    changed = settings(**{place: other, **more})
    assert texts(changed, language) != texts(settings(**more), language), f"no sentence says {path}"


def test_every_setting_is_told_or_named_as_saying_nothing() -> None:
    assert len(TOLD) >= 30 and {"film.sound", "retention.originals_days", "matching.review_on"} <= set(TOLD)
    assert all(any(k == s or k.startswith(s) for k in LEAVES) for s in SILENT), "a name that no setting has any more"


def test_scales_and_bands_of_matching_are_told() -> None:
    scale = MatchSettings(engines={"sface": EngineScale(0.1, 0.1), "dlib": EngineScale(0.8, 0.04, 0.7)})
    child = MatchSettings(child=BandRule(8.0, 4.5, 1e-3, smallest=40.0, small=80.0, small_extra=1.0))
    for rules in (scale, child):
        assert texts(settings(matching__rules=rules), "en") != texts(settings(), "en")


def test_what_is_kept_is_what_is_configured() -> None:
    assert "Originals: 90 days" in texts(settings(retention__originals_days=90), "en").replace("originals", "Originals")
    forever = texts(settings(retention__originals_days=0), "nl")
    assert "geen termijn ingesteld" in forever and "365" not in forever
    off = Settings(matching={"enabled": False})
    for language, words in (("en", ("biometric", "9(2)(a)")), ("nl", ("biometrisch", "9 lid 2"))):
        assert not any(w in texts(off, language) for w in words)


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_word_to_parents_is_one_page_of_plain_words(language: str) -> None:
    text = privacy_notice.text(settings(privacy__contact="0123", privacy__dpo="fg@school.example"), language)
    words = text.split()
    sentences = [s for s in text.replace(":", ".").replace(";", ".").split(".") if len(s.split()) > 1]
    assert 200 < len(words) < 480 and "fg@school.example" in text
    assert len(words) / len(sentences) < 13
    assert max(len(s.split()) for s in sentences) < 40


def test_no_english_in_dutch() -> None:
    told = texts(settings(), "nl").lower().split()
    assert not {"the", "and", "none", "nobody", "until", "staff", "by", "kept", "every"} & set(told)


def test_the_assessment_is_remembered(tmp_path: Path) -> None:
    on = date(2026, 11, 1)
    bare = settings(matching__dpo_advice="", matching__prior_consultation="")
    assert len(reminders(bare, on)) == 3 and reminders(bare, on) != reminders(bare, on, "nl")
    whole = {"matching__review_on": on + timedelta(days=61)}
    assert reminders(settings(**whole), on) == []
    (soon,) = reminders(settings(matching__review_on=on + timedelta(days=60)), on)
    assert "2026-12-31" in soon
    assert reminders(settings(matching__enabled=False), on) == []
