"""One event: naming the faces that nobody is known for."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline import output
from pipeline.app import App, now
from pipeline.commands.common import ConfigOption, JsonOption, opened, progress, who
from pipeline.errors import BeeldwachtError
from pipeline.officer import events
from pipeline.officer.actions import reason
from pipeline.officer.event_faces import Cluster, contact_sheet, gather, name_cluster
from pipeline.sandbox.client import MediaClient
from pipeline.service.service import media_options

app = typer.Typer(no_args_is_help=True, help="One event: what it was, and its unknown faces.")


@app.command("correct")
def event_correct(
    event: str,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so; it is logged.")],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why; it is logged.")],
    title: Annotated[str | None, typer.Option(help="What it was.")] = None,
    day: Annotated[str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="On which day; empty: none.")] = None,
    kind: Annotated[str | None, typer.Option(help='Such as "lesson" or "distance lesson".')] = None,
    groups: Annotated[list[str] | None, typer.Option("--group", help="A class that was there; all of them.")] = None,
    people: Annotated[list[str] | None, typer.Option("--person", help="Who was there besides, by id.")] = None,
    permission: Annotated[str | None, typer.Option(help="Who allowed recording in a lesson, and when.")] = None,
    uploader: Annotated[str | None, typer.Option(help="Who dropped the files.")] = None,
    redo: Annotated[bool, typer.Option("--redo", help="Decide and publish anew what is published.")] = False,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Correct what an event was; what is not given stays. Its files are decided again.

    Published files that may not stand any more are taken back and replaced, the others stay. Where the event's folder
    is in the inbox its event.toml is written anew; changing that file by hand does the same.

    Example: beeldwacht event correct sports-day --kind lesson --group 1A --by "M. Bakker" --why "it was a gym lesson"
    """
    with opened(config_file) as application:
        found = events.occasion(application.context, event).event
        given: dict[str, Any] = {"title": title, "kind": kind, "permission": permission, "uploader": uploader}
        given |= {"groups": tuple(groups) if groups else None, "people": tuple(people) if people else None}
        new = replace(found, **{k: v for k, v in given.items() if v is not None})
        if day is not None:
            new = replace(new, date=_day(day))
        done = events.correct(application.context, event, new, who(application, by), reason(why), redo)
        application.write_log_files()
    if json_out:
        output.as_json({"changed": done.changed, "taken_back": list(done.taken_back)})
    else:
        output.say(f"{done.changed} files have the new facts; {len(done.taken_back)} published ones were taken back.")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text.strip() else None
    except ValueError:
        raise BeeldwachtError(f"{text} is not a day.", "Write it as 2026-11-01.") from None


@app.command("name")
def event_name(
    event: str,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so; it is logged.")],
    redo: Annotated[bool, typer.Option("--redo", help="Decide and publish anew what is published.")] = False,
    least: Annotated[int, typer.Option(min=1, help="Offer only faces that are in so many photos.")] = 1,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Show each unknown face of an event once, with all photos it is in, and ask who it is.

    Answer with the id of a person, with numbers behind it to leave faces out (P0042 3 5); nothing leaves them covered;
    q ends. The contact sheets are private files that are removed at the end.

    Example: beeldwacht event name sports-day --by "M. Bakker"
    """
    with opened(config_file) as application:
        media_client = MediaClient(media_options(application.context))
        sheets = application.settings.path("data") / f"sheets-{os.getpid()}"
        try:
            with progress(json_out) as bar:
                task = bar.add_task("looking at photos")
                found = gather(
                    application.context,
                    media_client,
                    event,
                    lambda done, of: bar.update(task, completed=done, total=of),
                )
            found = [c for c in found if len(c) >= least]
            sheets.mkdir(mode=0o700)
            answers = _ask(application, media_client, sheets, found, who(application, by), redo, json_out)
        finally:
            media_client.close()
            shutil.rmtree(sheets, ignore_errors=True)
            application.write_log_files()
    faces = sum(a[1] for a in answers)
    if json_out:
        output.as_json({"clusters": len(found), "decisions": len(answers), "faces": faces})
    else:
        output.say(f"{len(found)} different faces, {len(answers)} named in {faces} places.", "green")


def _ask(
    application: App, media_client: MediaClient, sheets: Path, found: list[Cluster], by: str, redo: bool, quiet: bool
) -> list[tuple[str, int]]:
    """Offer every cluster once; returns who was named, and in how many places."""
    context = application.context
    answers: list[tuple[str, int]] = []
    for number, cluster in enumerate(found, 1):
        title = f"Face {number} of {len(found)}, in {len(cluster)} photos"
        page = sheets / f"face-{number:03}.html"
        page.touch(mode=0o600)
        page.write_text(contact_sheet(context, media_client, cluster, title), encoding="utf-8")
        for item in sorted({u.item for u in cluster}):
            context.store.review.viewed(now(), by, item)
        while True:
            try:
                said = _answer(f"{title}: {page}\nWho is it?")
            except typer.Abort:  # the input ended: what was named stays
                return answers
            if not said or said == ["q"]:
                break
            try:
                leave = [int(x) for x in said[1:]]
                named, refused = name_cluster(context, cluster, said[0], by, redo, leave)
            except ValueError:
                output.complain("Answer with an id, and the numbers of faces to leave out.")
            except BeeldwachtError as e:
                output.complain(str(e))
            else:
                answers.append((said[0], named))
                for why in refused:
                    output.complain(why)
                break
        if said == ["q"]:
            break
    return answers


def _answer(question: str) -> list[str]:
    said: str = typer.prompt(question, default="", show_default=False, prompt_suffix=" ", err=True)
    return said.split()
