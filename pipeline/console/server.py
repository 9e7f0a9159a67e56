"""The console as a whole: its parts, its routes, its headers, and the server that runs it in a thread."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.app import App
from pipeline.console.connections import Patience, guarded
from pipeline.console.request import Declared, routes
from pipeline.console.routes import TABLE
from pipeline.console.state import Console
from pipeline.errors import StartupError

logger = logging.getLogger(__name__)
_PATIENCE = 15.0
_PATIENT = Patience()
_LARGEST = 64 << 20
"""Bytes of a body that no page takes: the rest of it is not waited for."""

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def build(console: Console, table: tuple[Declared, ...] = TABLE) -> Starlette:
    """The console as an ASGI application."""
    settings = console.app.settings.console
    hosts = {"127.0.0.1", "localhost", "[::1]", settings.host}
    if settings.address:
        hosts.add(urlsplit(settings.address).hostname or settings.address)
    middleware = [
        Middleware(TrustedHostMiddleware, allowed_hosts=sorted(hosts), www_redirect=False),
        Middleware(Headers, secure=settings.secure),
        Middleware(PlainBodies),
    ]
    return Starlette(routes=routes(console, table), middleware=middleware)


class Headers:
    """The security headers of every answer. What a page shows is kept by no cache unless it says otherwise."""

    def __init__(self, app: ASGIApp, secure: bool) -> None:
        self._app = app
        self._fixed = {
            "content-security-policy": CSP,
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        }
        if secure:
            self._fixed["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the headers to its answer."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._fixed.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)


class PlainBodies:
    """Turns away requests whose end is not told once and clearly by a length that some page takes (RFC 9112, 6.1)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on whose body ends; answer the others at once, and hang up."""
        given = [(k, v) for k, v in scope.get("headers", ()) if k in {b"content-length", b"transfer-encoding"}]
        lengths = [v for k, v in given if k == b"content-length"]
        if len(lengths) < len(given):
            status, why = (400, "Two lengths.") if lengths else (411, "A length is needed.")
        elif len(lengths) > 1 or not all(v.isdigit() and len(v) < 19 for v in lengths):
            status, why = 400, "No length."
        elif lengths and int(lengths[0]) > _LARGEST:
            status, why = 413, "That is more than is taken at once."
        else:
            await self._app(scope, receive, send)
            return
        await PlainTextResponse(f"{why}\n", status, {"connection": "close"})(scope, receive, send)


class Server:
    """The console on its address, in a thread of its own. Starts at once; raises StartupError when it cannot."""

    def __init__(self, app: App, patience: Patience = _PATIENT) -> None:
        s = app.settings.console
        context = _certificate(app)
        self.console = Console(app)
        config = uvicorn.Config(
            build(self.console),
            host=s.host,
            port=s.port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=s.behind_proxy,
            forwarded_allow_ips="127.0.0.1",
            timeout_keep_alive=15,
            timeout_graceful_shutdown=5,
            http=guarded(patience, s.behind_proxy, context),  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._problem = ""
        self._thread.start()
        end = time.monotonic() + _PATIENCE
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > end:
                self.console.close()
                raise StartupError(
                    f"The console cannot listen on {s.host}:{s.port}. {self._problem}".strip(),
                    "Is another one running? Choose another port in [console].",
                )
            time.sleep(0.02)

    @property
    def address(self) -> str:
        """What to type into a browser."""
        s = self.console.app.settings.console
        if s.address:
            return s.address.rstrip("/")
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http{'s' if s.tls_certificate else ''}://{s.host}:{port}"

    def first_code(self) -> str:
        """A one-time code for the first administrator, or "" when there is one."""
        if self.console.store.accounts.administered():
            return ""
        return self.console.auth.invite("terminal", None)

    @property
    def running(self) -> bool:
        """Whether it still answers."""
        return self._thread.is_alive()

    def wait(self) -> None:
        """Until it is stopped."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def stop(self) -> None:
        """Finish what is being answered, and end. Safe in a signal handler."""
        self._server.should_exit = True

    def close(self) -> None:
        """Stop, and let go of everything."""
        self.stop()
        self._thread.join(10)
        self.console.close()

    def _run(self) -> None:
        try:
            self._server.run()
        except (OSError, SystemExit) as e:
            self._problem = str(e)


def _certificate(app: App) -> ssl.SSLContext | None:
    """What TLS is spoken with. Raises StartupError for a certificate or a key that cannot be used."""
    s, root = app.settings.console, app.settings.root
    if not (s.tls_certificate and s.tls_key):
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(root / s.tls_certificate, root / s.tls_key)
    except OSError as e:
        raise StartupError(
            f"{s.tls_certificate}, {s.tls_key}: TLS cannot be spoken with these ({e.strerror or e}).",
            "Check tls_certificate and tls_key in [console].",
        ) from e
    return context
