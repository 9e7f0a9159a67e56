"""Alarms that arrive: a real database, a real web server, and a real mail server as a process of its own."""

from __future__ import annotations

import json
import mailbox
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config import Alarms, Settings
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Event
from pipeline.domain.workload import SERVICE_HEARTBEAT
from pipeline.errors import BeeldwachtError, ConfigError
from pipeline.monitoring.monitor import ALARMS, Monitor, MonitorLoop
from pipeline.monitoring.notifiers import NotDelivered, places
from pipeline.store import Store
from pipeline.store.rows import Arrival
from tests.console.test_tls import certificate

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NAME = "Kim-Jansen"


class Receiver:
    """A web server that keeps what it is sent, and answers with `status`."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.status = 204
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if outer.status < 300:
                    outer.got.append(json.loads(body))
                    outer.tokens.append(self.headers["authorization"] or "")
                self.send_response(outer.status)
                self.send_header("location", "http://127.0.0.1:1/")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on standard error."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def states(self) -> list[tuple[str, str]]:
        return [(a["alarm"], a["state"]) for message in self.got for a in message["alarms"]]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.server.shutdown()
    one.server.server_close()


class MailServer:
    """aiosmtpd as a process; what it takes lies in a maildir."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder / "maildir"
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = int(s.getsockname()[1])
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "aiosmtpd",
                "-n",
                "-l",
                f"127.0.0.1:{self.port}",
                *options,
                "-c",
                "aiosmtpd.handlers.Mailbox",
                str(self.folder),
            ],
            stdout=subprocess.DEVNULL,
            stderr=(folder / "smtp.err").open("w"),
        )
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self.process.poll() is None, (folder / "smtp.err").read_text()
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the mail server did not start")

    def mails(self) -> list[mailbox.MaildirMessage]:
        return list(mailbox.Maildir(self.folder))

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)


class Installation:
    """A database with files in it, a configuration, and a watchman on both."""

    def __init__(self, root: Path, **alarms: object) -> None:
        (root / "data").mkdir(exist_ok=True)
        self.settings = Settings(root=root, alarms=Alarms(disk_mib=0, **alarms))  # type: ignore[arg-type]
        self.store = Store(self.settings.database_url)
        self.flaws = 0

    def watchman(self) -> Monitor:
        s = self.settings
        return Monitor(self.store, s, places(s.alarms, s.root, s.school, s.language), lambda: self.flaws)

    def alive(self, at: datetime) -> None:
        facts = {"pid": 1, "waiting": 0, "events": True, "problem": "", "working": []}
        self.store.items.beat(at, SERVICE_HEARTBEAT, facts)

    def held(self, at: datetime, number: int) -> None:
        a = Arrival(f"{number:064}", f"{NAME}.jpg", Event(NAME), "", f"{NAME}/{number}", str(number), 10)
        self.store.items.arrive(at, a, "test")
        item = self.store.items.claim(at, "me", 60)
        assert item
        self.store.items.end(at, item, "me", State.HELD, ["lesson"], f"{NAME} was at a lesson")


@pytest.fixture
def installation(tmp_path: Path, receiver: Receiver) -> Iterator[Installation]:
    (tmp_path / "token").write_text("the token\n")
    one = Installation(tmp_path, webhook=receiver.address, webhook_token_file=Path("token"), repeat_hours=6)
    yield one
    one.store.close()


def test_told_once_then_seldom_then_that_it_is_over(installation: Installation, receiver: Receiver) -> None:
    installation.held(NOW - 25 * HOUR, 1)
    installation.held(NOW - 2 * HOUR, 2)
    for minutes in (0, 1, 60, 359, 361):
        installation.alive(NOW + minutes * MINUTE)
        installation.watchman().round(NOW + minutes * MINUTE)  # each time a new one, as after a restart
    assert receiver.states() == [("held", "raised"), ("held", "still")]
    assert receiver.got[0]["alarms"][0] == {
        "alarm": "held",
        "state": "raised",
        "since": NOW.isoformat(),
        "count": 1,
        "items": [1],
    }
    assert receiver.tokens == ["Bearer the token"] * 2
    item = installation.store.items.get(1)
    assert item
    with installation.store.database.write() as tx:
        tx.exec_driver_sql("UPDATE items SET state = 'rejected' WHERE id = 1")
    for minutes in (362, 363, 368):
        installation.alive(NOW + minutes * MINUTE)
        installation.watchman().round(NOW + minutes * MINUTE)
    assert receiver.states()[2:] == [("held", "cleared")]
    assert NAME not in json.dumps(receiver.got)


