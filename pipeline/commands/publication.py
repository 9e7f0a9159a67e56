"""Where published files went, and the tasks to take them down there."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from pipeline import output
from pipeline.app import App, now
from pipeline.commands.common import ConfigOption, JsonOption, opened, who
from pipeline.errors import BeeldwachtError
from pipeline.files.publish_audit import patrol
from pipeline.officer.actions import reason

app = typer.Typer(no_args_is_help=True, help="Where published files went.")
ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so; it is logged.")]


@app.command("note")
def note(
    target: Annotated[str, typer.Argument(help="The item's number, or the file's path in the publish folder.")],
    where: Annotated[str, typer.Option("--where", metavar="URL", help="Where it was put: an address, or in words.")],
    by: ByOption,
    channel: Annotated[str, typer.Option(help="The channel, when an item's number is given.")] = "",
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Note where a published file was put, so that a recall reaches it there.

    Example: beeldwacht publication note school/sports-day/IMG_1.jpg --where https://... --by "M. Bakker"
    """
    with opened(config_file) as application:
        item, of_channel, sha256 = _find(application, target, channel)
        number = application.store.places.note(now(), who(application, by), item, of_channel, sha256, where.strip())
        application.write_log_files()
    if json_out:
        output.as_json({"note": number, "item": item, "channel": of_channel, "sha256": sha256})
    else:
        output.say(f"Noted as {number}: item {item}, {of_channel or 'any channel'}, at {where}.", "green")


@app.command("done")
def done(task: int, by: ByOption, config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Report that a file was taken down, or replaced, at a place.

    Example: beeldwacht publication done 3 --by "M. Bakker"
    """
    with opened(config_file) as application:
        place = application.store.places.done(now(), who(application, by), task)
        left = len(application.store.places.all(open_only=True))
        application.write_log_files()
    if json_out:
        output.as_json({"task": place.id, "item": place.item_id, "state": place.state, "still_open": left})
    else:
        output.say(f"Task {place.id} is done. {left} tasks are open.", "green")


@app.command("forget-report")
def forget_report(
    incident: int,
    why: Annotated[str, typer.Option("--why", help="Why; it is logged.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who decided; it is logged.")],
    config_file: ConfigOption = None,
) -> None:
    """Erase what was reported in an incident, and how it ended. The log keeps a seal of both, and stays whole.

    Example: beeldwacht publication forget-report 3 --why "it named a child" --by "A. de Boer"
    """
    with opened(config_file) as application:
        application.store.review.forget_incident(now(), who(application, by), incident, reason(why))
        application.store.rights.compact()
        application.write_log_files()
    output.say(f"The texts of incident {incident} are gone.", "green")


@app.command("check")
def check(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Compare the publish folder, byte for byte, with what was decided. Exit status 1 when they differ.

    Names files that nobody decided on, that were changed there, and that are gone. Nothing is touched: take away what
    does not belong there, and have the others decided again (`item redo`).

    Example: beeldwacht publication check
    """
    with opened(config_file) as application:
        found = patrol(application.vault.publish, application.store.recall.standing, thorough=True)
    if json_out:
        output.as_json(asdict(found))
    else:
        for said, paths in (
            ("nobody decided on it", found.foreign),
            ("it was changed", found.changed),
            ("it is gone", found.missing),
        ):
            for path in paths:
                output.complain(f"{path}: {said}")
        if not found.count:
            output.say("The publish folder holds what was decided, and nothing else.", "green")
    if found.count:
        raise typer.Exit(1)


@app.command("list")
def list_(
    open_only: Annotated[bool, typer.Option("--open", help="Only tasks that are not done.")] = False,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """List where published files went, and what is still to be taken down.

    Example: beeldwacht publication list --open
    """
    with opened(config_file) as application:
        places = application.store.places.all(open_only)
    if json_out:
        output.as_json(
            [
                {
                    "id": p.id,
                    "item": p.item_id,
                    "channel": p.channel,
                    "sha256": p.sha256,
                    "place": p.place,
                    "state": p.state,
                    "noted_by": p.noted_by,
                    "noted_at": p.noted_at,
                    "open_since": p.open_since,
                    "done_by": p.done_by,
                    "done_at": p.done_at,
                }
                for p in places
            ]
        )
        return
    rows = [
        [str(p.id), str(p.item_id), p.channel, p.place, p.state, (p.open_since or "")[:10], p.done_by or ""]
        for p in places
    ]
    output.table("places", ["number", "item", "channel", "place", "state", "open since", "done by"], rows)


def _find(application: App, target: str, channel: str) -> tuple[int, str, str]:
    if target.isdigit():
        own = [r for r in application.store.items.renditions(int(target)) if not channel or r.channel == channel]
        if not own:
            raise BeeldwachtError(
                f"Item {target} was not published{' on ' + channel if channel else ''}.", "See `beeldwacht item show`."
            )
        same = [r for r in own if r.channel == own[-1].channel]
        only = len({r.channel for r in own}) == 1
        return int(target), (own[-1].channel if only else channel), (same[-1].sha256 if only else "")
    path = target
    publish = application.settings.path("publish")
    if target.startswith(str(publish)):
        path = str(target)[len(str(publish)) :].lstrip("/")
    first, _, rest = path.removeprefix("publish/").partition("/")
    found = application.store.recall.find(first, rest) if first in application.settings.channels else None
    found = found or application.store.recall.find(channel, path)
    if found is None:
        raise BeeldwachtError(
            f"{target}: no such file was published.", "Give CHANNEL/EVENT/NAME, or the item's number."
        )
    return found
