"""The consent register."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TaskID

from pipeline import screen
from pipeline.commands.common import ConfigOption, JsonOption, opened
from pipeline.commands.common import progress as progress_bar

app = typer.Typer(no_args_is_help=True, help="The consent register.")


@app.command("load")
def register_load(
    file: Annotated[Path, typer.Argument(help="The register as CSV; portraits/ and forms/ lie beside it.")],
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Make a file the consent register, and enrol who agreed to be matched.

    Example: beeldwacht register load register/register.csv
    """
    with opened(config_file) as application, progress_bar(json_out) as bar:
        tasks: dict[str, TaskID] = {}

        def progress(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done, total=of)

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
