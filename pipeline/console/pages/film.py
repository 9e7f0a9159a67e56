"""The original of a film for an officer's eyes, and what a page says of its time: which version, which seconds."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import JSONResponse, Response, StreamingResponse

from pipeline.console.film_player import NEAR, media_type
from pipeline.console.request import Call, NotFound, Refused
from pipeline.domain.film import Stretch
from pipeline.officer import actions
from pipeline.redaction.film_timeline import Board
from pipeline.store.rows import Rendition

NEVER_KEPT = "no-store, private"


@dataclass(frozen=True, slots=True)
class Source:
    """What of a film is on the screen: `show` names it (original, stills, or a rendition's number), `address` plays it;
    `plays` says whether a browser can play the original."""

    show: str
    address: str
    plays: bool


def film(c: Call) -> Response:
    """The original of a film or recording as it came in, piece by piece as the browser asks: logged, never cached.

    Nothing decodes it here. It is sent only under the type that it was found to have, which is no document.
    """
    found = actions.item_of(c.console.context, c.number("item"))
    board = c.console.store.read_models.board(found.id)
    media = media_type(board) if board else ""
    if not media:
        raise NotFound
    c.console.store.review.viewed(c.console.clock(), c.account.actor, found.id)
    originals = c.console.context.vault.originals
    size = originals.size(found.sha256)
    asked = c.request.headers.get("range", "")
    piece = wanted_part(asked, size)
    if piece is None:
        return Response(status_code=416, headers={"content-range": f"bytes */{size}", "cache-control": NEVER_KEPT})
    start, stop = piece
    headers = {"cache-control": NEVER_KEPT, "accept-ranges": "bytes", "content-length": str(stop - start)}
    if asked:
        headers["content-range"] = f"bytes {start}-{stop - 1}/{size}"
    return StreamingResponse(originals.part(found.sha256, start, stop), 206 if asked else 200, headers, media)


def wanted_part(header: str, size: int) -> tuple[int, int] | None:
    """The first byte and the one after the last that a Range header asks for (RFC 9110, 14.1.2): one range, of bytes.

    All of them without a header; None for what is not there, and for what is not understood.
    """
    if not header:
        return 0, size
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", header.strip())
    if found is None or found[0].endswith("=-"):
        return None
    first, last = found[1], found[2]
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    return (start, stop) if start < stop else None


def paths(c: Call) -> Response:
    """Where the faces of a film go, for drawing them over it."""
    board = c.console.store.read_models.board(c.number("item"))
    if board is None:
        raise NotFound
    return JSONResponse({"near": NEAR, "duration": board.duration, "paths": board.paths})


def source_of(c: Call, number: int, board: Board | None, published: Sequence[Rendition]) -> Source | None:
    """Which version of a film is played: the covered one where there is one, the original when it is asked for."""
    if board is None:
        return None
    plays = bool(media_type(board))
    wanted = c.query.get("show", "") or (str(published[0].id) if published else "original" if plays else "stills")
    for r in published:
        if wanted == str(r.id):
            return Source(wanted, f"/gallery/{r.id}/download", plays)
    if wanted == "original" and plays:
        return Source(wanted, f"/review/{number}/film", plays)
    return Source("stills", "", plays)


def span_of(c: Call) -> Stretch | None:
    """The seconds for which a region of a film is covered; None for all of them."""
    said = [c.form.get(k, "").strip() for k in ("from", "until")]
    if not any(said):
        return None
    start, end = (seconds_of(text, math.nan) for text in (said[0] or "0", said[1]))
    if not start < end:
        raise Refused(400, c._("Type the first and the last second of the region, or neither."))
    return Stretch(start, end)


def seconds_of(text: str, otherwise: float) -> float:
    """Seconds as typed, with a comma or a point."""
    try:
        found = float(text.replace(",", ".")[:12])
    except ValueError:
        return otherwise
    return found if 0 <= found < math.inf else otherwise
