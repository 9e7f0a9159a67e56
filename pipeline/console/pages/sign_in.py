"""The way in and out: signing in, one-time codes, one's own account, the language, and the static files."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import FileResponse, RedirectResponse, Response

from models.downloads.manifest import FOLDER
from pipeline.console.auth import SecondFactorNeeded, SignInError, digest
from pipeline.console.i18n import LANGUAGES
from pipeline.console.rate_limits import TooManyAttempts
from pipeline.console.request import (
    ADMINISTRATOR,
    BEFORE,
    COMMUNICATOR,
    LANGUAGE,
    OFFICER,
    SESSION,
    UPLOADER,
    Call,
    NotFound,
    drop_cookie,
    ours,
    set_cookie,
)
from pipeline.errors import BeeldwachtError
from pipeline.store.accounts import Account, AccountError

_STATIC = Path(__file__).parent.parent / "static"
ASSETS = Path(__file__).parent.parent / "assets.toml"
FETCHED = FOLDER / "console"
"""Where what is fetched for the pages is kept, beside the weights."""
_YEAR = 365 * 86400
_FILES = {
    "console.css": _STATIC,
    "console.js": _STATIC,
    "film.js": _STATIC,
    "upload.js": _STATIC,
    "icon.svg": _STATIC,
    "htmx.min.js": FETCHED,
    "AtkinsonHyperlegible-Regular.ttf": FETCHED,
    "AtkinsonHyperlegible-Bold.ttf": FETCHED,
    "AtkinsonHyperlegible-LICENSE.txt": FETCHED,
}


def static(c: Call) -> Response:
    """One of the few files that pages load; nothing else can be named."""
    name = c.request.path_params["name"]
    folder = _FILES.get(name)
    if folder is None or not (folder / name).is_file():
        raise NotFound
    return FileResponse(folder / name, headers={"cache-control": "no-cache"})


def missing(c: Call) -> Response:
    """Any address that is not in the table."""
    raise NotFound


def home(c: Call) -> Response:
    """The page that matters most to who signs in."""
    for role, path in (
        (OFFICER, "/review"),
        (ADMINISTRATOR, "/today"),
        (COMMUNICATOR, "/gallery"),
        (UPLOADER, "/upload"),
    ):
        if c.has(role):
            return RedirectResponse(path, 303)
    return c.page("message.html", title=c._("Nothing to do"), text=c._("Your account has no role yet."))


def login(c: Call) -> Response:
    """The form to sign in with."""
    if c.signed_in:
        return RedirectResponse("/", 303)
    return _form(c)


def sign_in(c: Call) -> Response:
    """Name and password."""
    try:
        token = c.console.auth.sign_in(c.form.get("name", ""), c.form.get("password", ""), c.address)
    except SignInError:
        return _form(c, c._("Name or password is wrong."), 403)
    except TooManyAttempts as e:
        return _form(c, c.say(e), 429)
    except SecondFactorNeeded as e:
        c.console.auth.second.hold(digest(c.token), e.name)
        return c.page("second.html", problem="", next=c.form.get("next", "/"))
    return signed_in(c, token, c.form.get("next", ""))


def second(c: Call) -> Response:
    """The code of the second factor, after a right password in this browser."""
    auth, key = c.console.auth, digest(c.token)
    name = auth.second.held(key)
    if name is None:
        return _form(c, c._("That took too long. Begin again."), 403)
    try:
        token = auth.sign_in_second(name, c.form.get("code", ""), c.address)
    except SignInError:
        return c.page("second.html", 403, problem=c._("This code is not right."), next=c.form.get("next", "/"))
    except TooManyAttempts as e:
        return c.page("second.html", 429, problem=c.say(e), next=c.form.get("next", "/"))
    auth.second.drop(key)
    return signed_in(c, token, c.form.get("next", ""))


def signed_in(c: Call, token: str, target: str) -> Response:
    """On to a page of ours with a new session; a target elsewhere is not followed."""
    response = RedirectResponse(target if ours(target) else "/", 303)
    set_cookie(c.console, response, SESSION, token)
    drop_cookie(c.console, response, BEFORE)
    return response


def sign_out(c: Call) -> Response:
    """End the session, and what was kept in memory for it."""
    c.console.auth.end(c.token)
    c.console.memory.forget(c.token)
    response = RedirectResponse("/login", 303)
    drop_cookie(c.console, response, SESSION)
    response.headers["clear-site-data"] = '"cache", "storage"'
    return response


def welcome(c: Call) -> Response:
    """The form for a one-time code."""
    return _welcome(c, c.query.get("code", "")[:64])


def accept(c: Call) -> Response:
    """A one-time code, a name, and the password that is to be."""
    code = c.form.get("code", "")
    if c.form.get("password", "") != c.form.get("again", ""):
        return _welcome(c, code, c._("The two passwords differ."), 400)
    found = c.console.auth.invited(code)
    name = found.name if isinstance(found, Account) else c.form.get("name", "")
    try:
        token = c.console.auth.accept(code, name, c.form.get("password", ""), c.address)
    except TooManyAttempts as e:
        return _welcome(c, code, c.say(e), 429)
    except AccountError as e:
        return _welcome(c, code, c.say(e), 400)
    return signed_in(c, token, "/")


def account(c: Call) -> Response:
    """One's own account."""
    return _account(c)


