"""Requests as nobody writes them, at the level of h11, against a real server."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.console.door import CALM, Door, opened


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("calm"), CALM) as door:
        yield door


NAMES = st.sampled_from(
    [
        b"Host",
        b"Content-Length",
        b"content-length",
        b"Transfer-Encoding",
        b"Connection",
        b"Expect",
        b"Cookie",
        b"X-CSRF-Token",
        b"Range",
        b"Upgrade",
        b"Content-Type",
        b"If-None-Match",
        b"HX-Request",
    ]
)
VALUES = st.one_of(
    st.sampled_from(
        [
            b"127.0.0.1",
            b"0",
            b"5",
            b"-1",
            b"5, 5",
            b"1e3",
            b"0x10",
            b"99999999999",
            b"chunked",
            b"gzip, chunked",
            b"identity",
            b"close",
            b"keep-alive",
            b"100-continue",
            b"websocket",
            b"bw_session=x; bw_before=" + b"y" * 40,
            b"bytes=0-",
            b"bytes=9-1,3-",
            b"multipart/form-data; boundary=",
            b"application/json",
            b"\xff\xfe",
            b"a\tb",
        ]
    ),
    st.binary(max_size=40),
)
TARGETS = st.sampled_from(
    [
        b"/login",
        b"/",
        b"*",
        b"http://x/",
        b"//evil",
        b"/static/console.css",
        b"/upload/begin",
        b"/%00",
        b"/%ff%fe",
        b"/login?next=%0d%0aX: y",
        b"/" + b"a" * 3000,
        b"/welcome?code=%",
        b"/static/%2e%2e/x",
    ]
)
BODIES = st.sampled_from(
    [
        b"",
        b"name=kim",
        b"0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"fffffffff\r\nx",
        b"-1\r\n",
        b"\x00" * 100,
        b"&" * 3000,
    ]
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    method=st.sampled_from([b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"TRACE", b"G\xcaT", b""]),
    target=TARGETS,
    version=st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.1x"]),
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=6),
    end=st.sampled_from([b"\r\n", b"\n", b"\r\n "]),
    body=BODIES,
)
def test_whatever_is_asked_the_answer_is_http_and_no_fault(
    calm: Door,
    method: bytes,
    target: bytes,
    version: bytes,
    headers: list[tuple[bytes, bytes]],
    end: bytes,
    body: bytes,
) -> None:
    """Requests as nobody writes them: an answer that h11 can read, never a fault of ours, and the console goes on."""
    lines = [b" ".join([method, target, version]), *(b": ".join(h) for h in headers)]
    with calm.connect() as s:
        s.sendall(end.join(lines) + end * 2 + body)
        s.shutdown(socket.SHUT_WR)
        came = b""
        with suppress(ConnectionError):
            while part := s.recv(65536):
                came += part
    for status in re.findall(rb"^HTTP/1\.1 (\d{3}) ", came, re.MULTILINE):
        assert int(status) < 500, came[:300]
    assert came == b"" or came.startswith(b"HTTP/1.1 ")
    assert calm.status("/healthz/live") == 200
