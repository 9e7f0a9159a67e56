"""Setting up, running, processing once, and looking how things are."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from pipeline import output
from pipeline.app import App
from pipeline.commands.common import ConfigOption, JsonOption, opened, progress
from pipeline.commands.console import Attendant
from pipeline.config import Settings
from pipeline.domain import file_names
from pipeline.domain.lifecycle import SETTLED_STATES, State
from pipeline.domain.progress import line
from pipeline.errors import BeeldwachtError
from pipeline.intake import watch
from pipeline.intake.intake import Taken
from pipeline.log.sentences import reason_text
from pipeline.maintenance import doctor
from pipeline.maintenance import init as installation
from pipeline.maintenance.systemd import ALIVE, READY, STOPPING, Notifier
from pipeline.service.service import Service, walk

app = typer.Typer()


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
    written = installation.init(folder, dpia_reference, decided_by)
    output.say(f"Wrote {written}.")
    output.say(
        f"Next: beeldwacht register load REGISTER.csv --config {written}, then beeldwacht run --config {written}"
    )
    if not dpia_reference:
        output.say("Matching is off: every face will be covered. See [matching] in the file.", "yellow")


@app.command()
def run(config_file: ConfigOption = None) -> None:
    """Watch the inbox, cover and publish, until stopped with Ctrl-C or SIGTERM.

    Example: beeldwacht run
    """
    with opened(config_file) as application, application.alone():
        language = application.settings.language

        def on_taken(taken: Taken) -> None:
            name, said = _of(taken)
            if taken.outcome in {"refused", "later"}:
                output.say(f"{name}: {taken.outcome}: {said}", "yellow")
            elif taken.outcome == "duplicate" and taken.item:
                output.say(f"{name}: the same bytes as item {taken.item.id}; nothing to do")

        def on_done(item_id: int) -> None:
            item = application.store.items.get(item_id)
            if item and item.state in SETTLED_STATES:
                output.item_line(item, application.store.items.verdict_rows(item_id), language)

        systemd = Notifier()
        service = application.service(on_taken, on_done, lambda: systemd.say(ALIVE))
        rounds = application.rounds()
        _stop_on_signals(service)
        service.start()
        _announce(application)
        rounds.start()
        console = Attendant(application)
        try:
            if application.settings.console.enabled:
                service.attend("console", console.attend)
            systemd.say(READY)
            service.run()
        finally:
            systemd.say(STOPPING)
            rounds.stop()
            console.close()
            output.say("Stopping; the files in work are finished first.")
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
        done: list[int] = []
        service = application.service(taken.append, done.append)
        _stop_on_signals(service)
        service.start()
        try:
            _feed(service, application.settings, paths or [application.settings.path("inbox")], event, taken)
            with progress(json_out) as bar:
                total = sum(1 for t in taken if t.outcome in {"new", "retry"})
                task = bar.add_task("covering", total=total)

                def update(left: int) -> None:
                    films = "; ".join(line(f) for f in service.progress())
                    bar.update(task, completed=max(0, total - left), description=f"covering {films}".strip())

                service.drain(update)
        finally:
            service.close(application.settings.work.deadline_seconds * 2)
        _summary(application, taken, done, json_out)


@app.command()
def status(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Show what is queued, published and held, and how the service is.

    Example: beeldwacht status --json
    """
    with opened(config_file) as application:
        facts = doctor.status(application)
    if json_out:
        output.as_json(facts)
        return
    service = facts["service"]
    output.say(f"service: {service['summary']}", "green" if service["running"] else "yellow")
    if files := service.get("broken_off_files"):
        output.table(
            f"uploads that were broken off ({service['broken_off']}): finish or delete them",
            ["file", "untouched since"],
            [[f["file"], f["since"]] for f in files],
        )
    if sides := service.get("side_files"):
        output.say(f"  {sides} side files of cameras and programs (.AAE, .xmp, .SRT ...) lie in the inbox: not taken")
    for film in service.get("progress", ()):
        output.say(f"  {line(film)}")
    register = facts["register"]
    output.say(f"register: {register['summary']}")
    output.table("files", ["state", "files"], [[s, str(n)] for s, n in facts["files"].items()])
    if facts["attention"]:
        rows = [
            [str(i["id"]), f"{i['event']}/{i['name']}", i["state"], "; ".join(reason_text(r) for r in i["reasons"])]
            for i in facts["attention"]
        ]
        output.table("need a look (newest 20)", ["item", "file", "state", "why"], rows)


