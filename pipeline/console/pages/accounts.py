"""Accounts, for administrators: who may sign in as what."""

from __future__ import annotations

from starlette.responses import Response

from pipeline.console.auth import roles_of
from pipeline.console.request import Call, Refused
from pipeline.errors import BeeldwachtError
from pipeline.store.accounts import AccountRole, plain


def accounts(c: Call) -> Response:
    """Every account, and a form for a new one."""
    return _list(c)


def add(c: Call) -> Response:
    """A new account, with a one-time code to hand over."""
    try:
        name = c.form.get("name", "")
        roles = roles_of(c.many.get("roles", []))
        if not roles:
            raise BeeldwachtError(c._("Choose at least one role."))
        made = c.console.store.accounts.add(c.console.clock(), c.account.actor, name, roles)
    except BeeldwachtError as e:
        return _list(c, problem=c.say(e), status=400)
    return _list(c, code=c.console.auth.invite(c.account.actor, made.name), of=made.name)


def change(c: Call) -> Response:
    """Roles, lock, unlock, or a new one-time code for an account."""
    store, name, what = c.console.store.accounts, plain(c.request.path_params["name"]), c.form.get("act", "")
    by, now = c.account.actor, c.console.clock()
    if what in {"lock", "roles"} and name == c.account.name:
        return _list(c, problem=c._("Nobody changes the own rights: ask another administrator."), status=409)
    if what == "roles":
        store.set_roles(now, by, name, roles_of(c.many.get("roles", [])))
    elif what in {"lock", "unlock"}:
        store.lock(now, by, name, what == "lock")
    elif what == "code":
        return _list(c, code=c.console.auth.invite(by, name), of=name)
    else:
        raise Refused(400, c._("This is not known."))
    return c.go("/accounts", c._("Done."))


def _list(c: Call, code: str = "", of: str = "", problem: str = "", status: int = 200) -> Response:
    return c.page(
        "accounts.html",
        status,
        accounts=c.console.store.accounts.all(),
        roles=list(AccountRole),
        code=code,
        of=of,
        problem=problem,
    )
