"""What the records say besides the configuration: counts, when matching was switched, and what was measured."""

from __future__ import annotations

import json

from pipeline.domain.types import JsonObject
from pipeline.officer import privacy_notice
from pipeline.officer.impact_assessment import dpia
from pipeline.officer.processing_record import Chapters, art30
from pipeline.officer.record_words import sayer
from pipeline.processing.context import Context

KINDS = ("art30", "dpia", "notice")


def title(kind: str, context: Context, language: str) -> str:
    """The heading of a record."""
    say = sayer(language)
    if kind == "notice":
        return privacy_notice.title(context.settings, language)
    if kind == "dpia":
        return say("Facts for the impact assessment (GDPR art. 35)", "Feiten voor de effectbeoordeling (AVG art. 35)")
    return say("Record of processing activities (GDPR art. 30)", "Register van verwerkingen (AVG art. 30)")


def chapters(kind: str, context: Context, language: str) -> Chapters:
    """The record of processing, or the facts for the impact assessment, as they are now."""
    settings = context.settings
    if kind == "art30":
        return art30(settings, counts(context, language), language)
    return dpia(settings, counts(context, language), context.engines, _starts(context), _calibration(context), language)


def counts(context: Context, language: str) -> dict[str, int]:
    """How many people, templates and originals there are."""
    say, store = sayer(language), context.store
    templates = store.templates.counts()
    return {
        say("people in the register", "mensen in het register"): len(store.register.current().people),
        say("people with templates", "mensen met sjablonen"): templates["people"],
        say("templates", "sjablonen"): templates["templates"],
        say("pairs of look-alikes", "paren dubbelgangers"): len(store.templates.lookalikes()),
        say("originals", "originelen"): sum(store.items.counts().values()),
    }


def _starts(context: Context) -> list[JsonObject]:
    found: list[JsonObject] = []
    for entry in context.store.journal.entries(kind="service.started"):
        said = json.loads(entry.body)["matching"]
        if not found or found[-1]["matching"] != said:
            found.append({"since": entry.at[:10], "matching": said})
    return found


def _calibration(context: Context) -> JsonObject | None:
    found: JsonObject | None = None
    for entry in context.store.journal.entries(kind="matching.calibrated"):
        found = {"measured on": entry.at[:10], **json.loads(entry.body)}
    if found:
        found["pairs"] = len(found["pairs"])
    return found
