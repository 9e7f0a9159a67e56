"""Reading and verifying the log."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

import typer

from pipeline import screen
from pipeline.audit import to_line
from pipeline.commands.common import ConfigOption, JsonOption, opened
from pipeline.report import sentences

app = typer.Typer(invoke_without_command=True, help="Read and verify the log of decisions.")


@app.callback()
def log(
    context: typer.Context,
    item: Annotated[int | None, typer.Option(help="Only what concerns this item.")] = None,
    person: Annotated[str | None, typer.Option(help="Only what concerns this person id.")] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Such as 2026-11-01 or 2026-11-01T14:00.")] = None,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Read the log: what was decided, about whom, why, by which rule.

    Example: beeldwacht log --person P0042 --since 2026-11-01
    """
    if context.invoked_subcommand:
        context.obj = config_file
        return
    with opened(config_file) as application:
        for entry in application.store.journal.entries(item_id=item, person_id=person, since=_since(since)):
            if json_out:
                print(to_line(entry))
                continue
            head, *rest = sentences(entry, application.settings.language)
            about = f" item {entry.item_id}" if entry.item_id else ""
            screen.say(f"{entry.at[:19]}Z #{entry.seq} {entry.kind}{about} by {entry.actor}: {head}")
            for line in rest:
                screen.say(f"    {line}")


@app.command("verify")
def log_verify(context: typer.Context, config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Check that no entry of the log was changed, removed or moved, and that the files under log/ agree.

    Example: beeldwacht log verify
    """
    with opened(config_file or context.obj) as application:
        found = application.log_flaws()
        last = application.store.journal.last_seq()
    if json_out:
        screen.as_json({"entries": last, "flaws": [{"seq": f.seq, "what": f.what} for f in found]})
    elif not found:
        screen.say(f"The log is whole: {last} entries.", "green")
    for flaw in found if not json_out else []:
        screen.complain(f"entry {flaw.seq}: {flaw.what}")
    if found:
        raise typer.Exit(1)


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date such as {date.today().isoformat()}") from None
    return moment if moment.tzinfo else moment.astimezone().astimezone(UTC)
