"""Alarms from the command line: for a timer of the system, and to try whether they arrive."""

from __future__ import annotations

import typer

from pipeline import output
from pipeline.app import now
from pipeline.commands.common import ConfigOption, JsonOption, opened
from pipeline.errors import BeeldwachtError
from pipeline.monitoring import gathering, health
from pipeline.monitoring.alarms import Notice

app = typer.Typer(no_args_is_help=True, help="Tell people when something needs them.")


@app.command()
def check(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Make one round as the service does: look, tell who is to be told what is due, and show what is wrong now.

    A timer of the system that runs this tells people also when the service itself is gone. The exit status is 1 when
    something is wrong.

    Example: beeldwacht alarms check
    """
    with opened(config_file) as application:
        delivered = application.watchman().round(now())
        facts = gathering.gather(application.store, application.settings, now())
        wrong = health.conditions(facts, gathering.limits(application.settings))
        language = application.settings.language
    if json_out:
        output.as_json(
            {
                "wrong": [{"alarm": c.alarm, "count": c.count, "items": list(c.items)} for c in wrong],
                "delivered": {p: [{"alarm": n.alarm, "state": n.state} for n in ns] for p, ns in delivered.items()},
            }
        )
    else:
        for c in wrong:
            output.say(Notice(c.alarm, "raised", now(), c.count, c.items).text(language), "red")
        if not wrong:
            output.say("Nothing is wrong.", "green")
    if wrong:
        raise typer.Exit(1)


@app.command()
def test(config_file: ConfigOption = None) -> None:
    """Send a test to the webhook and the mailboxes of [alarms], and say whether they took it.

    Example: beeldwacht alarms test
    """
    with opened(config_file) as application:
        found = application.watchman()
        if not found.places:
            raise BeeldwachtError("Nobody is told of alarms.", "Name a webhook or mail_to in [alarms].")
        found.test(now())
    output.say(f"Taken by: {', '.join(found.places)}.", "green")
