"""The console in the browser, and the accounts that sign in to it."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import output
from pipeline.app import App, now, user
from pipeline.commands.common import ConfigOption, JsonOption, opened
from pipeline.console.auth import Auth, roles_of
from pipeline.errors import StartupError

if TYPE_CHECKING:
    from pipeline.console.server import Server

_AGAIN = 5.0
app = typer.Typer(no_args_is_help=True, help="Accounts of the console.")
RolesOption = Annotated[
    list[str], typer.Option("--role", help="uploader, communicator, officer or administrator; may be given again.")
]


def serve(config_file: ConfigOption = None) -> None:
    """Serve the console alone, until stopped with Ctrl-C or SIGTERM. `beeldwacht run` may run beside it.

    Example: beeldwacht serve
    """
    with opened(config_file) as application:
        server = start(application)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: server.stop())
        try:
            server.wait()
        finally:
            server.close()


def start(application: App) -> Server:
    """Start the console in a thread, and say where it is; with a code for the first administrator when needed."""
    from pipeline.console.server import Server  # noqa: PLC0415 - slow to load, and most commands do without

    server = Server(application)
    output.say(f"The console: {server.address}", "green")
    if code := server.first_code():
        link = f"{server.address}/welcome?code={code}"
        output.say(f"There is no administrator yet. Open {link} within an hour.", "yellow")
    return server


class Attendant:
    """Starts the console beside the service, and again when it has ended: its troubles keep no file waiting."""

    def __init__(self, application: App) -> None:
        self._application = application
        self._server: Server | None = None
        self._problem: StartupError | None = None
        self._next = 0.0

    def attend(self) -> None:
        """See to it that the console runs. Raises StartupError while it does not; tries again every few seconds."""
        if self._server and self._server.running:
            return
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _AGAIN
            try:
                self._server, self._problem = start(self._application), None
            except StartupError as e:
                self._problem = e
        if self._problem:
            raise self._problem

    def close(self) -> None:
        """End the console, when it runs."""
        if self._server:
            self._server.close()


@app.command("add")
def account_add(name: str, role: RolesOption, config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Make an account, and print a one-time code with which its owner chooses a password.

    Example: beeldwacht account add a.deboer --role officer --role administrator
    """
    with opened(config_file) as application:
        made = application.store.accounts.add(now(), user(), name, roles_of(role))
        code = _auth(application).invite(user(), made.name)
        application.write_log_files()
        _show(application, made.name, code, json_out)


@app.command("reset")
def account_reset(name: str, config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Print a new one-time code for an account, with which its owner chooses a new password.

    Example: beeldwacht account reset a.deboer
    """
    with opened(config_file) as application:
        code = _auth(application).invite(user(), name)
        application.write_log_files()
        _show(application, name, code, json_out)


@app.command("roles")
def account_roles(name: str, role: RolesOption, config_file: ConfigOption = None) -> None:
    """Give an account other roles. It has to sign in again.

    Example: beeldwacht account roles a.deboer --role officer
    """
    with opened(config_file) as application:
        application.store.accounts.set_roles(now(), user(), name, roles_of(role))
        application.write_log_files()
    output.say("Done.", "green")


@app.command("lock")
def account_lock(
    name: str,
    unlock: Annotated[bool, typer.Option("--unlock", help="Let it in again.")] = False,
    config_file: ConfigOption = None,
) -> None:
    """Keep an account out at once: its sessions end.

    Example: beeldwacht account lock a.deboer
    """
    with opened(config_file) as application:
        application.store.accounts.lock(now(), user(), name, not unlock)
        application.write_log_files()
    output.say("Done.", "green")


@app.command("list")
def account_list(config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """List the accounts.

    Example: beeldwacht account list
    """
    with opened(config_file) as application:
        found = application.store.accounts.all()
    if json_out:
        output.as_json(
            [
                {
                    "name": a.name,
                    "roles": sorted(a.roles),
                    "outside": a.outside,
                    "locked_at": a.locked_at,
                    "password": a.password is not None,
                }
                for a in found
            ]
        )
        return
    rows = [
        [
            a.name,
            ", ".join(sorted(a.roles)),
            "school" if a.outside else "password" if a.password else "invited",
            (a.locked_at or "")[:10],
        ]
        for a in found
    ]
    output.table("accounts", ["name", "roles", "signs in with", "locked since"], rows)


def _auth(application: App) -> Auth:
    return Auth(application.store, now, application.settings.console)


def _show(application: App, name: str, code: str, json_out: bool) -> None:
    c = application.settings.console
    address = c.address.rstrip("/") or f"http{'s' if c.tls_certificate else ''}://{c.host}:{c.port}"
    link = f"{address}/welcome?code={code}"
    if json_out:
        output.as_json({"name": name, "code": code, "link": link})
    else:
        output.say(f"{name} chooses a password within an hour at {link}", "green")
