"""What a changed register, rule or threshold would change."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from consent_sync.changes.safeguards import recorded
from consent_sync.loader import load
from pipeline import output
from pipeline.app import now
from pipeline.commands.common import ConfigOption, JsonOption, opened
from pipeline.domain.lifecycle import State
from pipeline.domain.types import At16, Medium, Rules
from pipeline.log.what_if import Past, what_if
from pipeline.recognition.matching import ADULT, CHILD, MatchSettings


def register_what_if(
    file: Annotated[Path | None, typer.Argument(help="A register as CSV that might become the register.")] = None,
    rule: Annotated[list[str] | None, typer.Option(metavar="at_16=carry", help="A rule of [register].")] = None,
    threshold: Annotated[list[str] | None, typer.Option(metavar="adult=10.5", help="Of an age band.")] = None,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Show which published and held files would be decided otherwise; change nothing.

    Told from the recorded scores: nobody is looked at again, and who has no template yet is not found.

    Example: beeldwacht register what-if new.csv --rule at_16=carry
    """
    with opened(config_file) as application:
        store, settings = application.store, application.settings
        current = store.register.current()
        day = now().date()
        then = current
        if file is not None:
            read = load(file, on=day)
            then = recorded(current, replace(read.register(current.version + 1), rules=current.rules), read.hashed)
        then = replace(then, rules=_rules(then.rules, rule or []))
        shift = _shift(settings.matching.rules, threshold or [])
        past = [
            Past(
                i.id,
                str(i.state),
                i.event,
                i.reasons,
                store.items.verdict_rows(i.id),
                Medium.FILM if i.format.startswith("film") else Medium.PHOTO,
            )
            for state in (State.PUBLISHED, State.HELD)
            for i in store.items.all(state=state)
        ]
        changes = what_if(past, current, then, day, shift)
    if json_out:
        output.as_json(
            {
                "looked_at": len(past),
                "items": len({c.item_id for c in changes}),
                "changes": [asdict(c) for c in changes],
            }
        )
        return
    output.say(
        f"{len({c.item_id for c in changes})} of {len(past)} published and held files would be decided otherwise."
    )
    if changes:
        output.table(
            "what if",
            ["item", "state", "channel", "face", "person", "now", "then"],
            [
                [
                    str(c.item_id),
                    c.state,
                    c.channel or "-",
                    str(c.face) if c.face >= 0 else "-",
                    c.person_id or "-",
                    _said(c.before, c.shown_before),
                    _said(c.after, c.shown_after),
                ]
                for c in changes
            ],
        )


def _said(reason: str, shown: bool) -> str:
    return ("shown: " if shown else "covered: ") + reason.replace("_", " ")


def _rules(rules: Rules, said: list[str]) -> Rules:
    for text in said:
        key, _, value = text.partition("=")
        if key.strip() != "at_16" or value.strip() not in list(At16):
            raise typer.BadParameter(f"{text!r}: known is at_16={'|'.join(At16)}")
        rules = replace(rules, at_16=At16(value.strip()))
    return rules


def _shift(rules: MatchSettings, said: list[str]) -> dict[str, float]:
    """How far each threshold would move, by age band."""
    found = {}
    for text in said:
        band, _, value = text.partition("=")
        try:
            wanted = float(value)
        except ValueError:
            wanted = math.nan
        if band not in (ADULT, CHILD) or not math.isfinite(wanted):
            raise typer.BadParameter(f"{text!r}: say {ADULT}=NUMBER or {CHILD}=NUMBER")
        found[band] = wanted - rules.rule(band).threshold
    return found
