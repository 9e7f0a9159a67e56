"""How faces are covered on each channel, and what each style looks like, on a drawn scene."""

from __future__ import annotations

import cv2
from starlette.responses import Response

from pipeline.console.request import Call, NotFound
from pipeline.redaction.example import example, scene
from pipeline.redaction.styles import STYLES


def covers(c: Call) -> Response:
    """Every style with its picture, and the channels that have it."""
    redaction, channels = c.console.app.settings.redaction, c.console.app.settings.channels
    used = {style: [n for n in channels if redaction.style_of(n) == style] for style in STYLES}
    return c.page("covers.html", styles=used, cover=redaction.cover)


def picture(c: Call) -> Response:
    """The drawn scene in one style, or without covers, as a PNG."""
    style = str(c.request.path_params["style"])
    if style != "nothing" and style not in STYLES:
        raise NotFound
    image = scene() if style == "nothing" else example(style, c.console.app.settings.redaction.reach)
    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return Response(data.tobytes(), media_type="image/png")
