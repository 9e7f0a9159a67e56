"""What is asked for on the page of a person: a withdrawal, an objection, a restriction; and its end."""

from __future__ import annotations

from starlette.responses import Response

from pipeline.console.request import Call, Refused, whole
from pipeline.domain.types import StopKind
from pipeline.officer import consent_stops


def ask(c: Call) -> Response:
    """Write down what somebody asked for; it counts from now on, and published files are taken back."""
    person, kind = c.request.path_params["person"], c.form.get("kind", "")
    if kind not in set(StopKind):
        raise Refused(400, c._("This is not known."))
    about, why = (c.form.get("medium", ""), c.form.get("channel", "")), c.form.get("why", "")
    _, found = consent_stops.ask(c.console.context, person, StopKind(kind), *about, why, c.account.actor)
    c.console.app.write_log_files()
    said = c._("It counts from now on. Published files concerned: {n}.").format(n=len(found.items))
    return c.go(f"/register/person/{person}", said)


def lift(c: Call) -> Response:
    """End what was asked for; the school's register counts again."""
    number = whole(c.form.get("number", ""))
    if number is None:
        raise Refused(400, c._("This is not known."))
    asked = consent_stops.lift(c.console.context, number, c.form.get("why", ""), c.account.actor)
    c.console.app.write_log_files()
    return c.go(f"/register/person/{asked.person_id}", c._("It does not count any more."))
