"""Reading and verifying the log."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline import output
from pipeline.app import now
from pipeline.commands.common import ConfigOption, JsonOption, opened, tell_of_next, who
from pipeline.domain.types import JsonObject
from pipeline.errors import BeeldwachtError
from pipeline.log.chain import Verified, to_line
from pipeline.log.replay import replay
from pipeline.log.sentences import sentences
from pipeline.maintenance.log_settling import settle

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
            output.say(f"{entry.at[:19]}Z #{entry.seq} {entry.kind}{about} by {entry.actor}: {head}")
            for line in rest:
                output.say(f"    {line}")


@app.command("verify")
def log_verify(
    context: typer.Context,
    anchor: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A copy of the signed heads: heads.jsonl or its folder.")
    ] = None,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Check that no entry of the log was changed, removed, moved or cut off: chain, files under log/, signed heads.

    Says what kind of tampering it is and where, and which entries no signature covers yet. Exit status: 0 whole, 1 not
    whole or a copy that cannot be read.

    Example: beeldwacht log verify --anchor /mnt/board/beeldwacht
    """
    with opened(config_file or context.obj) as application:
        found = application.verify_log(anchor)
    if json_out:
        facts = {
            "entries": found.entries,
            "flaws": [asdict(f) for f in found.flaws],
            "notes": list(found.notes),
            "signed_until": found.signed_until,
            "signed_at": found.signed_at,
            "not_signed_yet": found.entries - found.signed_until,
            "anchored_until": found.anchored_until,
        }
        output.as_json(facts)
    else:
        if not found.flaws:
            output.say(f"The log is whole: {found.entries} entries.", "green")
        for flaw in found.flaws:
            output.complain(f"entry {flaw.seq}: {flaw.kind}: {flaw.what}")
        for note in found.notes:
            output.say(note, "yellow")
        output.say(_reach(found))
    if found.flaws:
        raise typer.Exit(1)


@app.command("rotate-key")
def log_rotate_key(
    context: typer.Context,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who decided; it is logged.")],
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Sign the log with a new key from now on. The old key signs which one follows: what it signed stays verifiable.

    The old key is not needed any more, but by backups of its time. Stopped anywhere, it is finished by the next head.

    Example: beeldwacht log rotate-key --by "A. de Boer"
    """
    with opened(config_file or context.obj) as application:
        key_id = application.exchange_log_key(who(application, by))
        place = application.head_key.source
    if json_out:
        output.as_json({"key": key_id})
        return
    output.say(f"From now on the log is signed with the new key {key_id}.", "green")
    tell_of_next(place)


@app.command("settle")
def log_settle(
    context: typer.Context,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who decided; it is logged.")],
    why: Annotated[str, typer.Option("--why", help="Why an older database stands here; it is logged.")],
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Go on with an older database than the log knows: withdrawals and erasures are done again from the log.

    The service publishes nothing while the files under log/, or the signed heads here or elsewhere, know entries that
    the database does not have. If the newer database is to be had, put it back instead. The files are kept below log/;
    load the register afterwards.

    Example: beeldwacht log settle --by "A. de Boer" --why "the disk was restored from a snapshot"
    """
    with opened(config_file or context.obj) as application:
        done = settle(application, who(application, by), why, now())
    if json_out:
        output.as_json(asdict(done))
        return
    output.say(f"{done.lost} entries of the log are not in this database; their files are kept in log/{done.kept_as}.")
    output.say(
        f"Done again: withdrawals of {len(done.withdrawn)} people, {len(done.erased)} erasures, "
        f"{done.recalled} recalls.",
        "green",
    )
    output.say("Now load the register: `beeldwacht register sync`, or `register load FILE`.", "yellow")


@app.command("replay")
def log_replay(
    context: typer.Context,
    item: Annotated[int | None, typer.Argument(help="The number of an item. Default: all items.")] = None,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Draw every verdict on an item again, from what was recorded: scores, register version, rules, acts by hand.

    Nothing is looked at again. Exit status 1 when a recorded verdict does not follow from its record (then the entry,
    the past of the register, or the rules were changed since), or when not enough was recorded to tell.

    Example: beeldwacht log replay 12
    """
    done: list[JsonObject] = []
    with opened(config_file or context.obj) as application:
        store = application.store
        register = store.register.current()
        for entry in store.journal.entries(item_id=item, kind="item.decided"):
            body = json.loads(entry.body)
            if register.version != body["register_version"]:
                register = store.register.at(body["register_version"])
            enough = "basis" in body
            done.append(
                {
                    "seq": entry.seq,
                    "at": entry.at,
                    "item": entry.item_id,
                    "register_version": body["register_version"],
                    "replayed": enough,
                    "verdicts": sum(len(v) for v in body["verdicts"].values()),
                    "differences": [asdict(d) for d in replay(body, register)] if enough else [],
                }
            )
    if not done:
        raise BeeldwachtError("No decision is recorded.", "See `beeldwacht log --item NUMBER`.")
    if json_out:
        output.as_json({"decisions": done})
    for fact in done if not json_out else []:
        head = f"#{fact['seq']} {str(fact['at'])[:19]}Z item {fact['item']}, register {fact['register_version']}"
        if not fact["replayed"]:
            output.say(f"{head}: recorded by an earlier version: not enough to replay it", "yellow")
        elif not fact["differences"]:
            output.say(f"{head}: {fact['verdicts']} verdicts, all the same again", "green")
        else:
            output.complain(f"{head}: NOT the same again")
        for d in fact["differences"]:
            output.complain(f"    {d['where']}: recorded {d['recorded']}; replayed {d['replayed']}")
    if not all(f["replayed"] for f in done) or any(f["differences"] for f in done):
        raise typer.Exit(1)


def _reach(found: Verified) -> str:
    if not found.signed_until:
        return "No entry is covered by a signature yet."
    rest = found.entries - found.signed_until
    yet = f"{rest} newer entries are not covered yet" if rest else "all are covered"
    outside = (
        f"a copy elsewhere reaches to entry {found.anchored_until}"
        if found.anchored_until
        else (
            "there is no copy elsewhere to compare with: that the end was cut off by somebody who has this machine "
            "does not show (see [log] anchor)"
        )
    )
    return f"Signed up to entry {found.signed_until} ({found.signed_at}); {yet}; {outside}."


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date such as {date.today().isoformat()}") from None
    return moment if moment.tzinfo else moment.astimezone().astimezone(UTC)
