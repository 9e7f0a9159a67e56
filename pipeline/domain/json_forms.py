"""The language between the service and its child process: frozen dataclasses to and from JSON.

Embeddings travel as base64 of little-endian float32; they exist in this form on a pipe only, never in a file.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

from pipeline.domain.types import (
    Analysis,
    Box,
    Check,
    Detection,
    Face,
    JsonObject,
    Landmarks,
    Outline,
    Region,
    Subject,
    Vector,
)


def box_out(box: Box) -> list[float]:
    """A box as [left, top, right, bottom], in pixels, to a tenth."""
    return [round(box.left, 1), round(box.top, 1), round(box.right, 1), round(box.bottom, 1)]


def box_in(value: Any) -> Box:
    """The inverse of `box_out`. Raises ValueError for anything but four finite numbers."""
    left, top, right, bottom = (float(v) for v in value)
    if not all(math.isfinite(v) for v in (left, top, right, bottom)):
        raise ValueError("a box must hold finite numbers")
    return Box(left, top, right, bottom)


def vector_out(vector: Vector) -> str:
    """A float32 vector as base64."""
    return base64.b64encode(np.ascontiguousarray(vector, dtype="<f4").tobytes()).decode("ascii")


def vector_in(text: str) -> Vector:
    """The inverse of `vector_out`. Raises ValueError when a number is not finite."""
    vector = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float32)
    if vector.size == 0 or not np.isfinite(vector).all():
        raise ValueError("an embedding must hold finite numbers")
    return vector


def face_out(face: Face) -> JsonObject:
    """A face with its embeddings."""
    d = face.detection
    return {
        "index": face.index,
        "box": box_out(d.box),
        "score": round(d.score, 4),
        "landmarks": [[round(x, 2), round(y, 2)] for x, y in d.landmarks] if d.landmarks else None,
        "engines": list(d.engines),
        "agreed": _maybe_out(d.agreed),
        "sharpness": round(face.sharpness, 2),
        "embeddings": {engine: vector_out(v) for engine, v in face.embeddings.items()},
    }


def face_in(value: JsonObject) -> Face:
    """The inverse of `face_out`. Raises KeyError, TypeError or ValueError for what a face cannot be."""
    score = float(value["score"])
    if not 0.0 <= score <= 1.0:
        raise ValueError("a score must lie between 0 and 1")
    box, agreed = box_in(value["box"]), _maybe_in(value["agreed"])
    if agreed is not None and box.hull(agreed) != box:
        raise ValueError("what looks agree on must lie in the box of the face")
    return Face(
        index=int(value["index"]),
        detection=Detection(box, score, _landmarks(value["landmarks"]), tuple(value["engines"]), agreed),
        embeddings={str(engine): vector_in(text) for engine, text in value["embeddings"].items()},
        sharpness=float(value["sharpness"]),
    )


def _maybe_out(box: Box | None) -> list[float] | None:
    return box_out(box) if box else None


def _maybe_in(value: Any) -> Box | None:
    return None if value is None else box_in(value)


def _landmarks(value: Any) -> Landmarks | None:
    if value is None:
        return None
    a, b, c, d, e = ((float(x), float(y)) for x, y in value)
    return a, b, c, d, e


def analysis_out(analysis: Analysis) -> JsonObject:
    """An analysis with all its faces."""
    return {
        "width": analysis.width,
        "height": analysis.height,
        "format": analysis.format,
        "notes": list(analysis.notes),
        "faces": [face_out(f) for f in analysis.faces],
    }


def analysis_in(value: JsonObject) -> Analysis:
    """The inverse of `analysis_out`; the faces must be numbered 0, 1, 2..."""
    faces = tuple(face_in(f) for f in value["faces"])
    if [f.index for f in faces] != list(range(len(faces))):
        raise ValueError("faces must be numbered in order")
    return Analysis(
        int(value["width"]), int(value["height"]), str(value["format"]), faces, tuple(str(n) for n in value["notes"])
    )


def region_out(region: Region) -> JsonObject:
    """A region to cover. Its outline travels exactly: another one would be another plan."""
    o = region.outline
    return {
        "face": region.face,
        "box": box_out(region.box),
        "core": box_out(region.core),
        "subject": str(region.subject),
        "outline": o and outline_out(o),
    }


def region_in(value: JsonObject) -> Region:
    """The inverse of `region_out`. Raises KeyError, TypeError or ValueError for what a region cannot be."""
    return Region(
        int(value["face"]),
        box_in(value["box"]),
        box_in(value["core"]),
        Subject(value["subject"]),
        None if value["outline"] is None else outline_in(value["outline"]),
    )


def outline_out(o: Outline) -> list[float]:
    """An outline as [left, top, right, bottom, corner across, corner along, angle]."""
    return [o.box.left, o.box.top, o.box.right, o.box.bottom, *o.corners, o.angle]


def outline_in(value: Any) -> Outline:
    """The inverse of `outline_out`. Raises ValueError for corners that do not fit their box."""
    left, top, right, bottom, across, along, angle = (float(v) for v in value)
    box = box_in((left, top, right, bottom))
    if not (0 <= 2 * across <= box.width + 1e-6 and 0 <= 2 * along <= box.height + 1e-6 and math.isfinite(angle)):
        raise ValueError("round corners must fit their box")
    return Outline(box, (across, along), angle)


def check_out(check: Check) -> JsonObject:
    """One look at what was written."""
    return {"name": check.name, "passed": check.passed, "detail": check.detail}


def check_in(value: JsonObject) -> Check:
    """The inverse of `check_out`. Anything but a plain `true` is a failed check."""
    return Check(str(value["name"]), value["passed"] is True, str(value["detail"]))
