"""What somebody asks for where he or she is: withdrawal, objection, restriction; and its end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline import output
from pipeline.commands.common import ConfigOption, JsonOption, opened, who
from pipeline.domain.types import JsonObject, StopKind
from pipeline.officer import consent_stops
from pipeline.store.stops import Asked

app = typer.Typer(no_args_is_help=True, help="A no that arrives here: it outranks the source of the register.")
ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Who writes it down; it is logged.")]
WhyOption = Annotated[str, typer.Option("--why", help="What was asked, and by whom. The log holds a seal of it.")]
MediumOption = Annotated[str, typer.Option("--medium", help="photo, film, sound or matching. Without: all of them.")]
ChannelOption = Annotated[str, typer.Option("--channel", help="One channel. Without: all of them.")]


@app.command("withdraw")
def withdraw(
    person: str,
    why: WhyOption,
    by: ByOption,
    medium: MediumOption = "",
    channel: ChannelOption = "",
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Take consent back (GDPR art. 7(3)). It counts at once, and until the school's register says no itself.

    Example: beeldwacht consent withdraw P0042 --medium photo --channel personal --why "mother called" --by "A. de Boer"
    """
    _ask(StopKind.WITHDRAWAL, person, why, by, (medium, channel), config_file, json_out)


@app.command("object")
def object_(
    person: str,
    why: WhyOption,
    by: ByOption,
    medium: MediumOption = "",
    channel: ChannelOption = "",
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Object (GDPR art. 21). It counts until somebody lifts it by name.

    Example: beeldwacht consent object P0042 --why "does not want it" --by "A. de Boer"
    """
    _ask(StopKind.OBJECTION, person, why, by, (medium, channel), config_file, json_out)


@app.command("restrict")
def restrict(
    person: str,
    why: WhyOption,
    by: ByOption,
    medium: MediumOption = "",
    channel: ChannelOption = "",
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Restrict the processing while a question is settled (GDPR art. 18). It counts until somebody lifts it by name.

    Example: beeldwacht consent restrict P0042 --why "parents disagree" --by "A. de Boer"
    """
    _ask(StopKind.RESTRICTION, person, why, by, (medium, channel), config_file, json_out)


@app.command("lift")
def lift(
    number: int, why: WhyOption, by: ByOption, config_file: ConfigOption = None, json_out: JsonOption = False
) -> None:
    """End what was asked for: the school's register counts again. What was covered stays covered until staff ask.

    Example: beeldwacht consent lift 3 --why "the parents agree" --by "A. de Boer"
    """
    with opened(config_file) as application:
        asked = consent_stops.lift(application.context, number, why, who(application, by))
        application.write_log_files()
    if json_out:
        output.as_json(_facts(asked))
    else:
        output.say(f"Number {number} of {asked.person_id} does not count any more.", "green")


@app.command("list")
def list_(
    person: Annotated[str, typer.Argument(help="A person's id. Without: everybody.")] = "",
    ended: Annotated[bool, typer.Option("--all", help="Also what has ended.")] = False,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """List what was asked for here and outranks the source of the register.

    Example: beeldwacht consent list P0042 --all
    """
    with opened(config_file) as application:
        found = application.store.stops.all(person or None, standing=not ended)
    if json_out:
        output.as_json([_facts(a) for a in found])
        return
    rows = [_row(a) for a in found]
    columns = ["number", "person", "what", "medium", "channel", "on", "by", "why", "ended by"]
    output.table("asked for here", columns, rows)


def _ask(
    kind: StopKind,
    person: str,
    why: str,
    by: str,
    about: tuple[str, str],
    config_file: Path | None,
    json_out: bool,
) -> None:
    with opened(config_file) as application:
        asked, found = consent_stops.ask(application.context, person, kind, *about, why, who(application, by))
        at_once = application.settings.register.recall == "at once"
        application.write_log_files()
    if json_out:
        output.as_json({**_facts(asked), "items": list(found.items), "taken_back": at_once})
        return
    output.say(f"Number {asked.stop.number}: it counts from now on.", "green")
    if found.items:
        then = (
            "left the publish folder and are replaced by the service" if at_once else "wait: beeldwacht recall --apply"
        )
        output.say(f"{len(found.items)} published items {then}.", "yellow")


def _row(a: Asked) -> list[str]:
    about = [str(a.stop.number), a.person_id, a.stop.kind, a.stop.medium or "all", a.stop.channel or "all"]
    return [*about, a.made_at[:10], a.made_by, a.why, a.ended_by or ""]


def _facts(asked: Asked) -> JsonObject:
    return {
        "number": asked.stop.number,
        "person": asked.person_id,
        "kind": asked.stop.kind,
        "medium": asked.stop.medium or "",
        "channel": asked.stop.channel,
        "why": asked.why,
        "by": asked.made_by,
        "at": asked.made_at,
        "ended_by": asked.ended_by,
        "ended_at": asked.ended_at,
    }
