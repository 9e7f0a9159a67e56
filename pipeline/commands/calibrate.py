"""How well matching does on this school's own people."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline import output
from pipeline.app import now, user
from pipeline.commands.common import ConfigOption, JsonOption, opened
from pipeline.errors import BeeldwachtError
from pipeline.recognition.calibration import calibrate as measure

KIND = "matching.calibrated"


def calibrate(
    strangers: Annotated[
        float, typer.Option(min=0, help="How many people outside the register a photo shows on average.")
    ] = 5.0,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Measure matching on the school's own templates: wrong shows to expect, thresholds, and pairs to mind.

    Nothing is changed; the figures go into the log and into `records dpia`.

    Example: beeldwacht calibrate --strangers 8
    """
    with opened(config_file) as application:
        store, on = application.store, now().date()
        gallery = application.context.galleries.whole(store.register.current(), on)
        if gallery.unreadable or not gallery.enabled:
            raise BeeldwachtError(
                "There is nothing to measure: matching is off, or the templates cannot be opened.",
                "See `beeldwacht doctor`.",
            )
        found = measure(gallery.templates, gallery.bands, gallery.settings)
        if found.people < 2:
            raise BeeldwachtError(
                "There are templates of fewer than two people: nobody can be compared.",
                "Load a register with portraits first.",
            )
        facts = found.facts(strangers)
        pairs = [{"first": a, "second": b, "score": round(score, 2)} for a, b, score in found.pairs]
        people = sorted({p for a, b, _ in found.pairs for p in (a, b)})
        store.journal.note(now(), KIND, user(), {**facts, "pairs": pairs}, people)
        application.write_log_files()
    if json_out:
        output.as_json({**facts, "pairs": pairs})
        return
    for name, value in facts.items():
        output.say(f"{name}: {value}")
    for band, value in found.proposed.items():
        if value > gallery.settings.rule(band).threshold:
            output.say(f"raise the threshold for {band} to {value:.2f} ([matching.rules.{band}])", "yellow")
    for pair in pairs:
        output.say(f"{pair['first']} and {pair['second']} come close: {pair['score']}", "yellow")
