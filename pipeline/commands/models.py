"""The weights of the detectors and recognisers."""

from __future__ import annotations

from pathlib import Path

import typer

from models.downloads import manifest
from pipeline import config, output
from pipeline.commands.common import ConfigOption, JsonOption
from pipeline.console.pages.sign_in import ASSETS, FETCHED

app = typer.Typer(no_args_is_help=True, help="The weights of the detectors and recognisers.")


@app.command("list")
def models_list(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """List the weights: source, licence, SHA-256, and whether they are here.

    Example: beeldwacht models list
    """
    folder = _weights_folder(config_file)
    rows = [
        {
            "name": i.name,
            "file": i.file,
            "from": i.requirement,
            "licence": i.licence,
            "source": i.source,
            "sha256": i.sha256,
            "here": (folder / i.file).is_file(),
        }
        for i in manifest.items()
    ]
    if json_out:
        output.as_json(rows)
        return
    columns = ("name", "file", "from", "licence", "sha256", "here")
    output.table("weights", columns, [[str(r[c]) for c in columns] for r in rows])


@app.command("fetch")
def models_fetch(config_file: ConfigOption = None) -> None:
    """Fetch the weights, photographs to prove them with, and what the console's pages load; and check them.

    Example: beeldwacht models fetch
    """
    folder = _weights_folder(config_file)
    known_photographs = manifest.fetch(manifest.KNOWN, folder / manifest.KNOWN_FOLDER)
    for path in (*manifest.fetch(folder=folder), *known_photographs, *manifest.fetch(ASSETS, FETCHED)):
        output.say(f"{path}: right")


@app.command("verify")
def models_verify(config_file: ConfigOption = None) -> None:
    """Check every weights file against its SHA-256.

    Example: beeldwacht models verify
    """
    folder = _weights_folder(config_file)
    for path in (*manifest.verify(folder=folder), *manifest.verify(manifest.KNOWN, folder / manifest.KNOWN_FOLDER)):
        output.say(f"{path}: right")


def _weights_folder(file: Path | None) -> Path:
    if file is None and not Path(config.FILE_NAME).exists():
        return config.WEIGHTS
    return config.load(file).path("weights")
