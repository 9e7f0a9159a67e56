"""The originals at rest: how long they are kept, and their key."""

from __future__ import annotations

import typer

from pipeline import output
from pipeline.app import now, user
from pipeline.commands.common import ConfigOption, JsonOption, opened, tell_of_key
from pipeline.publishing.retention import expire

app = typer.Typer(no_args_is_help=True, help="Originals at rest, and their key.")


@app.command("expire")
def expire_now(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Delete the originals whose time is over (see [retention]), with a receipt in the log. The service does so daily.

    Example: beeldwacht vault expire
    """
    with opened(config_file) as application:
        days = application.settings.retention.originals_days
        count = expire(application.store, application.vault, now(), days, user())
        application.write_log_files()
    output.as_json({"deleted": count}) if json_out else output.say(f"{count} originals were deleted.")


@app.command("rotate-key")
def rotate_key(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Wrap every original's own key under a new key; the originals themselves are not written again.

    The service may run meanwhile. Both keys are known until it is done: it can be repeated after a crash.

    Example: beeldwacht vault rotate-key
    """
    with opened(config_file) as application:
        count, key_id = application.original_keys.exchange(application.vault.originals.rewrap)
        application.store.journal.note(now(), "vault.key_exchanged", user(), {"after": key_id, "originals": count})
        place = application.original_keys.source
        application.write_log_files()
    tell_of_key("originals", count, key_id, place, "kept under", json_out)
