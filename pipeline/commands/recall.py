"""Published files in which somebody is visible: the list, and taking them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from pipeline import output
from pipeline.app import now, user
from pipeline.commands.common import ConfigOption, JsonOption, opened, who
from pipeline.domain.types import Medium
from pipeline.publishing.recall import carry_out, could_redo, take_back
from pipeline.publishing.recall_due import begin, due
from pipeline.store.publications import Publication

ASKED = "asked for"


def recall(
    person: Annotated[str, typer.Argument(help="A person's id. Without: everyone who may not be shown any more.")] = "",
    apply: Annotated[bool, typer.Option("--apply", help="Take the files back, and publish replacements.")] = False,
    could: Annotated[bool, typer.Option("--could-redo", help="List what could be shown anew instead.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="With --apply: also files that cover the person.")] = False,
    no_replacement: Annotated[bool, typer.Option("--no-replacement", help="Publish nothing in their place.")] = False,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who asked for it; it is logged.")] = "",
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """List every published file in which a person is visible or was named; with --apply, take them back.

    With `[register] recall = "at once"` (the default) what the register does not allow any more is taken back by
    itself. A file that is taken back leaves the publish folder at once. Its replacement is decided by the register as
    it is now, and uncovers nobody who was covered before. Places that staff noted become tasks. Works while the
    service runs and when it does not; replacements are made by the service or by `beeldwacht process`.

    Example: beeldwacht recall P0042 --apply --by "A. de Boer"
    """
    with opened(config_file) as application:
        store, at = application.store, now()
        register = store.register.current()
        everybody = due(store, register, at.date())
        found = store.recall.showing(person) if person else list(everybody.shown)
        if could:
            found = could_redo(store.recall.showing(person or None), register, at.date())
        applied: list[int] = []
        if apply and not could:
            actor = who(application, by) if by else user()
            carry_out(application.vault, store, at, actor)
            if person or no_replacement:
                wanted = [s for s in found if s.visible or everything]
                applied = take_back(wanted, application.vault, store, at, actor, ASKED, replace=not no_replacement)
            else:
                applied = begin(store, register, everybody, at, actor)
                carry_out(application.vault, store, at, actor)
            application.write_log_files()
        copies = store.copies.of(person) if person else []
        days = application.settings.register.task_days
        tasks = [p for p in store.places.all(open_only=True) if not person or p.person_id == person]
    facts: dict[str, Any] = {
        "files": [_file(s) for s in found],
        "applied": applied,
        "copies": [asdict(c) for c in copies],
        "tasks": [
            {
                "task": t.id,
                "item": t.item_id,
                "channel": t.channel,
                "place": t.place,
                "since": t.open_since,
                "due": str(t.due_on(days)),
            }
            for t in tasks
        ],
    }
    if json_out:
        output.as_json(facts)
        return
    _tell(found, applied, could)
    for c in copies:
        output.say(f"{c.actor} took a copy of item {c.item_id} ({c.channel}) on {c.at[:10]}", "yellow")
    for t in tasks:
        then = f"beeldwacht publication done {t.id} --by NAME"
        output.say(f"task {t.id}: take item {t.item_id} down at {t.place} by {t.due_on(days)}; then: {then}", "yellow")


def say_due(found: Sequence[Publication], at_once: bool) -> None:
    """After a register was loaded: how many published files show, or showed, somebody who may not be shown any more."""
    if found:
        files, people = len({(s.channel, s.path) for s in found}), len({s.person_id for s in found})
        showed = "showed" if at_once else "show"
        then = "they were taken back, and are replaced by the service" if at_once else "beeldwacht recall --apply"
        output.say(f"{files} published files {showed} {people} people who may not be shown any more: {then}", "red")


def _file(s: Publication) -> dict[str, Any]:
    return {
        "item": s.item_id,
        "channel": s.channel,
        "path": s.path,
        "sha256": s.sha256,
        "published_at": s.published_at,
        "person": s.person_id,
        "medium": s.medium,
        "visible": s.visible,
        "reason": s.reason,
    }


def _how(s: Publication) -> str:
    if s.medium is Medium.SOUND:
        return "sound kept" if s.visible else "no: sound muted"
    return "yes" if s.visible else "no: named"


def _tell(found: Sequence[Publication], applied: Sequence[int], could: bool) -> None:
    rows = [
        [str(s.item_id), s.channel, s.path, s.published_at[:10], s.person_id, _how(s), s.sha256[:16]] for s in found
    ]
    title = "could be shown anew (beeldwacht item redo ITEM --by NAME)" if could else "published files"
    output.table(title, ["item", "channel", "path", "published", "person", "visible", "SHA-256"], rows)
    if applied:
        output.say(
            f"{len(applied)} items left the publish folder: {', '.join(map(str, applied))}. Their replacements "
            "are made by the running service, or by `beeldwacht process`.",
            "green",
        )
