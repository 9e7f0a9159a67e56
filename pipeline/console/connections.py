"""Connections to the console: how long somebody may take, and how many there may be.

uvicorn speaks HTTP; this adds what it leaves to a proxy in front. Who opens a connection sends a request soon, and as a
whole; who asks for a file takes it. A connection on which nothing is asked gives way to a new one, so that those who
only hold them keep nobody out; some places are kept for programs that ask whether all is well.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

import h11
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from pipeline.console.rate_limits import place

HEALTH = frozenset({"/healthz", "/healthz/live", "/metrics"})


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for each part of a request, bytes a second that a body must come with, and numbers of connections."""

    handshake: float = 10.0
    head: float = 10.0
    body: float = 60.0
    body_rate: int = 32 << 10
    reading: float = 30.0
    """In which somebody takes what fills the buffers (64 KiB) of an answer."""
    connections: int = 400
    reserved: int = 16
    of_address: int = 60


class Phase(Enum):
    """What a connection is waiting for."""

    NOTHING_YET = "first byte"
    HEAD = "rest of the head"
    BODY = "rest of the body"
    ANSWER = "answer"
    NEXT = "next request"


_GIVING_WAY = {Phase.NOTHING_YET, Phase.HEAD, Phase.NEXT}


class GuardedProtocol(H11Protocol):
    """uvicorn's connection, with an end to every wait. `one_address`: a proxy speaks for everybody."""

    def __init__(self, config: Config, server_state: ServerState, patience: Patience, one_address: bool) -> None:
        super().__init__(config, server_state, {})
        self._patience = patience
        self._one_address = one_address
        self._phase: Phase | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self.place = ""
        self.since = 0.0

    @property
    def gives_way(self) -> bool:
        """Whether nothing is being asked or answered on it."""
        return self._phase in _GIVING_WAY

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it in, when there is room or somebody who gives way; else only for who asks for health."""
        super().connection_made(transport)
        self.place = place(self.client[0]) if self.client else ""
        self._watch()
        others = cast(set[GuardedProtocol], self.connections)
        mine = [c for c in others if c.place == self.place]
        if len(mine) > self._patience.of_address and not self._one_address:
            _longest(mine, self).end()
        if len(others) > self._patience.connections:
            first = _longest(list(others), self)
            if first is not self:
                first.end()
            elif len(others) > self._patience.connections + self._patience.reserved:
                self.end()
            else:
                self.app = cast(Any, only_health(cast(ASGIApp, self.app)))

    def end(self) -> None:
        """Let go of it at once, with what was still to be sent."""
        self.connections.discard(self)
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """More of a request."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """An answer is sent, or waits in the buffers for somebody to read it."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._end_after(self._patience.reading)
        else:
            self._watch()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing was asked any more; what is still in the buffers is not waited for without end."""
        super().timeout_keep_alive_handler()
        self._end_after(self._patience.reading)

    def pause_writing(self) -> None:
        """Somebody does not take the answer as fast as it comes."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self._patience.reading, self.end)

    def resume_writing(self) -> None:
        """They took it."""
        super().resume_writing()
        _cancel(self._stalled)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over: nothing waits any more."""
        super().connection_lost(exc)
        _cancel(self._deadline)
        _cancel(self._stalled)

    def _watch(self) -> None:
        """Set the end of the wait that begins; one that goes on keeps its end, however many bytes come."""
        phase = self._now()
        if phase is self._phase or self.transport.is_closing():
            return
        self._phase, self.since = phase, self.loop.time()
        _cancel(self._deadline)
        if phase in {Phase.NOTHING_YET, Phase.HEAD}:
            self._end_after(self._patience.head)
        elif phase is Phase.BODY:
            self._end_after(self._patience.body + self._announced() / self._patience.body_rate)

    def _now(self) -> Phase:
        if self.conn.their_state is h11.IDLE:
            begun = bool(self.conn.trailing_data[0])
            return Phase.HEAD if begun else Phase.NEXT if self.cycle else Phase.NOTHING_YET
        return Phase.BODY if self.conn.their_state is h11.SEND_BODY else Phase.ANSWER

    def _announced(self) -> int:
        """The length of the body as its head says; without one the limit of what is read decides."""
        length = next((v for k, v in self.headers if k == b"content-length"), b"0")
        return min(int(length), 1 << 30)

    def _end_after(self, seconds: float) -> None:
        _cancel(self._deadline)
        self._deadline = self.loop.call_later(seconds, self.end)


class Handshake(asyncio.Protocol):
    """A connection until TLS stands: it has its place from the first moment on, and not for long."""

    def __init__(self, guarded: GuardedProtocol, context: ssl.SSLContext, patience: Patience) -> None:
        self._guarded = guarded
        self._context = context
        self._patience = patience
        self._early = b""

    def data_received(self, data: bytes) -> None:
        """What was asked in the moment in which TLS came to stand."""
        self._early += data

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; more at once than there are connections in all are turned away."""
        raw = cast(asyncio.Transport, transport)
        raw.pause_reading()
        state = self._guarded.server_state
        if len(state.tasks) + len(state.connections) > 2 * self._patience.connections:
            raw.abort()
            return
        task = self._guarded.loop.create_task(self._shake_hands(raw))
        state.tasks.add(task)
        task.add_done_callback(state.tasks.discard)

    async def _shake_hands(self, raw: asyncio.Transport) -> None:
        loop = self._guarded.loop
        try:
            secured = await loop.start_tls(
                raw, self, self._context, server_side=True, ssl_handshake_timeout=self._patience.handshake
            )
        except OSError:  # no TLS, another version, too slow, gone: nobody to tell
            raw.abort()
            return
        if secured is None:
            raw.abort()
        else:
            secured.set_protocol(self._guarded)
            self._guarded.connection_made(secured)
            if self._early:
                self._guarded.data_received(self._early)


def guarded(patience: Patience, one_address: bool, context: ssl.SSLContext | None) -> Callable[..., asyncio.Protocol]:
    """What uvicorn makes a connection with."""

    def made(config: Config, server_state: ServerState, **_: object) -> asyncio.Protocol:
        one = GuardedProtocol(config, server_state, patience, one_address)
        return Handshake(one, context, patience) if context else one

    return made


def only_health(app: ASGIApp) -> ASGIApp:
    """The application for who came when every other place was taken."""
    full = PlainTextResponse("Too many connections. Try again.\n", 503, {"retry-after": "5", "connection": "close"})

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        await (app if scope["path"] in HEALTH else full)(scope, receive, send)

    return limited


def _longest(connections: list[GuardedProtocol], fallback: GuardedProtocol) -> GuardedProtocol:
    """Of those that give way the one that has waited longest; `fallback` when none does."""
    return min((c for c in connections if c.gives_way and c is not fallback), key=lambda c: c.since, default=fallback)


def _cancel(handle: asyncio.TimerHandle | None) -> None:
    if handle:
        handle.cancel()
