"""One table of routes, each with the roles that may use it; and what stands before every page.

A page is a plain function of a `Call`. Before it runs: who asks is known and may, an unsafe method carries the token
that proves that the form is ours (CSRF), and what was sent is small enough. Nobody writes this check twice.
"""

from __future__ import annotations

import functools
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from anyio import to_thread
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive

from consent_sync.loaded import RegisterError
from pipeline.console.auth import csrf_of
from pipeline.console.i18n import chosen
from pipeline.console.rate_limits import TooManyAttempts, place
from pipeline.console.state import Console
from pipeline.errors import BeeldwachtError
from pipeline.store.accounts import Account, AccountRole

logger = logging.getLogger(__name__)

SESSION, BEFORE, LANGUAGE = "bw_session", "bw_before", "bw_language"
MAX_FORM = 1 << 20
UPLOADER, COMMUNICATOR, OFFICER, ADMINISTRATOR = AccountRole
ANYBODY: frozenset[AccountRole] = frozenset()
"""Also who has not signed in: the way in, and what it looks like."""
EVERYONE = frozenset(AccountRole)


_BEFORE_SECOND = frozenset({"/account", "/account/second", "/account/password", "/logout"})
"""What somebody may do whose role needs a second factor that is not there yet."""


class NotFound(Exception):
    """There is no such page, or not for this account: both look alike."""


class Refused(Exception):
    """The request is not taken: `status` and a sentence for the person."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Call:
    """One request, as a page sees it."""

    console: Console
    request: Request
    language: str
    token: str
    """The cookie that the CSRF token is made of: the session's, or one from before signing in."""
    signed_in: Account | None
    form: dict[str, str] = field(default_factory=dict)
    many: dict[str, list[str]] = field(default_factory=dict)
    body: bytes = b""
    file: UploadFile | None = None

    @property
    def account(self) -> Account:
        """Who is signed in."""
        if self.signed_in is None:
            raise NotFound
        return self.signed_in

    @property
    def address(self) -> str:
        """From where the request comes, as attempts are counted by."""
        return place(self.request.client.host) if self.request.client else "unknown"

    @property
    def query(self) -> Mapping[str, str]:
        """What stands after the question mark."""
        return self.request.query_params

    @property
    def here(self) -> str:
        """The address of the page that is looked at: to come back to. An answer to a form has none: the form's page."""
        url = self.request.url
        if self.request.method != "GET":
            came = urlsplit(self.request.headers.get("referer", ""))
            return came.path + (f"?{came.query}" if came.query else "") if came.netloc == url.netloc else "/"
        return url.path + (f"?{url.query}" if url.query else "")

    @property
    def partial(self) -> bool:
        """Whether htmx asks, and wants a part of the page only."""
        return "hx-request" in self.request.headers

    def number(self, name: str) -> int:
        """A number out of the path; one that is larger than any row has names nothing."""
        value = whole(str(self.request.path_params[name]))
        if value is None:
            raise NotFound
        return value

    def has(self, *roles: AccountRole) -> bool:
        """Whether who asks has one of these roles."""
        return self.signed_in is not None and not self.signed_in.roles.isdisjoint(roles)

    def _(self, message: str) -> str:
        """A message in the language of the page."""
        return self.console.pages.text(self.language, message)

    def say(self, error: BeeldwachtError) -> str:
        """What an error says, in the language of the page."""
        return self.console.pages.said(self.language, error)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A template as an answer."""
        text = self.console.pages.render(self, template, **values)
        return HTMLResponse(text, status)

    def go(self, path: str, said: str = "") -> Response:
        """On to another page, with a word about what was done."""
        if said:
            path += f"{'&' if '?' in path else '?'}said={quote(said)}&by={self.console.pages.signed(said)}"
        if self.partial:
            return Response(status_code=204, headers={"HX-Location": path})
        return RedirectResponse(path, 303)


Page = Callable[[Call], Response]


@dataclass(frozen=True, slots=True)
class Declared:
    """One route: without `roles` there is none. `takes` is what a body may be: form, piece (bytes) or file.

    `machine`: programs ask, which get no cookie; who may is for the page to say.
    """

    path: str
    page: Page
    roles: frozenset[AccountRole]
    methods: tuple[str, ...] = ("GET",)
    takes: str = "form"
    limit: int = MAX_FORM
    machine: bool = False


def ours(target: str) -> bool:
    """Whether an address that somebody gave leads to a page of the console, and to no other site."""
    return target.startswith("/") and "\\" not in target and not target.startswith("//") and not urlsplit(target).netloc


def whole(text: str) -> int | None:
    """A number as a link or a form carries it; None for what is no number, or larger than any row's."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def routes(console: Console, table: Sequence[Declared]) -> list[Route]:
    """The table as Starlette's routes."""
    return [Route(d.path, _endpoint(console, d), methods=list(d.methods)) for d in table]


