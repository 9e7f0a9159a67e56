"""What the law asks to be written down: the record of processing, the impact assessment, the word to parents."""

from __future__ import annotations

from starlette.responses import Response

from pipeline.console.pdf import pdf
from pipeline.console.request import Call
from pipeline.officer import privacy_notice, record_facts
from pipeline.officer.processing_record import shown


def records(c: Call) -> Response:
    """One of the records, to read, or as PDF."""
    kind = c.query.get("which", "notice")
    kind = kind if kind in record_facts.KINDS else "notice"
    context, language = c.console.context, c.language
    title = record_facts.title(kind, context, language)
    if kind == "notice":
        parts = list(privacy_notice.notice(context.settings, language).items())
    else:
        chapters = record_facts.chapters(kind, context, language)
        parts = [(name, [f"{k}: {shown(v)}" for k, v in facts.items()]) for name, facts in chapters.items()]
    if c.query.get("as") == "pdf":
        data = pdf(title, "", parts, language)
        headers = {"content-disposition": f'attachment; filename="{kind}-{language}.pdf"'}
        return Response(data, media_type="application/pdf", headers=headers)
    return c.page("records.html", kind=kind, kinds=record_facts.KINDS, title=title, parts=parts)
