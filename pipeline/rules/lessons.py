"""Lessons and distance lessons: what the kind of an event means for its media (protocol A.1 and A.7). Pure."""

from __future__ import annotations

import re
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


_CALLS = re.compile(
    r"""
    ^zoom[ _-]?\d | \bzoom[ _-]?(meeting|recording|opname|les) | ^gmt\d{8}[-_]\d+ | ^(audio|video)\d{6,}\.
    | \b(meeting|webinar|vergadering)[ _-]?(recording|opname) | \bmeeting[ _-]in\b | \b(microsoft[ _-])?teams\b
    | ^[a-z]{3}-[a-z]{4}-[a-z]{3}\b | \bgoogle[ _-]?meet | \b(webex|jitsi|skype|gotomeeting|bigbluebutton)
    | \b(gallery|speaker)[ _-]?view | \bvideo[ _-]?(call|gesprek|vergadering)
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""What programs for video calls, and people, call a recording or a screenshot of one."""


def looks_like_call(name: str) -> bool:
    """Whether a file is called as a recording of a video call is: then somebody is asked (protocol A.7)."""
    plain = unicodedata.normalize("NFKC", name).replace("_", " ")
    return bool(_CALLS.search(plain) or _CALLS.search(name))


def _words(text: str) -> list[str]:
    """The words of a free text, in lower case: anything but letters and digits separates."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c if c.isalnum() else " " for c in plain).split()
