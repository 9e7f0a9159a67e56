"""Naming the unknown faces of an event, each person once: for the command line and the console alike.

The originals are looked at again in the child. What describes the faces lives in memory for as long as the naming
takes, and is written nowhere (GDPR art. 9).
"""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Sequence

from pipeline.domain.json_forms import box_in
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Medium, Reason
from pipeline.errors import BeeldwachtError
from pipeline.officer import actions
from pipeline.people.gallery import SAME_BOX
from pipeline.processing.context import Context
from pipeline.recognition.clusters import Unknown, clusters
from pipeline.sandbox.client import MediaClient

UNKNOWN = frozenset(
    {Reason.UNKNOWN_PERSON, Reason.AMBIGUOUS, Reason.TOO_SMALL, Reason.NOT_COMPARED, Reason.TWICE_IN_PHOTO}
)
DECIDED = frozenset({State.READY, State.PUBLISHED, State.HELD})
_SIDE = 160

Cluster = tuple[Unknown, ...]


def gather(
    context: Context, media_client: MediaClient, event: str, progress: Callable[[int, int], None] = lambda *_: None
) -> list[Cluster]:
    """The faces in photos of an event that nobody is known for, in clusters, the largest first.

    Raises BeeldwachtError when matching is off (then nothing may describe faces) and ChildError when a child fails.
    """
    matching = context.settings.matching
    if not matching.enabled:
        raise BeeldwachtError("Matching is off: faces may not be compared.", "Name them one by one: `item name`.")
    items = [i for i in context.store.items.all() if i.event.name == event and i.state in DECIDED]
    if not items:
        raise BeeldwachtError(f"There are no decided photos of the event {event!r}.", "See `beeldwacht status`.")
    found: list[Unknown] = []
    for done, item in enumerate(items, 1):
        progress(done, len(items))
        rows = [r for r in context.store.items.verdict_rows(item.id) if r["reason"] in UNKNOWN]
        if not rows:
            continue
        boxes = [box_in(r["box"]) for r in rows]
        named, _ = context.store.hand_names.names(item.id)
        boxes = [b for b in boxes if not any(b.iou(n.box) >= SAME_BOX for n in named)]
        if not boxes or not context.vault.originals.present(item.sha256):
            continue
        media_client.start()
        with context.vault.opened(item.sha256) as original:
            if media_client.identify(original) is not Medium.PHOTO:
                continue  # the people of a film are tracks, named with `item name`
            analysis = media_client.analyse(original, True)
        found += [Unknown(item.id, f) for f in analysis.faces if any(f.detection.box.iou(b) >= SAME_BOX for b in boxes)]
    return clusters(found, matching.rules.engines)


def name_cluster(
    context: Context, cluster: Cluster, person: str, by: str, redo: bool = False, leave_out: Sequence[int] = ()
) -> tuple[int, list[str]]:
    """Say who the faces of a cluster are, but those at the positions to `leave_out` (the first is 1).

    Returns how many were named, and why others could not be. Each name is an act of its own in the log. Raises
    BeeldwachtError for somebody who is not in the register, before anything is named.
    """
    if person not in context.store.register.current().people:
        raise BeeldwachtError(f"{person} is not in the register.", "Give the id of somebody who is.")
    named, refused = 0, []
    for position, unknown in enumerate(cluster, 1):
        if position in leave_out:
            continue
        try:
            number = _number(context, unknown)
            actions.name_face(
                context, unknown.item, number, person, by, redo, "named with the same face in other photos"
            )
            named += 1
        except BeeldwachtError as e:
            refused.append(f"photo {unknown.item}: {e.message}")
    return named, refused


def _number(context: Context, unknown: Unknown) -> int:
    """The face's number in the newest decision, which may not be the one that was looked at."""
    rows = context.store.items.verdict_rows(unknown.item)
    for row in rows:
        if box_in(row["box"]).iou(unknown.face.detection.box) >= SAME_BOX:
            return int(row["face"])
    raise BeeldwachtError("the face is not in the newest decision any more.", "Start again.")


def contact_sheet(context: Context, media_client: MediaClient, cluster: Cluster, title: str) -> str:
    """A page with every face of a cluster, numbered; it shows faces that nobody else may see.

    Raises ChildError when an original cannot be read.
    """
    figures = []
    for position, unknown in enumerate(cluster, 1):
        media_client.start()
        item = actions.item_of(context, unknown.item)
        box = unknown.face.detection.box.grow(0.4)
        with context.vault.opened(item.sha256) as original:
            jpeg = media_client.preview(original, _SIDE, box.clamp(1e9, 1e9)).jpeg
        picture = base64.b64encode(jpeg).decode("ascii")
        figures.append(
            f'<figure><img alt="face {position}" src="data:image/jpeg;base64,{picture}"><figcaption>'
            f"{position}: {html.escape(item.name)}</figcaption></figure>"
        )
    return (
        '<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
        f"<title>{html.escape(title)}</title>"
        f"<style>figure{{display:inline-block;margin:6px;font:13px sans-serif}}</style>"
        f"<h1>{html.escape(title)}</h1>{''.join(figures)}"
    )
