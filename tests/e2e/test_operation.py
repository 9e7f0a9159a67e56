"""The service as systemd and a monitor see it: a real process, a real notification socket, a real web server."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

from tests.integration.monitoring.test_monitor import Receiver, receiver
from tests.support.school import School

__all__ = ["receiver"]


def test_it_says_when_it_is_ready_that_it_is_alive_and_what_is_wrong(
    tmp_path: Path, weights: Path, receiver: Receiver
) -> None:
    school = School(tmp_path / "s", {"BEELDWACHT_WORK__SLOTS": "1"}, matching=False)
    address = f"\0beeldwacht-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        systemd.settimeout(60)
        school.env |= {
            "NOTIFY_SOCKET": "@" + address[1:],
            "BEELDWACHT_ALARMS__WEBHOOK": receiver.address,
            "BEELDWACHT_ALARMS__EVERY_SECONDS": "1",
            "BEELDWACHT_ALARMS__DISK_MIB": str(1 << 40),
        }
        school.start()
        assert systemd.recv(100) == b"READY=1"
        assert [systemd.recv(100) for _ in range(2)] == [b"WATCHDOG=1"] * 2
        end = time.monotonic() + 30
        while not receiver.got and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(2.5)
        assert receiver.states() == [("disk", "raised")]
        assert school.service
        school.service.send_signal(signal.SIGSTOP)  # as a blocked disk would
        time.sleep(2)
        school.env["BEELDWACHT_ALARMS__SILENT_MINUTES"] = "0.02"
        assert school.json("alarms", "check", ok=False)["delivered"]["webhook"] == [
            {"alarm": "silent", "state": "raised"}
        ]
        school.service.send_signal(signal.SIGCONT)
        school.env["BEELDWACHT_ALARMS__SILENT_MINUTES"] = "10"
        assert school.stop() == 0
        said = b""
        while not said.startswith(b"STOPPING"):
            said = systemd.recv(100)
    wrong = school.json("alarms", "check", ok=False)
    assert [w["alarm"] for w in wrong["wrong"]] == ["stopped", "disk"]
    assert wrong["delivered"] == {"webhook": []}
    assert school.run("alarms", "test").stdout.startswith("Taken by: webhook")
    assert receiver.states()[1:] == [("silent", "raised"), ("test", "raised")]
    assert "alarms: by webhook" in school.run("doctor", ok=False).stdout
