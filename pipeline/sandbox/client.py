"""What the service asks of the processes that read media, and when it takes new ones.

Each client has two: one reads originals and writes renditions, the other opens only what was written. So nothing that
an original did to its reader has a say in whether the rendition may go out.
"""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.domain.json_forms import analysis_in, box_out, check_in, region_out
from pipeline.domain.types import Analysis, Box, Check, JsonObject, Medium, Region
from pipeline.errors import ChildDied, ChildError, ChildRefused, EnginesUnfit
from pipeline.sandbox.answers import Preview, Product
from pipeline.sandbox.options import MediaOptions
from pipeline.sandbox.process import Hear, WorkerProcess


@dataclass(slots=True)
class Doubt:
    """When one of the readers that share weights last found its engines unfit, on the monotonic clock in seconds."""

    since: float = -math.inf


class MediaClient:
    """One reader, and with the first rendition another one that checks it.

    Not for use by two threads at once; `kill` may be called from any thread.

    What one reader with the same `doubt` finds of its engines makes each of the others prove its own before it goes on.
    """

    def __init__(self, options: MediaOptions, doubt: Doubt | None = None) -> None:
        self._options = options
        self._doubt = doubt or Doubt()
        self._talk = WorkerProcess(options)
        self._files = 0
        self._near: list[Box] = []
        self._checker: MediaClient | None = None
        self.unfit = False  # the engines did not see what they should, or did not load, when they were last asked
        self._proven = 0.0
        self.on_progress: Hear = lambda *_: None

    @property
    def confined(self) -> tuple[str, ...]:
        """The limits that the child runs under, by name."""
        return self._talk.confined

    def start(self) -> None:
        """Start the child if none runs; replace one that read many files, or refused one. Raises ChildError."""
        if self._talk.running and self._files >= self._options.recycle_after:
            self._talk.close()
        if self._talk.running:
            return
        self._files = 0
        try:
            self._talk.start()
        except EnginesUnfit:
            self._found_unfit()
            raise
        self.unfit, self._proven = False, self._talk.started

    def prove(self) -> None:
        """Before work: the engines must have seen what is in the known photographs, not long ago.

        Not long ago: within `prove_seconds`, and since another reader last found its engines unfit. A child does so
        when it starts. One whose engines were not fit is started again, to see whether they are now. Raises
        EnginesUnfit, or another ChildError.
        """
        if not self._talk.running:
            if self._doubted:
                self.start()
            return
        stale = time.monotonic() - self._proven >= self._options.prove_seconds
        while stale or self._doubted:
            asked = time.monotonic()
            self._ask({"op": "prove"})
            self._proven, stale = asked, False

    @property
    def _doubted(self) -> bool:
        """Whether any reader, this one too, found its engines unfit since this one last proved its own."""
        return self._proven <= self._doubt.since

    def identify(self, path: Path) -> Medium:
        """Whether a file is a photo, a film or a sound recording. Raises ChildError."""
        try:
            return Medium(self._ask_about(path, {"op": "identify"})["kind"])
        except (KeyError, TypeError, ValueError) as e:
            raise self._talk.nonsense(e) from e

    def film(self, operation: str, path: Path, seconds: float = 0.0, **request: Any) -> JsonObject:
        """One operation of `reader.film.operations` on a film of so many seconds; `on_progress` hears how far it is.

        An exception that `on_progress` raises ends the child, and comes out here. Raises ChildError.
        """
        o = self._options.film
        self._files += operation == "film_facts"
        allowed = o.patience_seconds + o.slowest * seconds
        if "target" not in request:
            return self._ask_about(path, {"op": operation, **request}, allowed, o.patience_seconds)
        with self._talk.exchange.collected(Path(request["target"])) as own:
            asked = {"op": operation, **request, "target": str(own)}
            return self._ask_about(path, asked, allowed, o.patience_seconds)

    def analyse(self, path: Path, embed: bool) -> Analysis:
        """Decode a photo, find every face, and describe the faces when `embed`. Raises ChildError."""
        self._files += 1
        try:
            analysis = analysis_in(self._ask_about(path, {"op": "analyse", "embed": embed}, grows=True))
            self._near = [face.detection.box for face in analysis.faces]
            return analysis
        except (KeyError, TypeError, ValueError) as e:
            raise self._talk.nonsense(e) from e

    def produce(
        self, regions: Sequence[Region], style: str, seed: int, path: Path, shown: Sequence[Box], embed: bool
    ) -> Product:
        """Cover regions of the photo analysed last, write it to `path`, and have the other reader look at it.

        Faces of the result that are not at one of the `shown` boxes are described when `embed`. Raises ChildError.
        """
        request: JsonObject = {
            "op": "produce",
            "regions": [region_out(r) for r in regions],
            "style": style,
            "seed": seed,
        }
        try:
            with self._talk.exchange.collected(path) as own:
                value = self._ask({**request, "path": str(own)})
            extension, checks = str(value["extension"]), tuple(check_in(c) for c in value["checks"])
        except (KeyError, TypeError, ValueError) as e:
            raise self._talk.nonsense(e) from e
        near = [*(region.box for region in regions), *self._near]
        scanned, analysis = self.checker().check(path, near, shown, embed)
        return Product(extension, (*scanned, *checks), analysis)

    def checker(self) -> MediaClient:
        """The reader that opens only what was written: it never sees an original. Raises ChildError."""
        if self._checker is None:
            self._checker = MediaClient(self._options, self._doubt)
        self._checker.on_progress = self.on_progress
        try:
            self._checker.start()
            self._checker.prove()
        except EnginesUnfit:
            self._found_unfit()
            raise
        self.unfit = False
        return self._checker

    def check(
        self, path: Path, near: Sequence[Box], shown: Sequence[Box], embed: bool
    ) -> tuple[tuple[Check, ...], Analysis]:
        """Open a photo that another reader wrote: what it is made of, and the faces in it. Raises ChildError."""
        request = {"op": "check", "near": [box_out(b) for b in near], "shown": [box_out(b) for b in shown]}
        try:
            value = self._checked(path, {**request, "embed": embed}, grows=True)
            return tuple(check_in(c) for c in value["checks"]), analysis_in(value["analysis"])
        except (KeyError, TypeError, ValueError) as e:
            raise self._talk.nonsense(e) from e

    def check_film(self, path: Path, seconds: float, **request: Any) -> JsonObject:
        """Open a film of so many seconds that another reader wrote; `on_progress` hears how far it is."""
        o = self._options.film
        allowed = o.patience_seconds + o.slowest * seconds
        return self._checked(path, {"op": "film_check", **request}, allowed, o.patience_seconds)

    def _checked(
        self, path: Path, request: JsonObject, seconds: float = 0.0, patience: float = 0.0, grows: bool = False
    ) -> JsonObject:
        """Ask about what was written. That it is refused says nothing about the original, which is tried again."""
        self._files += 1
        try:
            return self._ask_about(path, request, seconds, patience, grows)
        except ChildRefused as e:
            raise ChildError(f"What was written cannot be opened again: {e}") from e

    def preview(self, path: Path, longest: int, box: Box | None = None) -> Preview:
        """A file, or the part of it in a box, as a JPEG of at most `longest` pixels. Raises ChildError."""
        return self._preview("preview", path, longest, box)

    def still(self, path: Path, facts: JsonObject, second: float, longest: int, box: Box | None = None) -> Preview:
        """The frame of a film at about `second`, as `preview`; `facts` are those of `film_facts`. Raises ChildError."""
        return self._preview("film_still", path, longest, box, facts=facts, second=second)

    def _preview(self, operation: str, path: Path, longest: int, box: Box | None, **more: object) -> Preview:
        self._files += 1
        request: JsonObject = {"op": operation, "longest": longest, "box": box_out(box) if box else None, **more}
        try:
            value = self._ask_about(path, request)
            jpeg = base64.b64decode(value["jpeg"], validate=True)
            return Preview(jpeg, int(value["width"]), int(value["height"]))
        except (KeyError, TypeError, ValueError) as e:
            raise self._talk.nonsense(e) from e

    def peak_memory(self) -> int:
        """The most memory that a child ever held, in bytes; 0 where the system does not tell."""
        return max(self._talk.peak_memory(), self._checker.peak_memory() if self._checker else 0)

    def kill(self) -> None:
        """End both children and everything they may have started, at once."""
        self._talk.kill()
        if (checker := self._checker) is not None:
            checker.kill()

    def close(self) -> None:
        """End both children and let go of their pipes."""
        self._talk.close()
        if self._checker is not None:
            self._checker.close()

    def _ask_about(
        self, path: Path, request: JsonObject, seconds: float = 0.0, patience: float = 0.0, grows: bool = False
    ) -> JsonObject:
        """Ask about a file that is laid before the child for as long as the request takes."""
        with self._talk.exchange.lent(path) as own:
            try:
                return self._ask({**request, "path": str(own)}, seconds, patience, grows)
            except EnginesUnfit as e:  # taken over by its file, it would have that wait for ever
                self.unfit = False
                raise ChildDied("The reader of media spoke of its engines instead of the file.") from e

    def _ask(self, request: JsonObject, seconds: float = 0.0, patience: float = 0.0, grows: bool = False) -> JsonObject:
        """As `WorkerProcess.ask`, with what its answer says of the engines, and of memory that files left behind."""
        try:
            return self._talk.ask(request, self.on_progress, seconds, patience, grows)
        except EnginesUnfit:
            self._found_unfit()
            raise
        except ChildRefused as e:
            if e.reason != "too_large":
                self._files = self._options.recycle_after  # the next file gets a reader that never saw this one
                raise
            self._talk.close()  # what files leave in its memory makes the next one too large as well
            if self._files <= 1:
                raise
            raise ChildError(f"{e} It is tried again with a reader of its own.") from e

    def _found_unfit(self) -> None:
        self.unfit, self._doubt.since = True, time.monotonic()
