"""The page behind a person's link: no account, one person, nobody else's data."""

from __future__ import annotations

from starlette.responses import Response

from pipeline.console.rate_limits import Limit, place
from pipeline.console.request import Call, NotFound, Refused, whole
from pipeline.domain.types import Medium, StopKind
from pipeline.officer import actions, consent_stops, person_link
from pipeline.store.publications import Publication

LOOKS = Limit("person link", 120, 5)
ACTS = Limit("person link, acts", 10, 60)


def page(c: Call) -> Response:
    """Where the person is visible, and what can be asked for."""
    _, person = _whose(c)
    found = person_link.visible(c.console.context, person)
    channels = c.console.app.settings.channels
    return c.page("mine.html", files=found, person=person, path=_path(c), channels=channels, film=Medium.FILM)


def picture(c: Call) -> Response:
    """One published photo, with this person clear and everybody else covered."""
    _, person = _whose(c)
    found = _file(c, person, c.number("file"))
    data = c.console.own_pictures.of(found) if found.medium is Medium.PHOTO else None
    if data is None:
        raise NotFound
    return Response(data, media_type="image/jpeg")


def report(c: Call) -> Response:
    """Report a picture: it is withdrawn at once, and an officer looks at it."""
    link, person = _whose(c, acts=True)
    found = _file(c, person, whole(c.form.get("file", "")))
    actions.report_problem(c.console.context, found.item_id, f"link:{link}", c.form.get("what", ""))
    c.console.app.write_log_files()
    return c.go(_path(c), c._("It was taken down. The school looks at it."))


def withdraw(c: Call) -> Response:
    """Take consent back, for everything or for one medium on one channel."""
    link, person = _whose(c, acts=True)
    if c.form.get("sure") != "yes":
        raise Refused(400, c._("Tick that you are sure."))
    medium, channel = c.form.get("medium", ""), c.form.get("channel", "")
    why = "asked for by the person's own link"
    consent_stops.ask(c.console.context, person, StopKind.WITHDRAWAL, medium, channel, why, f"link:{link}")
    c.console.app.write_log_files()
    return c.go(_path(c), c._("Consent is taken back. What is public is being replaced."))


def _whose(c: Call, acts: bool = False) -> tuple[int, str]:
    """The number of the link, and the person whose it is. Whoever guesses is slowed down, and learns nothing."""
    client = c.request.client
    c.console.auth.limits.take(ACTS if acts else LOOKS, place(client.host if client else ""))
    found = c.console.store.links.find(c.console.clock(), str(c.request.path_params["secret"]))
    if found is None:
        raise NotFound
    return found


def _file(c: Call, person: str, number: int | None) -> Publication:
    """The published file of this number, if the person is visible in it."""
    for found in person_link.visible(c.console.context, person):
        if found.rendition_id == number:
            return found
    raise NotFound


def _path(c: Call) -> str:
    return f"/mine/{c.request.path_params['secret']}"
