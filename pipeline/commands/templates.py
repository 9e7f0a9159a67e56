"""Templates of faces: how many, who looks like whom, and their key."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline import output
from pipeline.app import now, user
from pipeline.commands.common import ConfigOption, JsonOption, opened, tell_of_key, who
from pipeline.domain.types import SealedTemplate
from pipeline.errors import BeeldwachtError
from pipeline.files import template_keys

app = typer.Typer(no_args_is_help=True, help="Templates of faces, and their key.")


@app.command("list")
def list_(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """List who has templates, how old their portraits are, and whether the key opens them.

    Example: beeldwacht templates list
    """
    with opened(config_file) as application:
        problem, found = "", application.store.templates.all()
        try:
            if found:
                key = application.keys.current()
                for t in found:
                    template_keys.unseal(t, key)
        except template_keys.KeyProblem as e:
            problem = str(e)
        place = application.keys.source.place
    people: dict[str, list[SealedTemplate]] = {}
    for t in found:
        people.setdefault(t.person_id, []).append(t)
    facts = [
        {
            "person": p,
            "portraits": len({t.portrait_sha256 for t in own}),
            "engines": sorted({t.engine for t in own}),
            "dated": min(t.dated for t in own).isoformat(),
        }
        for p, own in sorted(people.items())
    ]
    if json_out:
        output.as_json({"key": place, "problem": problem, "people": facts})
    else:
        rows = [[str(f["person"]), str(f["portraits"]), str(f["dated"])] for f in facts]
        output.table("templates", ["person", "portraits", "portrait of"], rows)
        output.say(problem or f"The key is at {place}.", "red" if problem else "")
    if problem:
        raise typer.Exit(1)


@app.command("lookalikes")
def lookalikes(
    person: Annotated[str, typer.Argument(help="Only pairs with this person id.")] = "",
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """List people whose portraits resemble each other: siblings, twins, or a photo that was swapped.

    Such people are named only when one is far ahead of the other; else both stay covered until staff say who it is.

    Example: beeldwacht templates lookalikes
    """
    with opened(config_file) as application:
        pairs = application.store.templates.lookalikes(person or None)
    if json_out:
        output.as_json(
            [
                {
                    "first": p.first,
                    "second": p.second,
                    "score": round(p.score, 2),
                    "engine_scores": dict(p.engine_scores),
                }
                for p in pairs
            ]
        )
        return
    rows = [
        [p.first, p.second, f"{p.score:.2f}", ", ".join(f"{k} {v:.3f}" for k, v in p.engine_scores.items())]
        for p in pairs
    ]
    output.table("people who look alike", ["person", "and", "score", "similarity"], rows)


@app.command("prune")
def prune(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Delete the templates of who may no longer be matched or whose portrait is too old. The service does so daily.

    Example: beeldwacht templates prune
    """
    with opened(config_file) as application:
        count = application.enroller(None, user()).prune(application.store.register.current())
        application.write_log_files()
    output.as_json({"deleted": count}) if json_out else output.say(f"{count} templates were deleted.")


@app.command("rotate-key")
def rotate_key(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Seal every template anew with a new key. Both keys are known until it is done: it can be repeated after a crash.

    Example: beeldwacht templates rotate-key
    """
    with opened(config_file) as application:
        count, key_id = template_keys.rotate(application.keys, application.store.templates.reseal, now(), user())
        place = application.keys.source
        application.write_log_files()
    tell_of_key("templates", count, key_id, place, "sealed with", json_out)


@app.command("new-key")
def new_key(
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who decided; it is logged.")],
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Give up a key that is lost: delete every template; the next load of the register enrols everyone again.

    Refused while the key opens the templates: then `rotate-key` is what you want.

    Example: beeldwacht templates new-key --by "A. de Boer"
    """
    with opened(config_file) as application:
        try:
            application.keys.current()
        except template_keys.KeyMissing:
            pass
        else:
            raise BeeldwachtError("The key is there and right.", "To exchange it: beeldwacht templates rotate-key.")
        count = application.store.templates.forget_key(now(), who(application, by))
        application.write_log_files()
    if json_out:
        output.as_json({"deleted": count})
    else:
        output.say(f"{count} templates were deleted. Load the register again: everyone is enrolled anew.", "green")


@app.command("make-key")
def make_key() -> None:
    """Print a new key, for [keys] source = "environment" or for a file that you lay down yourself.

    Example: beeldwacht templates make-key > /run/keys/beeldwacht && chmod 0400 /run/keys/beeldwacht
    """
    print(template_keys.fresh())
