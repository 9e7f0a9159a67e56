"""A published photo with one person in it clear and everybody else covered, for that person's eyes.

It is made of the original like the pictures of an export (art. 15): decided by nothing but where that person's face is,
and checked like any publication. It stands in memory only.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace

from pipeline.errors import OriginalGone
from pipeline.processing.context import Context
from pipeline.processing.item import render_only
from pipeline.sandbox.client import MediaClient
from pipeline.service.service import media_options
from pipeline.store.publications import Publication

LONGEST = 1400
_MOST = 100


class OwnPictures:
    """One child process, one picture at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = MediaClient(replace(media_options(context), embedders=()))
        self._one = threading.Lock()
        self._made: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def of(self, found: Publication) -> bytes | None:
        """The picture as a JPEG; None where it cannot be made safe. Raises ChildError, KeyUnknown, OSError."""
        key = found.sha256, found.person_id
        with self._one:
            if key not in self._made and (made := self._make(found)) is not None:
                self._made[key] = made
                while len(self._made) > _MOST:
                    self._made.popitem(last=False)
            return self._made.get(key)

    def close(self) -> None:
        """End the child."""
        self._client.kill()

    def _make(self, found: Publication) -> bytes | None:
        context, name = self._context, f"own-{found.item_id}.partial"
        item = context.store.items.get(found.item_id)
        own = [a for a in context.store.rights.appearances(found.person_id) if a.item_id == found.item_id and a.places]
        if item is None or not own:
            return None
        try:
            self._client.start()
            product = render_only(item, own[0].places, name, self._client, context)
            if product is None or not all(c.passed for c in product.checks):
                return None
            return self._client.preview(context.vault.work_file(name), LONGEST, None).jpeg
        except OriginalGone:
            return None
        finally:
            context.vault.discard(name)
