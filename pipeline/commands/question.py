"""Doubt: what staff ask about a file, and what an officer answers; and reports that were a misunderstanding."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from pipeline import output
from pipeline.commands.common import ConfigOption, JsonOption, opened, who
from pipeline.officer import actions

app = typer.Typer(no_args_is_help=True, help="Doubt about a file: ask, answer, and undo a report.")
ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so; it is logged.")]


@app.command("list")
def question_list(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """List the questions that nobody answered yet.

    Example: beeldwacht question list
    """
    with opened(config_file) as application:
        found = application.store.questions.all(open_only=True)
    if json_out:
        output.as_json([asdict(q) for q in found])
        return
    for q in found:
        output.say(f"{q.id}: item {q.item_id}, {q.asked_by} on {q.asked_at[:10]}: {q.asked}")


@app.command("ask")
def question_ask(
    item: int, text: str, by: ByOption, config_file: ConfigOption = None, json_out: JsonOption = False
) -> None:
    """Ask the officer whether a file should go out. It waits for the answer, unless it is published already.

    Example: beeldwacht question ask 12 "He looks unhappy: should this go out?" --by "M. Bakker"
    """
    with opened(config_file) as application:
        number = actions.ask(application.context, item, who(application, by), text)
        application.write_log_files()
    if json_out:
        output.as_json({"question": number, "item": item})
    else:
        output.say(f"Question {number} about item {item} waits for the officer.", "green")


@app.command("answer")
def question_answer(
    question: int,
    text: str,
    by: ByOption,
    refuse: Annotated[bool, typer.Option("--refuse", help="It may not go out: refuse the file for good.")] = False,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Answer a question: the file goes on its way, or is refused.

    Example: beeldwacht question answer 3 "Yes, his parents saw it" --by "Officer One"
    """
    with opened(config_file) as application:
        state = actions.answer(application.context, question, who(application, by), text, refuse)
        application.write_log_files()
    if json_out:
        output.as_json({"question": question, "state": str(state)})
    else:
        output.say(f"Answered: the file is {state}.", "green")


@app.command("undo-report")
def undo_report(
    incident: int,
    by: ByOption,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why; it is logged.")],
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Close a report that was a misunderstanding: the file that it withdrew is decided again.

    Example: beeldwacht question undo-report 4 --by "Officer One" --why "it was another child"
    """
    with opened(config_file) as application:
        item = actions.undo_report(application.context, incident, who(application, by), why)
        application.write_log_files()
    if json_out:
        output.as_json({"incident": incident, "item": item})
    else:
        output.say(f"Item {item} is decided again.", "green")
