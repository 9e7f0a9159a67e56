"""Pictures for the pages, made by child processes: originals for the eyes of officers, thumbnails of what is published.

A picture of an original is made anew each time, kept nowhere, and cached by nobody. Thumbnails are made of published
files only, which everybody may see, and are kept under the file's SHA-256.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pipeline.errors import ChildError, ChildRefused
from pipeline.lab import Lab, Preview
from pipeline.moves import write_file
from pipeline.parts import Parts
from pipeline.service import lab_options
from pipeline.store.records import Item, Rendition
from pipeline.types import Analysis, Box, JsonObject

T = TypeVar("T")
SCREEN = 1600
THUMBNAIL = 360
FILM_SECOND = 1.0
"""The moment of a film that its thumbnail shows: the very first frame is often black."""
_MOST_SEEN = 1000


class Darkroom:
    """Two children: one that only decodes, and one that describes faces; each for one request at a time."""

    def __init__(self, parts: Parts) -> None:
        options = lab_options(parts)
        self._parts = parts
        self._thumbnails = parts.settings.path("data") / "thumbnails"
        self._viewer = Lab(replace(options, detectors=options.detectors[-1:], embedders=()))
        self._seer = Lab(options)
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
        with self._parts.vault.opened(item.sha256) as path:
            return self._view(lambda lab: self._look(lab, path, item.sha256, box, longest, second))

    def analyse(self, item: Item) -> Analysis:
        """The faces of an original with their embeddings, for the memory of one session only. Raises as `original`."""
        with self._parts.vault.opened(item.sha256) as path, self._seeing:
            return _asked(self._seer, lambda lab: lab.analyse(path, embed=True))

    def published(self, rendition: Rendition, longest: int) -> bytes:
        """A published file as a JPEG for a screen. Raises ChildError, or OSError when the file is gone or altered."""
        path = self.file(rendition)
        second = FILM_SECOND if path.suffix == ".mp4" else None
        return self._view(lambda lab: self._look(lab, path, rendition.sha256, None, longest, second)).jpeg

    def file(self, rendition: Rendition) -> Path:
        """The published file itself, after making sure that it is the one that was decided on. Raises OSError."""
        path = self._parts.vault.publish / rendition.channel / rendition.path
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
        """A small picture of a published file, made once."""
        kept = self._thumbnails / rendition.sha256[:2] / f"{rendition.sha256}.jpg"
        try:
            return kept.read_bytes()
        except FileNotFoundError:
            data = self.published(rendition, THUMBNAIL)
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_file(data, kept)
        return data

    def close(self) -> None:
        """End the children."""
        for lab in (self._viewer, self._seer):
            lab.kill()

    def _look(
        self, lab: Lab, path: Path, sha256: str, box: Box | None, longest: int, second: float | None
    ) -> Preview:
        if second is None:
            return lab.preview(path, longest, box)
        facts = self._facts.get(sha256)
        if facts is None:  # every packet of a film is walked for them: once is enough
            if len(self._facts) >= _MOST_SEEN:
                self._facts.clear()
            facts = self._facts[sha256] = lab.film("film_facts", path)
        return lab.still(path, facts, second, longest, box)

    def _view(self, ask: Callable[[Lab], Preview]) -> Preview:
        with self._viewing:
            return _asked(self._viewer, ask)


def _asked(lab: Lab, ask: Callable[[Lab], T]) -> T:
    """Ask a child, and once more when it had ended: it ends with the thread that started it, and threads of the server
    come and go. What a file does to a child twice is the file's."""
    lab.start()
    try:
        return ask(lab)
    except ChildRefused:
        raise
    except ChildError:
        lab.start()
        return ask(lab)
