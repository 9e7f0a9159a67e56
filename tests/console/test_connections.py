"""Attacks on the console's connections: a real server with little patience, and sockets that say what they like."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from pipeline.console.connections import Patience
from pipeline.errors import StartupError
from tests.console.door import CALM, GET, HASTY, Door, answer, eventually, hung_up, opened
from tests.console.test_tls import certificate


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("hasty"), HASTY) as door:
        yield door


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("calm"), CALM) as door:
        yield door


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 700000000\r\n",
        b"Content-Length: " + b"9" * 20 + b"\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: +5\r\n",
    ],
)
def test_a_body_without_a_clear_end_is_not_read(calm: Door, head: bytes) -> None:
    """N7: of 64 MiB that are sent before anybody signed in, no more than the buffers between hold is taken."""
    with calm.connect() as s:
        s.sendall(b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\n" + head + b"\r\n")
        sent = 0
        with suppress(ConnectionError):
            for _ in range(1024):
                s.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
        assert sent < 16 << 20
    eventually(lambda: calm.held == 0)


def test_what_was_refused_says_why(calm: Door) -> None:
    for head, status in (
        (b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Content-Length: 2000000\r\n", 413),
    ):
        with calm.connect() as s:
            s.sendall(b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\n" + head + b"\r\n")
            assert answer(s) == status


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /login HTT",
        b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nhalf",
        b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nhalf",
    ],
    ids=["nothing", "half a head", "half a body", "a body that nobody asked for"],
)
def test_who_does_not_finish_is_let_go(hasty: Door, begun: bytes) -> None:
    with hasty.connect() as s:
        s.sendall(begun)
        assert hung_up(s)
    eventually(lambda: hasty.held == 0)


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ",
        b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n",
    ],
)
def test_dripping_gains_no_time(hasty: Door, begun: bytes) -> None:
    with hasty.connect() as s, pytest.raises(ConnectionError):
        s.sendall(begun)
        for _ in range(200):
            s.sendall(b"x")
            time.sleep(0.05)
    eventually(lambda: hasty.held == 0)


def test_who_does_not_take_the_answer_is_let_go(hasty: Door) -> None:
    """Many requests on one connection, and never a look at what comes back."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(("127.0.0.1", hasty.port))
        eventually(lambda: hasty.held == 1)
        with suppress(ConnectionError):
            for _ in range(2000):
                s.sendall(GET % b"/static/htmx.min.js" + GET % b"/static/console.css" + GET % b"/login")
        eventually(lambda: hasty.held == 0)


def test_those_who_only_hold_connections_keep_nobody_out(calm: Door) -> None:
    """N8: with all places taken by idle connections, pages and health answer as before, and no more are held."""
    with ExitStack() as stack:
        for n in range(60):
            s = stack.enter_context(calm.connect())
            s.sendall((b"", b"GET / HT", GET % b"/login")[n % 3])
        for _ in range(3):
            assert calm.status("/login") == 200 and calm.status("/healthz/live") == 200
        assert calm.held <= CALM.connections + 1
    eventually(lambda: calm.held == 0)


def test_health_has_places_of_its_own(calm: Door) -> None:
    """Everybody who may be there is sending a form, and takes the time that is theirs."""
    with ExitStack() as stack:
        for _ in range(CALM.connections):
            s = stack.enter_context(calm.connect())
            s.sendall(b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nhalf")
        eventually(
            lambda: sum(not c.gives_way for c in calm.server._server.server_state.connections) == CALM.connections
        )
        assert calm.status("/login") == 503
        assert calm.status("/healthz/live") == 200 and calm.status("/healthz") == 503  # no service runs here
        for _ in range(CALM.reserved + 5):
            stack.enter_context(calm.connect())
        assert calm.status("/healthz/live") == 200
        assert calm.held <= CALM.connections + CALM.reserved + 1
    eventually(lambda: calm.held == 0)


def test_an_address_has_so_many_connections(tmp_path: Path) -> None:
    with opened(tmp_path, Patience(of_address=3)) as door, ExitStack() as stack:
        for _ in range(3):
            s = stack.enter_context(door.connect())
            s.sendall(b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nhalf")
        eventually(lambda: sum(not c.gives_way for c in door.server._server.server_state.connections) == 3)
        with door.connect() as s:
            s.sendall(GET % b"/healthz/live")
            assert answer(s) == 0
        assert door.held == 3


def test_a_proxy_speaks_for_everybody(tmp_path: Path) -> None:
    with opened(tmp_path, Patience(of_address=3), behind_proxy=True) as door, ExitStack() as stack:
        for _ in range(9):
            s = stack.enter_context(door.connect())
            s.sendall(b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nhalf")
        assert door.status("/login") == 200 and door.held >= 9


def test_who_does_not_shake_hands_is_let_go(tmp_path: Path) -> None:
    certificate(tmp_path)
    with opened(tmp_path, HASTY, tls_certificate="c.crt", tls_key="c.key") as door:
        with door.connect() as silent, door.connect() as plain:
            plain.sendall(GET % b"/login")
            assert hung_up(silent) and hung_up(plain)
        with ExitStack() as stack:
            for _ in range(40):
                stack.enter_context(door.connect())
            trusted = ssl.create_default_context(cafile=str(tmp_path / "c.crt"))
            eventually(lambda: not door.server._server.server_state.tasks)
            eventually(lambda: _lives(door.address, trusted))  # on a busy machine a handshake of ours may be late too


def _lives(address: str, trusted: ssl.SSLContext) -> bool:
    try:
        return httpx.get(f"{address}/healthz/live", verify=trusted).status_code == 200
    except httpx.TransportError:
        return False


def test_a_certificate_that_is_none_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "c.crt").write_text("no certificate")
    (tmp_path / "c.key").write_text("no key")
    with (
        pytest.raises(StartupError, match=r"c\.crt.*TLS cannot be spoken"),
        opened(tmp_path, HASTY, tls_certificate="c.crt", tls_key="c.key"),
    ):
        pass
