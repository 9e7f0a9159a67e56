"""Pictures for the pages, made by child processes: originals for the eyes of officers, thumbnails of what is published.

A picture of an original is made anew each time, kept nowhere, and cached by nobody. Thumbnails are made of published
files only, which everybody may see, and are kept under the file's SHA-256.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pipeline.errors import ChildError, ChildRefused
from pipeline.lab import Lab, Preview
from pipeline.parts import Parts
from pipeline.service import lab_options
from pipeline.store.records import Item, Rendition
from pipeline.types import Analysis, Box

T = TypeVar("T")
SCREEN = 1600
THUMBNAIL = 360


class Darkroom:
    """Two children: one that only decodes, and one that describes faces; each for one request at a time."""

    def __init__(self, parts: Parts) -> None:
        options = lab_options(parts)
        self._parts = parts
        self._thumbnails = parts.settings.path("data") / "thumbnails"
        self._viewer = Lab(replace(options, detectors=options.detectors[-1:], embedders=()))
        self._seer = Lab(options)
        self._viewing = threading.Lock()
        self._seeing = threading.Lock()

    def original(self, item: Item, box: Box | None = None, longest: int = SCREEN) -> Preview:
        """The original, or a part of it, for a screen. Raises ChildError, OriginalGone, KeyUnknown."""
        with self._parts.vault.opened(item.sha256) as path:
            return self._view(lambda lab: lab.preview(path, longest, box))

    def analyse(self, item: Item) -> Analysis:
        """The faces of an original with their embeddings, for the memory of one session only. Raises as `original`."""
        with self._parts.vault.opened(item.sha256) as path, self._seeing:
            return _asked(self._seer, lambda lab: lab.analyse(path, embed=True))

    def published(self, rendition: Rendition, longest: int) -> bytes:
        """A published file as a JPEG for a screen. Raises ChildError, or OSError when the file is gone or altered."""
        path = self.file(rendition)
        return self._view(lambda lab: lab.preview(path, longest)).jpeg

    def file(self, rendition: Rendition) -> Path:
        """The published file itself, after making sure that it is the one that was decided on. Raises OSError."""
        path = self._parts.vault.publish / rendition.channel / rendition.path
        with path.open("rb") as f:
            if hashlib.file_digest(f, "sha256").hexdigest() != rendition.sha256:
                raise FileNotFoundError(2, "was changed since it was published", str(path))
        return path

    def thumbnail(self, rendition: Rendition) -> bytes:
        """A small picture of a published file, made once."""
        kept = self._thumbnails / rendition.sha256[:2] / f"{rendition.sha256}.jpg"
        try:
            return kept.read_bytes()
        except FileNotFoundError:
            data = self.published(rendition, THUMBNAIL)
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._parts.vault.keep(data, kept)
        return data

    def close(self) -> None:
        """End the children."""
        for lab in (self._viewer, self._seer):
            lab.kill()

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
