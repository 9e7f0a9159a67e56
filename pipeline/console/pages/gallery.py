"""What is published, for those who use it: by channel and event, to download, to note where it went, and to report."""

from __future__ import annotations

import io
import mimetypes
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.responses import FileResponse, Response, StreamingResponse

from pipeline.console.request import Call, NotFound, whole
from pipeline.errors import BeeldwachtError, ChildError
from pipeline.officer import actions
from pipeline.store.read_models import PAGE, Published

MOST_AT_ONCE = 500
_LARGE = 1400


def gallery(c: Call) -> Response:
    """Published files of a channel and an event, newest first."""
    channels = c.console.app.settings.channels
    channel = c.query.get("channel", channels[0])
    event = c.query.get("event", "")
    before = whole(c.query.get("before", ""))
    found = c.console.store.read_models.published(channel, event, before, limit=PAGE + 1)
    return c.page(
        "gallery_files.html" if c.partial else "gallery.html",
        files=found[:PAGE],
        channel=channel,
        event=event,
        more=found[PAGE - 1].rendition.id if len(found) > PAGE else None,
        channels=channels,
        events=c.console.store.read_models.events() if not c.partial else [],
    )


def one(c: Call) -> Response:
    """One published file: where it went, and what can be done with it."""
    found = _file(c)
    places = [
        p for p in c.console.store.places.all(item_id=found.item_id) if p.channel in {"", found.rendition.channel}
    ]
    return c.page("gallery_one.html", file=found, places=places, problem="")


def thumbnail(c: Call) -> Response:
    """A small picture of a published file."""
    return _picture(c, lambda f: c.console.previews.thumbnail(f.rendition))


def picture(c: Call) -> Response:
    """A published file, for a screen."""
    return _picture(c, lambda f: c.console.previews.published(f.rendition, _LARGE))


def download(c: Call) -> Response:
    """The published file itself."""
    found = _file(c)
    try:
        path = c.console.previews.file(found.rendition)
    except OSError as e:
        raise _gone(found) from e
    c.console.store.copies.taken(c.console.clock(), c.account.actor, [found.rendition])
    media = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return FileResponse(path, media_type=media, headers={"content-disposition": _attached(path.name)})


def together(c: Call) -> Response:
    """Several files as one zip, sent while it is made."""
    ids = [n for x in c.many.get("file", []) if (n := whole(x)) is not None][:MOST_AT_ONCE]
    files = c.console.store.read_models.published(ids=ids, limit=MOST_AT_ONCE)
    if not files:
        raise BeeldwachtError(c._("No file was chosen."), c._("Tick some, then download them."))
    c.console.store.copies.taken(c.console.clock(), c.account.actor, [f.rendition for f in files])
    folders = {f.rendition.path.split("/")[0] for f in files}  # as published: without the names of people
    name = f"{folders.pop()}.zip" if len(folders) == 1 else "beeldwacht.zip"
    return StreamingResponse(
        _zipped(c, files), media_type="application/zip", headers={"content-disposition": _attached(name)}
    )


def place(c: Call) -> Response:
    """Note where a file was used, so that a recall reaches it there."""
    found, where = _file(c), " ".join(c.form.get("where", "").split())
    if not where:
        return c.page(
            "gallery_one.html",
            400,
            file=found,
            problem=c._("Say where it was used."),
            places=c.console.store.places.all(item_id=found.item_id),
        )
    r = found.rendition
    c.console.store.places.note(c.console.clock(), c.account.actor, r.item_id, r.channel, r.sha256, where[:500])
    c.console.app.write_log_files()
    return c.go(f"/gallery/{r.id}", c._("Noted."))


def report(c: Call) -> Response:
    """A problem with a published file: it is withdrawn at once, on every channel, and an incident is opened."""
    found = _file(c)
    actions.report_problem(c.console.context, found.item_id, c.account.actor, c.form.get("what", ""))
    c.console.app.write_log_files()
    return c.go("/gallery/withdrawn", c._("Withdrawn. The privacy officer has an incident to look at."))


def withdrawn(c: Call) -> Response:
    """What was withdrawn of late, what is to be taken down where, and incidents."""
    store = c.console.store
    return c.page(
        "withdrawn.html",
        files=store.read_models.withdrawn(c.console.clock() - timedelta(days=60)),
        tasks=store.places.all(open_only=True),
        days=c.console.app.settings.register.task_days,
        today=c.console.clock().date(),
        incidents=store.review.incidents(),
    )


def done(c: Call) -> Response:
    """A file was taken down at a place."""
    c.console.store.places.done(c.console.clock(), c.account.actor, c.number("task"))
    c.console.app.write_log_files()
    return c.go("/gallery/withdrawn", c._("Noted as taken down."))


def close_incident(c: Call) -> Response:
    """How an incident ended."""
    outcome = actions.reason(c.form.get("outcome", ""))
    c.console.store.review.close_incident(c.console.clock(), c.account.actor, c.number("incident"), outcome)
    c.console.app.write_log_files()
    return c.go("/gallery/withdrawn", c._("The incident is closed."))


def _file(c: Call) -> Published:
    """The published file of the path; what is not published any more is not found."""
    found = c.console.store.read_models.published(ids=[c.number("file")])
    if not found:
        raise NotFound
    return found[0]


def _picture(c: Call, make: Callable[[Published], bytes]) -> Response:
    found = _file(c)
    try:
        data = make(found)
    except (ChildError, OSError):
        return Response(c._("The file cannot be shown."), 415, media_type="text/plain; charset=utf-8")
    # Revalidated each time: what is withdrawn is seen no more.
    return Response(data, media_type="image/jpeg", headers={"cache-control": "private, no-cache"})


def _zipped(c: Call, files: list[Published]) -> Iterator[bytes]:
    """A zip of published files as it grows. One that was withdrawn or altered meanwhile is left out."""

    def there() -> Iterator[tuple[str, Path]]:
        for f in files:
            with suppress(OSError):
                yield f"{f.rendition.channel}/{f.rendition.path}", c.console.previews.file(f.rendition)

    return zip_of(there())


def zip_of(files: Iterable[tuple[str, Path]]) -> Iterator[bytes]:
    """The bytes of a zip, piece by piece, of files and the names that they have in it. One that is gone is left out."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as z:
        for name, path in files:
            try:
                source = path.open("rb")
            except OSError:
                continue
            entry = zipfile.ZipInfo(name)
            entry.file_size = os.fstat(source.fileno()).st_size  # over 2 GiB, a film has another header
            with source, z.open(entry, "w") as target:
                while chunk := source.read(1 << 18):
                    target.write(chunk)
                    yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """What a zip is written to, and taken from piece by piece; it cannot be searched in."""

    def __init__(self) -> None:
        super().__init__()
        self._context: list[bytes] = []

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def write(self, data: Any) -> int:
        """Hold back a piece until it is taken."""
        self._context.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """What was written since the last time."""
        context, self._context = self._context, []
        return b"".join(context)


def _attached(name: str) -> str:
    """A header that carries any name (RFC 6266)."""
    plain = "".join(ch if ch.isascii() and (ch.isalnum() or ch in "._-") else "_" for ch in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _gone(found: Published) -> BeeldwachtError:
    return BeeldwachtError(
        f"{found.rendition.path} is not in the publish folder as it was published.", "Tell the privacy officer."
    )
