"""Telling systemd how the service is: the datagrams of sd_notify(3). Without systemd nothing happens."""

from __future__ import annotations

import logging
import os
import socket

logger = logging.getLogger(__name__)
READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"


class Notifier:
    """The socket that systemd named when it started this process; its variable is not handed on to others."""

    def __init__(self) -> None:
        self._address = os.environ.pop("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]  # the abstract namespace

    def say(self, *facts: str) -> None:
        """Send, such as READY. What cannot be sent is logged: systemd then draws its own conclusion."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as s:
                s.settimeout(5)
                s.sendto("\n".join(facts).encode(), self._address)
        except OSError as e:
            logger.warning("systemd was not told %s: %s", ", ".join(facts), e)
