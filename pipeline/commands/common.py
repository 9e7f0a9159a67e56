"""What every command shares: its options, the application on its configuration, and a progress bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline import config, output
from pipeline.app import App
from pipeline.errors import BeeldwachtError
from pipeline.files.template_keys import KeySource, VariableSource

ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Default: ./beeldwacht.toml")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@contextmanager
def opened(file: Path | None) -> Iterator[App]:
    """The application on its configuration, closed at the end."""
    application = App(config.load(file))
    try:
        yield application
    finally:
        application.close()


def who(application: App, by: str) -> str:
    """Who acts, for the log. Somebody of the register appears by id there, like everyone else.

    Raises BeeldwachtError for no name at all.
    """
    name = " ".join(by.split())
    if not name:
        raise BeeldwachtError("Nobody is named in --by.", "Say who does this: it is logged.")
    people = application.store.register.current().people.values()
    found = [p.person_id for p in people if name.casefold() == p.name.casefold()]
    return found[0] if len(found) == 1 else name


def progress(quiet: bool) -> Progress:
    """A progress bar on standard error; silent when `quiet` or when nobody watches."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=output.err,
        disable=quiet or not output.err.is_terminal,
    )


def tell_of_key(what: str, count: int, key_id: str, place: KeySource, how: str, json_out: bool) -> None:
    """After an exchange of keys: how many, under which key, and what the operator has left to do."""
    if json_out:
        output.as_json({what: count, "key": key_id})
        return
    output.say(f"{count} {what} are {how} the new key {key_id}.", "green")
    tell_of_next(place)


def tell_of_next(place: KeySource) -> None:
    """Where only the operator can put a new key in the place of the old one: say so."""
    if isinstance(place, VariableSource):
        output.say(
            f"Now put the value of {place.place}_NEXT into {place.place}, and start the service again.", "yellow"
        )
