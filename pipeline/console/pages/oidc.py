"""Signing in with the school's own accounts: OpenID Connect, authorization code flow with PKCE (RFC 7636)."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from pipeline.console.oidc_client import OidcError
from pipeline.console.pages.sign_in import signed_in
from pipeline.console.rate_limits import Limit
from pipeline.console.request import Call, NotFound
from pipeline.errors import BeeldwachtError

BEGUN = Limit("oidc", 60, 10)
"""Sign-ins of one address that were begun and not finished; the client forgets one after ten minutes too."""


def login(c: Call) -> Response:
    """On to the school's server."""
    if c.console.outside is None:
        raise NotFound
    c.console.auth.limits.take(BEGUN, c.address)
    return RedirectResponse(c.console.outside.begin(c.token, _back(c), c.query.get("next", "/")), 303)


def callback(c: Call) -> Response:
    """Back from the school's server: who it says this is, with the roles of the groups that it names."""
    if c.console.outside is None:
        raise NotFound
    try:
        identity = c.console.outside.finish(c.token, str(c.request.url), _back(c))
        account = c.console.store.accounts.from_outside(
            c.console.clock(), identity.subject, identity.name, identity.roles
        )
        if account.locked_at:
            raise OidcError("This account is locked.", "Ask an administrator.")
    except BeeldwachtError as e:
        return c.page("message.html", 403, title=c._("Not signed in"), text=c.say(e))
    c.console.auth.limits.give_back(BEGUN, c.address)
    return signed_in(c, c.console.auth.begin(account, "oidc", c.address), identity.next)


def _back(c: Call) -> str:
    address = c.console.app.settings.console.address.rstrip("/")
    return f"{address or str(c.request.base_url).rstrip('/')}/oidc/callback"
