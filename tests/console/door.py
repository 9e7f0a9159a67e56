"""A console of its own with little patience, and sockets that speak to it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h11

from pipeline import config
from pipeline.app import App
from pipeline.console.connections import Patience
from pipeline.console.server import Server
from pipeline.maintenance import init

HASTY = Patience(handshake=0.5, head=0.5, body=0.5, reading=0.5, connections=12, reserved=4, of_address=200)
CALM = Patience(connections=12, reserved=4, of_address=200)
GET = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Door:
    """A console of its own, and sockets to it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.address = server.address
        self.port = int(self.address.rpartition(":")[2])

    def connect(self) -> socket.socket:
        one = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return one

    def status(self, path: str) -> int:
        with self.connect() as s:
            s.sendall(GET % path.encode())
            return answer(s)

    @property
    def held(self) -> int:
        return len(self.server._server.server_state.connections)


@contextmanager
def opened(tmp_path: Path, patience: Patience, **more: object) -> Iterator[Door]:
    file = tmp_path / "beeldwacht.toml"
    if not file.exists():
        init.init(tmp_path)
    app = App(config.load(file, {"console": {"port": 0, **more}}))
    server = Server(app, patience)
    try:
        yield Door(server)
    finally:
        server.close()
        app.close()


def answer(s: socket.socket) -> int:
    """The status of the next answer; 0 when the other side hung up without one."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA:
            try:
                data = s.recv(65536)
            except ConnectionError:
                return 0
            if not data and client.their_state is h11.SEND_RESPONSE:
                return 0
            client.receive_data(data)
        elif isinstance(event, h11.Response):
            return event.status_code


def hung_up(s: socket.socket) -> bool:
    """Waits until the other side ends the connection, whatever it sends before."""
    try:
        while s.recv(65536):
            pass
    except ConnectionError:
        return True
    return True


def eventually(true: Callable[[], bool]) -> None:
    """Wait until something has become true."""
    for _ in range(1500):
        if true():
            return
        time.sleep(0.02)
    raise AssertionError("it did not become true")
