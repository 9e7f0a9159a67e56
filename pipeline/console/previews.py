"""Pictures for the pages, made by child processes: originals for the eyes of officers, thumbnails of what is published.

A picture of an original is made anew each time, kept nowhere, and cached by nobody. Thumbnails are made of published
files only, and stand in memory: what is withdrawn, and whoever is erased, leaves no picture behind on the disk.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from pipeline.domain.types import Analysis, Box, JsonObject
from pipeline.errors import ChildError, ChildRefused
from pipeline.processing.context import Context
from pipeline.sandbox.answers import Preview
from pipeline.sandbox.client import MediaClient
from pipeline.service.service import media_options
from pipeline.store.rows import Item, Rendition

T = TypeVar("T")
SCREEN = 1600
THUMBNAIL = 360
FILM_SECOND = 1.0
"""The moment of a film that its thumbnail shows: the very first frame is often black."""
_MOST_SEEN = 1000
_MOST_THUMBNAILS = 2000
"""About 20 kB each."""


@dataclass(slots=True)
class _Opened:
    """An original that somebody looks at, and how many do."""

    users: int = 0
    path: Path | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    until: ExitStack = field(default_factory=ExitStack)


class Previews:
    """Two children: one that only decodes, and one that describes faces; each for one request at a time."""

    def __init__(self, context: Context) -> None:
        options = media_options(context)
        self._context = context
        self._thumbnails: OrderedDict[str, bytes] = OrderedDict()
        self._keeping = threading.Lock()
        self._opening = threading.Lock()
        self._opened: dict[str, _Opened] = {}
        self._viewer = MediaClient(replace(options, detectors=options.detectors[-1:], embedders=()))
        self._seer = MediaClient(options)
        self._seen: dict[Path, tuple[str, int, int, int, int]] = {}
        self._facts: dict[str, JsonObject] = {}
        self._viewing = threading.Lock()
        self._seeing = threading.Lock()

    def original(
        self, item: Item, box: Box | None = None, longest: int = SCREEN, second: float | None = None
    ) -> Preview:
        """The original, or a part of it, for a screen; of a film the frame at this `second`.

        Raises ChildError, OriginalGone, KeyUnknown.
        """
        with self._open(item.sha256) as path:
            return self._view(lambda media_client: self._look(media_client, path, item.sha256, box, longest, second))

    def analyse(self, item: Item) -> Analysis:
        """The faces of an original with their embeddings, for the memory of one session only. Raises as `original`."""
        with self._open(item.sha256) as path, self._seeing:
            return _asked(self._seer, lambda media_client: media_client.analyse(path, embed=True))

    def published(self, rendition: Rendition, longest: int) -> bytes:
        """A published file as a JPEG for a screen. Raises ChildError, or OSError when the file is gone or altered."""
        path = self.file(rendition)
        second = FILM_SECOND if path.suffix == ".mp4" else None
        return self._view(
            lambda media_client: self._look(media_client, path, rendition.sha256, None, longest, second)
        ).jpeg

    def file(self, rendition: Rendition) -> Path:
        """The published file itself, after making sure that it is the one that was decided on. Raises OSError."""
        path = self._context.vault.publish / rendition.channel / rendition.path
        with path.open("rb") as f:
            facts = os.fstat(f.fileno())
            now = rendition.sha256, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
            if self._seen.get(path) == now:  # a film that plays is asked for piece by piece
                return path
            if hashlib.file_digest(f, "sha256").hexdigest() != rendition.sha256:
                raise FileNotFoundError(2, "was changed since it was published", str(path))
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        self._seen[path] = now
        return path

    def thumbnail(self, rendition: Rendition) -> bytes:
        """A small picture of a published file, made once. Raises as `published`."""
        with self._keeping:
            if (kept := self._thumbnails.get(rendition.sha256)) is not None:
                self._thumbnails.move_to_end(rendition.sha256)
                return kept
        data = self.published(rendition, THUMBNAIL)
        with self._keeping:
            self._thumbnails[rendition.sha256] = data
            while len(self._thumbnails) > _MOST_THUMBNAILS:
                self._thumbnails.popitem(last=False)
        return data

    def close(self) -> None:
        """End the children."""
        for media_client in (self._viewer, self._seer):
            media_client.kill()

    def _look(
        self, media_client: MediaClient, path: Path, sha256: str, box: Box | None, longest: int, second: float | None
    ) -> Preview:
        if second is None:
            return media_client.preview(path, longest, box)
        facts = self._facts.get(sha256)
        if facts is None:  # every packet of a film is walked for them: once is enough
            if len(self._facts) >= _MOST_SEEN:
                self._facts.clear()
            facts = self._facts[sha256] = media_client.film("film_facts", path)
        return media_client.still(path, facts, second, longest, box)

    @contextmanager
    def _open(self, sha256: str) -> Iterator[Path]:
        """The plain bytes of an original. All who look at the same moment share one copy: a page asks for each face of
        it, and a film of gigabytes takes seconds to open. It is gone with the last of them.
        """
        with self._opening:
            one = self._opened.setdefault(sha256, _Opened())
            one.users += 1
        try:
            with one.lock:
                if one.path is None:
                    one.path = one.until.enter_context(self._context.vault.opened(sha256))
            yield one.path
        finally:
            with self._opening:
                one.users -= 1
                if not one.users:
                    del self._opened[sha256]
                    one.until.close()

    def _view(self, ask: Callable[[MediaClient], Preview]) -> Preview:
        with self._viewing:
            return _asked(self._viewer, ask)


def _asked(media_client: MediaClient, ask: Callable[[MediaClient], T]) -> T:
    """Ask a child, and once more when it had ended: it ends with the thread that started it, and threads of the server
    come and go. What a file does to a child twice is the file's."""
    media_client.start()
    try:
        return ask(media_client)
    except ChildRefused:
        raise
    except ChildError:
        media_client.start()
        return ask(media_client)
