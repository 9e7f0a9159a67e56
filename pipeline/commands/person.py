"""The rights of one person: a copy of everything (GDPR art. 15), and erasure (art. 17)."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from pipeline import output
from pipeline.app import App, now, user
from pipeline.commands.common import ConfigOption, JsonOption, opened, who
from pipeline.officer import person_link, person_rights
from pipeline.officer.actions import reason
from pipeline.sandbox.client import MediaClient
from pipeline.service.service import media_options

app = typer.Typer(no_args_is_help=True, help="The rights of one person: access and erasure.")
FolderOption = Annotated[
    Path | None,
    typer.Option("--register", metavar="FOLDER", help="Where portraits/ and forms/ are. Default: register/."),
]
ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Who carries it out; it is logged.")]


@app.command("export")
def export(
    person: str,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where the folder and the zip are made.")],
    language: Annotated[str, typer.Option(help="Of the letter: nl or en. Default: the configuration's.")] = "",
    register: FolderOption = None,
    by: ByOption = "",
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Write all that is held of a person: a letter, consents with their forms, decisions, pictures with others covered.

    Example: beeldwacht person export P0042 --to /media/usb --language nl
    """
    with opened(config_file) as application:
        chosen = language or application.settings.language
        if chosen not in {"nl", "en"}:
            raise typer.BadParameter("the letter can be in nl or en")
        media_client = MediaClient(replace(media_options(application.context), embedders=()))
        try:
            actor = who(application, by) if by else user()
            folder = _folder(application, register)
            facts = person_rights.export(person, to, application.context, media_client, folder, chosen, actor)
        finally:
            media_client.close()
        application.write_log_files()
    if json_out:
        output.as_json(facts)
        return
    output.say(
        f"Wrote {facts['folder']} and {facts['zip']}: {facts['pictures']} pictures, {facts['forms']} forms.", "green"
    )
    if facts["not_rendered"]:
        output.say(
            f"{facts['not_rendered']} pictures could not be made safe and are not in it; the letter names them.",
            "yellow",
        )


@app.command("erase")
def erase(
    person: str,
    confirm: Annotated[
        str, typer.Option("--confirm", metavar="NAME", help="The person's name, as the register has it.")
    ],
    by: ByOption,
    keep_files: Annotated[bool, typer.Option("--keep-files", help="Leave portraits and forms where they are.")] = False,
    register: FolderOption = None,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Erase a person, and prove it: published files are recalled, everything is deleted, then all files are searched.

    Example: beeldwacht person erase P0042 --confirm "Kim Jansen" --by "A. de Boer"
    """
    with opened(config_file) as application:
        actor = who(application, by)
        folder = _folder(application, register)
        receipt = person_rights.erase(person, confirm, application.context, folder, keep_files, actor)
        application.write_log_files()
        flaws = application.log_flaws()
    if json_out:
        output.as_json({**asdict(receipt), "log_whole": not flaws})
    else:
        rows = [[what.replace("_", " "), str(n)] for what, n in receipt.rows.items()]
        rows.append(["published items recalled", str(len(receipt.recalled))])
        rows.append(["files deleted", str(len(receipt.files))])
        rows.append([f"left after the search of {receipt.searched} files", str(sum(receipt.left.values()))])
        output.table(f"receipt of the erasure of {person}", ["what", "count"], rows)
        for line in (*receipt.kept, *receipt.remarks, *(f"left in {f}: {n}" for f, n in receipt.left.items())):
            output.say(line, "yellow")
        output.say("The log is whole." if not flaws else "The log is NOT whole: run `beeldwacht log verify`.")
    if receipt.left or flaws:
        raise typer.Exit(1)


@app.command("link")
def link(
    person: str,
    by: ByOption,
    days: Annotated[int, typer.Option("--days", help="How long it holds, at most 90.")] = 14,
    end: Annotated[bool, typer.Option("--end", help="End every link of this person instead.")] = False,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Make a link for a parent, or for a pupil from 16: where am I visible, report a picture, take consent back.

    It needs no account, is about one person only, and is told once. One that is made before the 16th birthday ends with
    the day before it. Send it to nobody but who may sign for this person.

    Example: beeldwacht person link P0042 --days 14 --by "A. de Boer"
    """
    with opened(config_file) as application:
        actor = who(application, by)
        if end:
            count = application.store.links.end(now(), actor, person)
            facts: dict[str, object] = {"person": person, "ended": count}
        else:
            path, expires = person_link.make(application.context, person, days, actor)
            c = application.settings.console
            place = c.address.rstrip("/") or f"http{'s' if c.tls_certificate else ''}://{c.host}:{c.port}"
            facts = {"person": person, "link": place + path, "expires": expires.isoformat(timespec="minutes")}
        application.write_log_files()
    if json_out:
        output.as_json(facts)
    else:
        output.say(f"{count} links ended." if end else f"{facts['link']} (until {facts['expires']})", "green")


@app.command("readmit")
def readmit(
    person: str,
    why: Annotated[str, typer.Option("--why", help="Why the person may come back; it is logged.")],
    by: ByOption,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Let somebody come back who was erased: until then every row of the source with this id is kept out.

    Example: beeldwacht person readmit P0042 --why "came back to school" --by "A. de Boer"
    """
    with opened(config_file) as application:
        application.store.tombstones.lift(now(), who(application, by), person, reason(why))
        application.write_log_files()
    if json_out:
        output.as_json({"person": person})
    else:
        output.say(f"{person} may come back with the next reading of the register.", "green")


def _folder(application: App, given: Path | None) -> Path | None:
    if given is not None:
        return given
    return application.register_folder()
