"""The record of processing (GDPR art. 30) and the facts for an impact assessment (art. 35), from what really runs.

Pure: the configuration and counts go in, chapters of facts come out. Nothing is said that the program does not do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.config import Settings
from pipeline.domain.types import JsonObject
from pipeline.recognition.matching import YOUNGEST, BandRule

Chapters = dict[str, JsonObject]


def art30(settings: Settings, counts: Mapping[str, int]) -> Chapters:
    """The record of processing activities: purposes, people, data, recipients, periods, measures."""
    matching = settings.matching.enabled
    data = [
        "photos of school events, kept under their SHA-256 in the vault",
        "name, role, groups, date of birth, consents with the hash of the signed form",
        "decisions about faces, by person id, with reason, article and scores",
    ]
    if matching:
        data.append("biometric templates of those who agreed to be matched, encrypted (art. 9(2)(a))")
    return {
        "Controller": {"school": settings.school},
        "Purposes": {
            "publication": "publish photos of school events that show only who agreed (protocol A.5)",
            "matching": "recognise in photos who agreed to be found" if matching else "none: matching is off",
        },
        "Grounds": {
            "publication": "consent, GDPR art. 6(1)(a)",
            "matching": "explicit consent, GDPR art. 9(2)(a), apart from that to publication" if matching else "none",
            "log": "accountability, GDPR art. 5(2)",
        },
        "People": {"kinds": ["pupils", "employees", "guardians", "others in photos"], **_plain(counts)},
        "Data": {"categories": data},
        "Recipients": {
            "channels": list(settings.channels),
            "outside the European Union": "nothing is sent anywhere by the program itself",
        },
        "Periods": _periods(settings),
        "Measures": _measures(settings),
    }


def dpia(
    settings: Settings,
    counts: Mapping[str, int],
    engines: Mapping[str, str],
    decisions: Sequence[JsonObject],
    calibration: JsonObject | None = None,
) -> Chapters:
    """The facts for a data protection impact assessment: what is compared how strictly, and who decided."""
    m = settings.matching
    scales: JsonObject = {
        e: {"impostor mean": s.mean, "impostor deviation": s.deviation, "weight": s.weight}
        for e, s in m.rules.engines.items()
    }
    bands: JsonObject = {
        "adult (from the 16th birthday)": _band(m.rules.adult),
        "child, or age unknown": _band(m.rules.child),
        f"younger than {YOUNGEST} years": "no template; named by people only",
    }
    return {
        "Decision": {
            "matching": "on" if m.enabled else "off",
            "assessment": m.dpia_reference or "none",
            "decided by": m.decided_by or "nobody",
        },
        "Engines": {
            "detection": list(settings.detection.detectors),
            "recognition": list(m.embedders) if m.enabled else [],
            "weights SHA-256": dict(engines),
            "scores": scales if m.enabled else {},
        },
        "Age bands": bands
        if m.enabled
        else {"none": "matching is off: every face is covered until staff say who it is"},
        "Calibration on the school's own gallery": calibration or {"none": "not measured yet: beeldwacht calibrate"},
        "Numbers": _plain(counts),
        "Periods": _periods(settings),
        "Measures": _measures(settings),
        "Human oversight": {
            "in doubt": "the face is covered",
            "by hand": "staff may say who a face is; the register still decides",
            "starts of the service": list(decisions),
        },
    }


def markdown(title: str, chapters: Chapters) -> str:
    """Chapters as Markdown."""
    lines = [f"# {title}", ""]
    for chapter, facts in chapters.items():
        lines += [f"## {chapter}", ""]
        lines += [f"- {key}: {_shown(value)}" for key, value in facts.items()]
        lines.append("")
    return "\n".join(lines)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{k} {_shown(v)}" for k, v in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(v) for v in value) or "none"
    return str(value)


def _plain(counts: Mapping[str, int]) -> JsonObject:
    return dict(counts)


def _periods(settings: Settings) -> JsonObject:
    months = settings.templates.max_age_months
    return {
        "templates": f"until consent to matching ends, the person leaves, or the form is {months} months old"
        if settings.matching.enabled
        else "none are kept",
        "embeddings of faces in photos": "in memory only, while the photo is decided",
        "register": "every past state, until the person is erased",
        "originals and log": "no period is configured: they are kept until somebody removes them",
    }


def _measures(settings: Settings) -> JsonObject:
    place = {"file": "a file for the service alone", "environment": "an environment variable", "keyring": "the keyring"}
    return {
        "templates": f"AES-256-GCM, bound to person, engine and portrait; key in {place[settings.keys.source]}",
        "covers": _covers(settings) + "; nothing of what is covered is in a cover; every file is looked at again",
        "media": "read in a child process with limits of memory and time, without network where the system allows",
        "log": "chained entries in the database and in files; people appear by id",
        "deletion": "secure_delete, and the write-ahead log emptied",
    }


def _band(rule: BandRule) -> JsonObject:
    return {
        "threshold": rule.threshold,
        "margin": rule.margin,
        "false match rate": f"{rule.false_match_rate:.0e}",
        "smallest face in pixels": rule.smallest,
        "stricter below": rule.small,
        **({"stricter from": rule.large / 2} if rule.large_extra else {}),
    }


def _covers(settings: Settings) -> str:
    """How faces are covered, on which channel."""
    own = settings.redaction.channels
    styles = [settings.redaction.style, *(f"{style} on {channel}" for channel, style in own.items())]
    return f"{settings.redaction.cover}: {', '.join(styles)}"
