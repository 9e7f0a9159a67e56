"""Lessons and distance lessons: what the kind of an event means for its media (protocol A.1 and A.7). Pure."""

from __future__ import annotations

import unicodedata

from pipeline.domain.types import Event
from pipeline.rules.reasons import HoldReason

# Kinds are free text. A word counts as a lesson by itself or by its ending ("gymles", "muzieklessen"): holding too
# much costs the officer a click, publishing a lesson costs a breach of A.1.
_LESSON_WORDS = frozenset({"instructie", "lecture", "hoorcollege", "werkcollege", "tutorial"})
_LESSON_ENDINGS = ("les", "lessen", "lesson", "lessons")
_DISTANCE_WORDS = frozenset({"meet", "teams", "teamsles", "video", "videoles", "zoom", "zoomles"})
_DISTANCE_STARTS = ("afstand", "distance", "digita", "hybrid", "online", "remote", "thuis")
_TEACHING_ENDINGS = ("onderwijs", "learning", "teaching", "class", "classes", "schooling", "klas", "college")
_NO_PERMISSION = frozenset(
    {"", "no", "none", "nee", "neen", "geen", "n", "0", "false", "onwaar", "unknown", "onbekend", "nvt", "n v t", "na"}
    | {"geen toestemming", "no permission", "not asked", "niet gevraagd", "todo", "tbd"}
)


def lesson_reasons(event: Event) -> tuple[HoldReason, ...]:
    """Why the files of an event wait for a person because of what it is. Often empty.

    A lesson passes when `permission` says who allowed it; a distance lesson never does. A `permission` that only
    says no ("nee", "none", "-") is none.
    """
    reasons = []
    if event.problem:
        reasons.append(HoldReason.EVENT_UNREADABLE)
    words = _words(event.kind)
    lesson = any(word in _LESSON_WORDS or word.endswith(_LESSON_ENDINGS) for word in words)
    distance = any(word in _DISTANCE_WORDS or word.startswith(_DISTANCE_STARTS) for word in words)
    if distance and (lesson or any(word.endswith(_TEACHING_ENDINGS) for word in words)):
        reasons.append(HoldReason.DISTANCE_LESSON)
    elif lesson and " ".join(_words(event.permission)) in _NO_PERMISSION:
        reasons.append(HoldReason.LESSON_WITHOUT_PERMISSION)
    return tuple(reasons)


def _words(text: str) -> list[str]:
    """The words of a free text, in lower case: anything but letters and digits separates."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c if c.isalnum() else " " for c in plain).split()