@app.command("doctor")
def doctor_command(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Check Python, weights, ffmpeg, folders, database and watcher: what is wrong, and how to mend it.

    Example: beeldwacht doctor
    """
    findings = doctor.examine(config_file)
    if json_out:
        output.as_json([{"part": f.part, "ok": f.ok, "what": f.what, "remedy": f.remedy} for f in findings])
    else:
        for f in findings:
            output.say(
                f"{'ok  ' if f.ok else 'BAD '} {f.part}: {f.what}" + (f" -> {f.remedy}" if f.remedy else ""),
                "" if f.ok else "red",
            )
    if not all(f.ok for f in findings):
        raise typer.Exit(1)


# --- helpers --------------------------------------------------------------------------------------------------


def _of(taken: Taken) -> tuple[str, str]:
    """The name of what was taken, and what is said of it. A journal keeps what is printed there: no names."""
    if output.out.is_terminal:
        return file_names.shown(taken.relative), taken.problem
    said = taken.problem
    for name in (file_names.shown(taken.relative), file_names.shown(Path(taken.relative).name)):
        said = said.removeprefix(f"{name}: ")
    return "a file in the inbox", said


def _stop_on_signals(service: Service) -> None:
    def stop(number: int, _: object) -> None:
        service.stop()
        signal.signal(number, signal.SIG_DFL)  # the second one does not wait

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def _announce(application: App) -> None:
    settings = application.settings
    version = application.store.register.current().version
    output.say(
        f"Watching {settings.path('inbox')}; covered copies go to {settings.path('publish')}. Ctrl-C stops.", "green"
    )
    if not settings.matching.enabled:
        output.say("Matching is off: every face is covered.", "yellow")
    elif not version:
        output.say("No register is loaded: every face is covered. Run `beeldwacht register load FILE`.", "yellow")


def _feed(service: Service, settings: Settings, paths: list[Path], event: str, taken: list[Taken]) -> None:
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
        base, files = walk(path)
        name = file_names.safe(event or (path.name if path.is_dir() else ""), file_names.UNSORTED)
        for file in files:
            folder = "/".join(file_names.safe(p, "folder") for p in file.split("/")[:-1])
            taken.append(service.intake.from_elsewhere(base, file, name, folder))


def _summary(application: App, taken: list[Taken], done: list[int], json_out: bool) -> None:
    store, language = application.store, application.settings.language
    ids = sorted({t.item.id for t in taken if t.item} | set(done))  # also what was decided again, as after a recall
    items = store.items.all(ids)
    verdicts = {i.id: store.items.verdict_rows(i.id) for i in items}
    refused = [t for t in taken if t.item is None]
    if json_out:
        output.as_json(
            {
                "items": [output.item_json(i, verdicts[i.id]) for i in items],
                "refused": [{"file": file_names.shown(t.relative), "why": t.problem} for t in refused],
            }
        )
    else:
        rows = []
        for i in items:
            what, why = output.outcome(i, verdicts[i.id], language)
            rows.append([str(i.id), f"{i.event.name}/{i.name}", str(i.state), what, why, f"{i.seconds or 0:.1f} s"])
        output.table("files", ["item", "file", "state", "what", "why covered or kept back", "time"], rows)
        for t in refused:
            output.say(f"{file_names.shown(t.relative)}: {t.problem}", "yellow")
    if refused or any(i.state is not State.PUBLISHED for i in items):
        raise typer.Exit(1)
