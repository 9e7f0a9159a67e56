"""Making a backup, and restoring one on an empty machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline import config, output
from pipeline.app import App, now, user
from pipeline.commands.common import ConfigOption, JsonOption, opened
from pipeline.errors import BackupError, BeeldwachtError
from pipeline.files.fsync import make_folder
from pipeline.files.rename import replace_file
from pipeline.log import removals, signed_heads
from pipeline.log.removals import Removal
from pipeline.maintenance import backup as backups


def backup(
    target: Annotated[Path, typer.Argument(help="A new folder, such as /mnt/backup/2026-11-01.")],
    without_database: Annotated[
        bool, typer.Option("--without-database", help="With PostgreSQL: make a dump with pg_dump first.")
    ] = False,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Write a backup of everything but the keys and the inbox into a new folder. The service may run meanwhile.

    Keep the keys apart from it (`keys/`, or where [keys] says), once and in a safe: without them it cannot be restored.

    Example: beeldwacht backup /mnt/backup/2026-11-01
    """
    path = (config_file or Path(config.FILE_NAME)).absolute()
    with opened(config_file) as application:
        try:
            facts = backups.back_up(application, path, target.absolute(), now(), not without_database)
        except OSError as e:
            raise BackupError(f"{target}: the backup was not made ({e.strerror}).", "Nothing is left of it.") from e
        body = {"entries": facts["entries"], "files": len(facts["files"])}
        application.store.journal.note(now(), "service.backed_up", user(), body)
        application.write_log_files()
    if json_out:
        output.as_json({"files": len(facts["files"]), "entries": facts["entries"], "at": facts["at"]})
    else:
        output.say(f"{len(facts['files'])} files, and the log up to entry {facts['entries']}: {target}.", "green")


def restore(
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="The folder of a backup.")],
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where the installation comes to stand.")],
    list_of: Annotated[
        Path | None, typer.Option("--removals", metavar="PATH", help="removals.jsonl, or the folder of [log] anchor.")
    ] = None,
    none: Annotated[
        bool, typer.Option("--no-removals", help="There is no list: what was taken away since may come back.")
    ] = False,
    json_out: JsonOption = False,
) -> None:
    """Restore a backup where nothing is yet. Put the keys in their place first.

    People who were erased since, files that were recalled since and originals that were deleted since do not come back:
    their list is taken from --removals, by default from where [log] anchor of the backup's configuration points to. The
    service starts when the register has been loaded again: consents that were withdrawn since are not in the backup.

    Example: beeldwacht restore /mnt/backup/2026-11-01 --to /srv/school
    """
    facts = backups.read(source)
    try:
        restored = _restore(source, facts, to.absolute(), list_of, none)
    except OSError as e:
        raise BackupError(f"{e.filename or to}: {e.strerror}.", "Mend that, and restore again.") from e
    if json_out:
        output.as_json(asdict(restored))
        return
    output.say(
        f"The backup of {restored.made_at} is restored: {restored.files} files, the log up to entry "
        f"{restored.entries}.",
        "green",
    )
    again = f"{len(restored.erased)} people, {restored.recalled} recalls, {restored.originals_deleted} originals"
    output.say(f"Taken away again, because they were after the backup was made: {again}.")
    for line in restored.missing:
        output.say(f"not in the backup: {line}", "yellow")
    output.say("Now load the register: `beeldwacht register load FILE` or `beeldwacht register sync`.", "yellow")


def _restore(source: Path, facts: dict[str, object], to: Path, list_of: Path | None, none: bool) -> backups.Restored:
    make_folder(to, 0o755)
    file = to / config.FILE_NAME
    if not file.exists():
        backups.copy(source / backups.CONFIG, file)
    settings = config.load(file)
    final, partial = settings.path("data") / "beeldwacht.db", settings.path("data") / ".restoring.db"
    own = not settings.database.url
    if own and final.exists() and final.stat().st_size:
        raise BackupError(f"{final}: there is an installation here.", "Restore into an empty folder.")
    if own:
        make_folder(partial.parent, 0o700)
        for leftover in partial.parent.glob(".restoring.db*"):
            leftover.unlink()
        backups.copy(source / backups.DATABASE, partial)
    overrides = {"database": {"url": f"sqlite:///{partial}"}} if own else {}
    application = App(config.load(file, overrides))
    try:
        anchor = list_of or application.anchor
        listed = _list(source, anchor, none)
        gone = frozenset(s for r in listed if r.kind == "published" for s in r.sha256)
        register = settings.register.folder or Path("register")

        def folder_of(kind: str) -> Path:
            return settings.root / register if kind == "register" else settings.path(kind)

        laid = backups.lay_down(source, facts, folder_of, gone)
        application.vault.prepare()  # the key is there, and it is the right one: else nothing is gone on with
        heads = _newest(signed_heads.FILE, settings.path("log"), anchor, application.anchor)
        list_here = settings.path("log") / removals.FILE
        newest_list = _newest(removals.FILE, settings.path("log"), anchor, application.anchor)
        if newest_list != list_here and newest_list.is_file():
            list_here.unlink(missing_ok=True)
            backups.copy(newest_list, list_here)
        restored = backups.finish(application, facts, signed_heads.read(heads), listed, laid, now(), user())
        application.write_log_files()
        application.store.database.checkpoint()
    finally:
        application.close()
    if own:
        replace_file(partial, final)  # the last step: without a database there is nothing that could start
    return restored


def _newest(name: str, here: Path, *elsewhere: Path | None) -> Path:
    """Of the copies of a file that only grows, the one that grew most."""
    found = [p / name if p.is_dir() else p.with_name(name) for p in elsewhere if p is not None]
    return max([here / name, *found], key=lambda p: p.stat().st_size if p.is_file() else -1)


def _list(source: Path, anchor: Path | None, none: bool) -> list[Removal]:
    """What was taken away, by the list elsewhere and by the backup's own."""
    own = source / "log" / removals.FILE
    found = removals.read(own) if own.is_file() else []
    place = anchor / removals.FILE if anchor and anchor.is_dir() else anchor
    if place is not None and place.is_file():
        return [*found, *removals.read(place)]
    if place is not None and place.parent.is_dir() and (place.parent / signed_heads.FILE).is_file():
        return found  # the folder elsewhere is there: nothing was ever taken away
    if none:
        return found
    raise BeeldwachtError(
        "There is no list of what was taken away since: people who were erased would come back.",
        "Name it with --removals PATH. If there is none: --no-removals, and erase and recall again by hand.",
    )
