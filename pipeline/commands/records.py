"""What the law asks to be written down, from the configuration that runs."""

from __future__ import annotations

import json

import typer

from pipeline import output
from pipeline.app import App
from pipeline.commands.common import ConfigOption, JsonOption, opened
from pipeline.domain.types import JsonObject
from pipeline.officer import processing_record

app = typer.Typer(no_args_is_help=True, help="The record of processing and the facts for an impact assessment.")


@app.command("art30")
def art30(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Print the record of processing activities (GDPR art. 30) as Markdown or JSON.

    Example: beeldwacht records art30 > record.md
    """
    with opened(config_file) as application:
        chapters = processing_record.art30(application.settings, _counts(application))
    _show("Record of processing activities (GDPR art. 30)", chapters, json_out)


@app.command("dpia")
def dpia(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Print the facts for a data protection impact assessment (GDPR art. 35): engines, thresholds, periods, numbers.

    Example: beeldwacht records dpia > facts.md
    """
    with opened(config_file) as application:
        starts: list[JsonObject] = []
        for entry in application.store.journal.entries(kind="service.started"):
            said = json.loads(entry.body)["matching"]
            if not starts or starts[-1]["matching"] != said:
                starts.append({"since": entry.at[:10], "matching": said})
        calibration: JsonObject | None = None
        for entry in application.store.journal.entries(kind="matching.calibrated"):
            calibration = {"measured on": entry.at[:10], **json.loads(entry.body)}
        if calibration:
            calibration["pairs"] = len(calibration["pairs"])
        engines = application.context.engines
        chapters = processing_record.dpia(application.settings, _counts(application), engines, starts, calibration)
    _show("Facts for the impact assessment (GDPR art. 35)", chapters, json_out)


def _counts(application: App) -> dict[str, int]:
    store = application.store
    register = store.register.current()
    templates = store.templates.counts()
    return {
        "people in the register": len(register.people),
        "people with templates": templates["people"],
        "templates": templates["templates"],
        "pairs of look-alikes": len(store.templates.lookalikes()),
        "originals": sum(store.items.counts().values()),
    }


def _show(title: str, chapters: processing_record.Chapters, json_out: bool) -> None:
    if json_out:
        output.as_json(chapters)
    else:
        print(processing_record.markdown(title, chapters))
