"""The command line. Every command works in the folder that holds beeldwacht.toml, or with --config FILE."""

from __future__ import annotations

import logging
import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from consent_sync.loaded import RegisterError
from models.downloads.manifest import WeightsError
from models.errors import EngineError
from pipeline import output
from pipeline.commands import (
    alarms,
    backup,
    calibrate,
    consent,
    console,
    event,
    item,
    log,
    models,
    person,
    publication,
    question,
    recall,
    records,
    register,
    service,
    templates,
    vault,
)
from pipeline.errors import BeeldwachtError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(service.app)
app.add_typer(log.app, name="log")
app.add_typer(question.app, name="question")
app.add_typer(alarms.app, name="alarms")
app.add_typer(register.app, name="register")
app.add_typer(models.app, name="models")
app.add_typer(item.app, name="item")
app.add_typer(event.app, name="event")
app.command("recall")(recall.recall)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("calibrate")(calibrate.calibrate)
app.add_typer(person.app, name="person")
app.add_typer(consent.app, name="consent")
app.add_typer(records.app, name="records")
app.add_typer(publication.app, name="publication")
app.add_typer(templates.app, name="templates")
app.add_typer(vault.app, name="vault")
app.command("serve")(console.serve)
app.add_typer(console.app, name="account")


def _version(asked: bool) -> None:
    if asked:
        output.say(f"beeldwacht {version('beeldwacht')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Publishes a school's photos and films without publishing anyone who did not agree to it."""


def main() -> None:
    """Entry of the command `beeldwacht`: errors become one clear message and exit status 1."""
    os.umask(0o027)  # what is not for the service alone is for its group, and for nobody else
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except (BeeldwachtError, RegisterError, EngineError, WeightsError) as e:
        output.complain(f"Error: {e}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
