"""Doubt has a place: questions about one's own files, their answers, and reports by everybody (protocol A.9, B.5)."""

from __future__ import annotations

from starlette.responses import Response

from pipeline.console.pages.upload import own
from pipeline.console.request import Call, NotFound, whole
from pipeline.errors import BeeldwachtError
from pipeline.officer import actions
from pipeline.store.read_models import Published


def question(c: Call) -> Response:
    """Where one asks about a file that one dropped."""
    return c.page("ask.html", upload=own(c))


def ask(c: Call) -> Response:
    """Ask the officer about a file that one dropped."""
    upload = own(c)
    item = c.console.store.read_models.by_hash(upload.sha256) if upload.sha256 else None
    if item is None:
        raise NotFound
    actions.ask(c.console.context, item.id, c.account.actor, c.form.get("text", ""))
    c.console.app.write_log_files()
    return c.go("/upload", c._("The privacy officer has your question. The file waits for the answer."))


def answer(c: Call) -> Response:
    """Answer a question: the file goes on its way, or is refused."""
    number = c.number("item")
    refuse = c.form.get("act") == "no"
    actions.answer(c.console.context, c.number("question"), c.account.actor, c.form.get("text", ""), refuse)
    c.console.app.write_log_files()
    return c.go(f"/review/{number}", c._("Answered."))


def form(c: Call) -> Response:
    """Where everybody with an account reports a picture."""
    return c.page("report.html", problem="")


def report(c: Call) -> Response:
    """Withdraw a published file at once, and open an incident."""
    try:
        found = _found(c)
        actions.report_problem(c.console.context, found.item_id, c.account.actor, c.form.get("what", ""))
    except BeeldwachtError as e:
        return c.page("report.html", 409, problem=c.say(e))
    c.console.app.write_log_files()
    return c.go("/report", c._("Withdrawn. The privacy officer has an incident to look at."))


def undo(c: Call) -> Response:
    """A report was a misunderstanding: the file is decided again."""
    why = c.form.get("outcome", "")
    item = actions.undo_report(c.console.context, c.number("incident"), c.account.actor, why)
    c.console.app.write_log_files()
    return c.go(f"/review/{item}", c._("The report is closed. The file is decided again."))


def _found(c: Call) -> Published:
    """The published file with this name, number or address. Raises BeeldwachtError for none, or several."""
    typed = c.form.get("file", "").strip().rstrip("/").rpartition("/")[2]
    found = c.console.store.read_models.named(typed, whole(typed))
    items = {f.item_id for f in found}
    if not items:
        raise BeeldwachtError("No published file has this name.", "Type it as it is on the site, such as IMG_1.jpg.")
    if len(items) > 1:
        raise BeeldwachtError("Several published files have this name.", "Type the number of the file.")
    return found[0]