def test_a_place_that_is_away_gets_it_later_and_the_other_gets_it_once(
    tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    server = MailServer(tmp_path)
    one = Installation(
        tmp_path, webhook=receiver.address, mail_to=["head@school.example", "it@school.example"], smtp_port=server.port
    )
    one.flaws = 3
    receiver.status = 500
    try:
        one.alive(NOW)
        assert one.watchman().round(NOW)["mail"]
        assert "not delivered by webhook" in caplog.text
        receiver.status = 302  # a redirection would carry the token elsewhere
        one.alive(NOW + 2 * MINUTE)
        one.watchman().round(NOW + 2 * MINUTE)
        receiver.status = 200
        one.watchman().round(NOW + 3 * MINUTE)  # too early after two failures
        assert receiver.got == []
        one.alive(NOW + 5 * MINUTE)
        one.watchman().round(NOW + 5 * MINUTE)
        assert receiver.states() == [("log", "raised")]
        (mail,) = server.mails()
        assert mail["Subject"] == "Beeldwacht: The log was changed, flaws"
        assert mail["X-RcptTo"] == "head@school.example, it@school.example" and mail["Auto-Submitted"]
        assert "The log was changed, flaws: 3 -> beeldwacht log verify" in mail.get_payload()
        server.close()
        one.flaws = 0
        later = NOW + 25 * HOUR
        one.alive(later)
        assert one.watchman().round(later) == {"webhook": (), "mail": ()}  # over, but for how long?
        one.alive(later + 6 * MINUTE)
        delivered = one.watchman().round(later + 6 * MINUTE)
        assert [n.state for n in delivered["webhook"]] == ["cleared"] and delivered["mail"] == ()
        assert "not delivered by mail" in caplog.text
        memory = one.store.items.heartbeat(ALARMS)
        assert memory and memory[1]["places"]["mail"]["failures"] == 1
    finally:
        server.close()
        one.store.close()


def test_a_mail_server_that_cannot_prove_who_it_is_gets_nothing(tmp_path: Path) -> None:
    certificate(tmp_path)
    server = MailServer(tmp_path, "--tlscert", str(tmp_path / "c.crt"), "--tlskey", str(tmp_path / "c.key"))
    one = Installation(tmp_path, mail_to=["a@b.example"], smtp_port=server.port, smtp_security="starttls")
    try:
        with pytest.raises(NotDelivered, match="SSLCertVerificationError"):
            one.watchman().test(NOW)
        assert server.mails() == []
    finally:
        server.close()
        one.store.close()


def test_a_service_that_stopped_or_died_and_a_database_that_is_gone(
    installation: Installation, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    watchman = installation.watchman()
    installation.alive(NOW)
    watchman.round(NOW + 9 * MINUTE)
    assert receiver.states() == []
    watchman.round(NOW + 10 * MINUTE)
    assert receiver.states() == [("silent", "raised")]
    with installation.store.database.write() as tx:
        tx.exec_driver_sql("ALTER TABLE heartbeats RENAME TO elsewhere")
    watchman.round(NOW + 11 * MINUTE)
    watchman.round(NOW + 12 * MINUTE)
    watchman.round(NOW + 13 * MINUTE)
    assert receiver.states()[1:] == [("database", "raised")]  # kept in mind although it could not be written down
    assert "The database refused" in caplog.text


def test_a_log_that_cannot_be_verified_silences_no_other_alarm(installation: Installation, receiver: Receiver) -> None:
    def away() -> int:
        raise BeeldwachtError("the key of the log is not there")

    installation.alive(NOW)
    installation.held(NOW - 25 * HOUR, 1)
    s = installation.settings
    Monitor(installation.store, s, places(s.alarms, s.root, s.school, s.language), away).round(NOW)
    assert receiver.states() == [("held", "raised"), ("log_unread", "raised")]


def test_nothing_ends_the_rounds(installation: Installation, caplog: pytest.LogCaptureFixture) -> None:
    rounds = []

    def clock() -> datetime:
        rounds.append(1)
        if len(rounds) < 3:
            raise RuntimeError("a fault of the program")
        return NOW

    one = MonitorLoop(installation.watchman(), 0.01, clock)
    one.start()
    end = time.monotonic() + 20
    while len(rounds) < 5 and time.monotonic() < end:
        time.sleep(0.01)
    one.stop()
    assert len(rounds) >= 5 and not one.is_alive() and "a fault of the program" in caplog.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook": "http://hooks.example/1"},
        {"webhook": "file:///etc/passwd"},
        {"mail_to": ["nobody"]},
        {"mail_to": ["a@b\nBcc: c@d"]},
        {"mail_to": ["a@b"], "smtp_host": "mail.example", "smtp_user": "u", "smtp_password_file": "p"},
        {"smtp_user": "u"},
    ],
)
def test_alarms_in_the_clear_or_to_nobody_stop_the_start(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Alarms.model_validate(wrong)


def test_a_secret_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    settings = Alarms(webhook="https://hooks.example/1", webhook_token_file=Path("nowhere"))
    with pytest.raises(ConfigError, match="cannot be read"):
        places(settings, tmp_path, "s", "en")
    (tmp_path / "nowhere").write_text("\n")
    with pytest.raises(ConfigError, match="holds no secret"):
        places(settings, tmp_path, "s", "en")