def second_factor(c: Call) -> Response:
    """Begin to use a second factor, proven by a code; or end to, with the password. The log says so."""
    auth = c.console.auth
    if c.account.outside:
        raise NotFound
    try:
        if c.form.get("act") == "end":
            auth.end_second(c.account, c.form.get("old", ""))
            return c.go("/account", c._("The second factor is off."))
        auth.second.begin(digest(c.token), c.account, c.form.get("code", ""))
    except SignInError:
        return _account(c, c._("Name or password is wrong."), 403)
    except BeeldwachtError as e:
        return _account(c, c.say(e), 429 if isinstance(e, TooManyAttempts) else 400)
    return c.go("/account", c._("The second factor is on."))


def _account(c: Call, problem: str = "", status: int = 200) -> Response:
    second = c.console.auth.second
    offered = None
    if not c.account.outside and c.account.second is None:
        offered = second.offer(digest(c.token), c.account, c.console.app.settings.school)
    return c.page("account.html", status, problem=problem, offered=offered, missing=second.missing(c.account))


def password(c: Call) -> Response:
    """Change one's own password; every session ends."""
    if c.form.get("password", "") != c.form.get("again", ""):
        return _account(c, c._("The two passwords differ."), 400)
    try:
        c.console.auth.set_password(c.account, c.form.get("old", ""), c.form.get("password", ""))
    except SignInError:
        return _account(c, c._("Name or password is wrong."), 403)
    except BeeldwachtError as e:
        return _account(c, c.say(e), 400)
    return c.go("/login", c._("The password is changed. Sign in with the new one."))


def language(c: Call) -> Response:
    """Remember the language that was chosen, and go back."""
    chosen = c.form.get("language", "")
    if chosen not in LANGUAGES:
        raise NotFound
    back = c.form.get("back", "/")
    response = RedirectResponse(back if ours(back) else "/", 303)
    set_cookie(c.console, response, LANGUAGE, chosen, _YEAR)
    return response


def _form(c: Call, problem: str = "", status: int = 200) -> Response:
    return c.page(
        "login.html",
        status,
        problem=problem,
        name=c.form.get("name", ""),
        next=c.form.get("next") or c.query.get("next", "/"),
        outside=bool(c.console.app.settings.console.oidc.issuer),
    )


def _welcome(c: Call, code: str, problem: str = "", status: int = 200) -> Response:
    found = c.console.auth.invited(code) if code else None
    return c.page(
        "welcome.html",
        status,
        problem=problem,
        code=code,
        name=found.name if isinstance(found, Account) else c.form.get("name", ""),
        known=isinstance(found, Account),
    )