def _endpoint(console: Console, declared: Declared) -> Callable[[Request], Awaitable[Response]]:
    @functools.wraps(declared.page)
    async def endpoint(request: Request) -> Response:
        language = chosen(
            request.cookies.get(cookie(console, LANGUAGE), ""),
            request.headers.get("accept-language", ""),
            console.app.settings.language,
        )
        token = request.cookies.get(cookie(console, SESSION), "")
        session = await run_in_threadpool(console.auth.session, token) if token else None
        request = Request(request.scope, _counted(request.receive, declared.limit))
        call = Call(console, request, language, token, session.account if session else None)
        fresh = ""
        if session is None:
            call.token = request.cookies.get(cookie(console, BEFORE), "")
            if len(call.token) < 32:
                call.token = fresh = secrets.token_urlsafe(32)
        try:
            response = await _admitted(call, declared)
        except NotFound:
            response = call.page(
                "message.html", 404, title=call._("Not found"), text=call._("There is no such page, or not for you.")
            )
        except Refused as e:
            text = str(e) or call._("That is more than is taken at once.")
            response = call.page("message.html", e.status, title=call._("Not done"), text=text)
        except TooManyAttempts as e:
            response = call.page("message.html", 429, title=call._("Not done"), text=call.say(e))
            response.headers["retry-after"] = str(e.seconds)
        except BeeldwachtError as e:
            response = call.page("message.html", 409, title=call._("Not done"), text=call.say(e))
        except RegisterError as e:
            response = call.page("message.html", 409, title=call._("Not done"), text=str(e))
        except OSError as e:
            logger.exception("console: %s %s", request.method, declared.path)
            response = call.page(
                "message.html", 503, title=call._("Not done"), text=call._("The disk refused: {}").format(e.strerror)
            )
        except Exception:  # a fault of the program: it is in the service's log, and the person gets a sentence
            logger.exception("console: %s %s", request.method, declared.path)
            response = call.page(
                "message.html",
                500,
                title=call._("Not done"),
                text=call._("The console made a mistake. The service's log has it."),
            )
        if fresh and not declared.machine:
            set_cookie(console, response, BEFORE, fresh)
        return response

    return endpoint


def _counted(receive: Receive, limit: int) -> Receive:
    """The body as it comes, until it is more than is taken: whatever its head says, no more is kept in memory."""
    there = 0

    async def receive_counted() -> Message:
        nonlocal there
        message = await receive()
        there += len(message.get("body", b""))
        if there > limit:
            raise Refused(413, "")
        return message

    return receive_counted


async def _admitted(call: Call, declared: Declared) -> Response:
    if declared.roles and call.signed_in is None:
        if call.request.method == "GET" and not call.partial:
            return RedirectResponse(f"/login?next={quote(call.request.url.path)}", 303)
        headers = {"HX-Redirect": "/login"} if call.partial else {}
        return Response(call._("You are signed out. Sign in again."), 401, headers)
    if declared.roles and not call.has(*declared.roles):
        raise NotFound
    if declared.roles and declared.path not in _BEFORE_SECOND and call.console.auth.second.missing(call.account):
        return RedirectResponse("/account", 303)
    if call.request.method not in {"GET", "HEAD"}:
        await _body(call, declared)
    if declared.machine:
        return await to_thread.run_sync(declared.page, call, limiter=call.console.for_machines)
    return await run_in_threadpool(declared.page, call)


async def _body(call: Call, declared: Declared) -> None:
    """Read what was sent, within its limit, and check that it comes from a page of ours."""
    request = call.request
    length = request.headers.get("content-length", "")
    if (whole(length) or 0) > declared.limit:
        raise Refused(413, call._("That is more than is taken at once."))
    if (site := request.headers.get("sec-fetch-site")) and site not in {"same-origin", "none"}:
        raise Refused(403, call._("This was not sent from a page of the console."))
    given = request.headers.get("x-csrf-token", "")
    if given:
        _ours(call, given)  # before anything is read
    if declared.takes == "file":
        sent = await request.form(max_files=1, max_fields=20, max_part_size=declared.limit)
        for key, value in sent.multi_items():
            if isinstance(value, UploadFile):
                call.file = value
            else:
                call.form[key] = value
    else:
        call.body = await request.body()
        if declared.takes == "form":
            for key, text in parse_qsl(
                call.body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=5000
            ):
                call.form[key] = text
                call.many.setdefault(key, []).append(text)
    if not given:
        _ours(call, call.form.get("csrf", ""))


def _ours(call: Call, given: str) -> None:
    """Raises Refused for a token that no page of ours carries for this browser."""
    if not secrets.compare_digest(given.encode(), csrf_of(call.token).encode()):
        raise Refused(403, call._("The page was open for too long. Load it again, then repeat what you did."))


def cookie(console: Console, name: str) -> str:
    """The name of a cookie: by https with `__Host-`, so that no neighbouring site can set it (RFC 6265bis 4.1.3.2)."""
    return f"__Host-{name}" if console.app.settings.console.secure else name


def drop_cookie(console: Console, response: Response, name: str) -> None:
    """Tell the browser to forget a cookie."""
    secure = console.app.settings.console.secure
    response.delete_cookie(cookie(console, name), path="/", secure=secure, httponly=True, samesite="lax")


def set_cookie(console: Console, response: Response, name: str, value: str, seconds: int | None = None) -> None:
    """A cookie that no script reads and no other site sends along with a form."""
    response.set_cookie(
        cookie(console, name),
        value,
        max_age=seconds,
        httponly=True,
        samesite="lax",
        path="/",
        secure=console.app.settings.console.secure,
    )
