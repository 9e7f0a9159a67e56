"""The service's side of one child process: start it, ask it, watch its deadline, replace it."""

from __future__ import annotations

import base64
import contextlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ChildDied, ChildError, ChildRefused, ChildTimeout, EnginesUnfit
from pipeline.tray import Tray
from pipeline.types import Analysis, Box, Check, JsonObject, Medium, Region, Style
from pipeline.wire import analysis_in, box_out, check_in, region_out

_CHILD = ("-m", "pipeline.child")
_MAX_LINE = 64 << 20
_START_SECONDS = 60.0
_NOT_THE_FILE = frozenset({"tool_unavailable", "write_failed", "check_unavailable"})
"""Reasons that lie in the installation, as a full disk: the file is tried again, and never rejected for them."""


@dataclass(frozen=True, slots=True)
class FilmOptions:
    """What a film may ask of a child: see pipeline.config.Film. `patience_seconds` without progress end it."""

    seconds: float = 3600.0
    pixels: int = 9_000_000
    rate: int = 60
    threads: int = 2
    patience_seconds: float = 120.0
    slowest: float = 60.0
    """Seconds of work for each second of film, at most, for each pass."""


@dataclass(frozen=True, slots=True)
class LabOptions:
    """What a child may use. `deadline_seconds` is for one request, wall and processor time alike."""

    weights: Path
    detectors: tuple[str, ...]
    embedders: tuple[str, ...]
    threads: int
    deadline_seconds: float
    memory_bytes: int
    max_pixels: int
    recycle_after: int
    file_bytes: int = 1 << 30
    film: FilmOptions = FilmOptions()
    trays: Path | None = None
    """Where each child gets a folder of its own, on the file system of the vault and of what is written."""
    prove_seconds: float = 3600.0
    """How often the engines of a child look at the known photographs again."""


@dataclass(frozen=True, slots=True)
class Product:
    """A written rendition: what was checked in the child, and what its detectors found in the result."""

    extension: str
    checks: tuple[Check, ...]
    analysis: Analysis


@dataclass(frozen=True, slots=True)
class Preview:
    """A small JPEG for a screen, and the size in pixels of the picture that it was made from."""

    jpeg: bytes
    width: int
    height: int


@dataclass(slots=True)
class Doubt:
    """When one of the readers that share weights last found its engines unfit, on the monotonic clock in seconds."""

    since: float = -math.inf


class Lab:
    """One child process. Not for use by two threads at once; `kill` may be called from any thread.

    What one reader with the same `doubt` finds of its engines makes each of the others prove its own before it goes on.
    """

    def __init__(self, options: LabOptions, doubt: Doubt | None = None) -> None:
        self._options = options
        self._doubt = doubt or Doubt()
        self._process: subprocess.Popen[bytes] | None = None
        self._tray: Tray | None = None
        self._files = 0
        self._buffer = b""
        self._complaints: deque[str] = deque(maxlen=20)
        self.confined: tuple[str, ...] = ()
        self.unfit = False  # the engines did not see what they should, or did not load, when they were last asked
        self._proven = 0.0
        self.on_progress: Callable[[str, int, int], None] = lambda *_: None

    def start(self) -> None:
        """Start the child if none runs, and replace one that has read many files. Raises ChildError."""
        if self._process is not None and self._files >= self._options.recycle_after:
            self.close()
        if self._process is None:
            self._launch()

    def prove(self) -> None:
        """Before work: the engines must have seen what is in the known photographs, not long ago.

        Not long ago: within `prove_seconds`, and since another reader last found its engines unfit. A child does so
        when it starts. One whose engines were not fit is started again, to see whether they are now. Raises
        EnginesUnfit, or another ChildError.
        """
        if self._process is None:
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
            raise self._nonsense(e) from e

    def film(self, operation: str, path: Path, seconds: float = 0.0, **request: Any) -> JsonObject:
        """One operation of pipeline.films.desk on a film of so many seconds; `on_progress` hears how far it is.

        An exception that `on_progress` raises ends the child, and comes out here. Raises ChildError.
        """
        o = self._options.film
        self._files += operation == "film_facts"
        allowed = o.patience_seconds + o.slowest * seconds
        if "target" not in request:
            return self._ask_about(path, {"op": operation, **request}, allowed, o.patience_seconds)
        with self._own_tray().collected(Path(request["target"])) as own:
            asked = {"op": operation, **request, "target": str(own)}
            return self._ask_about(path, asked, allowed, o.patience_seconds)

    def analyse(self, path: Path, embed: bool) -> Analysis:
        """Decode a photo, find every face, and describe the faces when `embed`. Raises ChildError."""
        self._files += 1
        try:
            return analysis_in(self._ask_about(path, {"op": "analyse", "embed": embed}))
        except (KeyError, TypeError, ValueError) as e:
            raise self._nonsense(e) from e

    def produce(
        self, regions: Sequence[Region], style: Style, seed: int, path: Path, shown: Sequence[Box], embed: bool
    ) -> Product:
        """Cover regions of the photo analysed last, write it to `path`, and look at what was written.

        Faces of the result that are not at one of the `shown` boxes are described when `embed`. Raises ChildError.
        """
        request: JsonObject = {
            "op": "produce", "regions": [region_out(r) for r in regions], "style": str(style), "seed": seed,
            "shown": [box_out(b) for b in shown], "embed": embed,
        }  # fmt: skip
        try:
            with self._own_tray().collected(path) as own:
                value = self._ask({**request, "path": str(own)})
            return Product(
                str(value["extension"]), tuple(check_in(c) for c in value["checks"]), analysis_in(value["analysis"])
            )
        except (KeyError, TypeError, ValueError) as e:
            raise self._nonsense(e) from e

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
            raise self._nonsense(e) from e

    def peak_memory(self) -> int:
        """The most memory that the child ever held, in bytes (VmHWM); 0 where the system does not tell."""
        try:
            status = Path(f"/proc/{self._process.pid if self._process else 0}/status").read_text(encoding="ascii")
        except OSError:
            return 0
        return next((int(x.split()[1]) << 10 for x in status.splitlines() if x.startswith("VmHWM:")), 0)

    def kill(self) -> None:
        """End the child and everything it may have started, at once."""
        process = self._process
        if process is not None and process.poll() is None:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return

    def close(self) -> None:
        """End the child and let go of its pipes."""
        self.kill()
        process, self._process = self._process, None
        if process is not None:
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    with contextlib.suppress(BrokenPipeError):  # what it never read does not matter any more
                        pipe.close()
        tray, self._tray = self._tray, None
        if tray is not None:
            tray.clear()

    def _launch(self) -> None:
        o = self._options
        self._tray = Tray(o.trays)
        options = {
            "tray": str(self._tray.path), "weights": str(o.weights.resolve()), "detectors": o.detectors,
            "embedders": o.embedders, "threads": o.threads,
            "memory_bytes": o.memory_bytes, "file_bytes": o.file_bytes, "max_pixels": o.max_pixels,
            "parent": os.getpid(), "film_seconds": o.film.seconds, "film_pixels": o.film.pixels,
            "film_rate": o.film.rate, "film_threads": o.film.threads,
        }  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-I", *_CHILD, json.dumps(options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            env={"LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": str(o.threads), "OPENBLAS_NUM_THREADS": str(o.threads)},
        )  # fmt: skip
        self._files, self._buffer, started = 0, b"", time.monotonic()
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        hello = self._receive(time.monotonic() + _START_SECONDS)
        self.confined = tuple(hello["confined"])
        self.unfit, self._proven = False, started

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        if process.stderr is not None:
            for line in process.stderr:
                self._complaints.append(line.decode("utf-8", "replace")[:500].rstrip())

    def _own_tray(self) -> Tray:
        if self._tray is None:
            raise ChildDied("The reader of media is not running.")
        return self._tray

    def _ask_about(
        self, path: Path, request: JsonObject, seconds: float = 0.0, patience: float = 0.0
    ) -> JsonObject:
        """Ask about a file that is laid before the child for as long as the request takes."""
        with self._own_tray().lent(path) as own:
            try:
                return self._ask({**request, "path": str(own)}, seconds, patience)
            except EnginesUnfit as e:  # taken over by its file, it would have that wait for ever
                self.unfit = False
                raise ChildDied("The reader of media spoke of its engines instead of the file.") from e

    def _ask(self, request: JsonObject, seconds: float = 0.0, patience: float = 0.0) -> JsonObject:
        """Send one request. `seconds`: what it may take in all; `patience`: how long nothing may be heard of it."""
        process = self._process
        if process is None or process.stdin is None:
            raise ChildDied("The reader of media is not running.")
        seconds = seconds or self._options.deadline_seconds
        threads = self._options.film.threads + 1 if patience else self._options.threads
        try:
            process.stdin.write(json.dumps({**request, "cpu_seconds": seconds * threads}).encode() + b"\n")
            process.stdin.flush()
        except OSError as e:
            self.close()
            raise ChildDied("The reader of media ended before it was asked.") from e
        end = time.monotonic() + seconds
        while True:
            limit = min(end, time.monotonic() + patience) if patience else end
            value = self._receive(limit)
            if "progress" not in value:
                return value
            try:
                step, done, total = value["progress"]
                self.on_progress(str(step), int(done), int(total))
            except (TypeError, ValueError, OverflowError) as e:
                raise self._nonsense(e) from e
            except BaseException:
                self.close()
                raise

    def _receive(self, deadline: float) -> JsonObject:
        process = self._process
        if process is None or process.stdout is None:
            raise ChildDied("The reader of media is not running.")
        fd = process.stdout.fileno()
        while b"\n" not in self._buffer:
            wait = deadline - time.monotonic()
            if wait <= 0 or not select.select([fd], [], [], wait)[0]:
                self.close()
                raise ChildTimeout("Reading the file took longer than the deadline; the reader was stopped.")
            chunk = os.read(fd, 1 << 16)
            if not chunk or len(self._buffer) > _MAX_LINE:
                self.close()
                raise ChildDied(f"The reader of media ended ({_how(process.returncode)}). {self._last_words()}")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return self._unwrap(line)

    def _unwrap(self, line: bytes) -> JsonObject:
        try:
            answer: Any = json.loads(line)
            error = answer.get("error")
            if "progress" in answer:
                return {"progress": answer["progress"]}
            if error is None:
                value: JsonObject = answer["ok"]
                return value
            reason, message = str(error["reason"]), str(error["message"])
        except (ValueError, KeyError, AttributeError, TypeError) as e:
            raise self._nonsense(e) from e
        if reason in _NOT_THE_FILE:
            raise ChildError(message)
        if reason == "engine_error":
            self.close()
            self.unfit, self._doubt.since = True, time.monotonic()
            raise EnginesUnfit(f"The engines are not fit for work: {message}.")
        if reason in {"child_error", "out_of_memory"}:
            self.close()  # its memory is not to be trusted any more
            raise ChildError(message)
        if reason == "too_large":
            fresh = self._files <= 1
            self.close()  # what files leave in its memory makes the next one too large as well
            if not fresh:
                raise ChildError(f"{message} It is tried again with a reader of its own.")
        raise ChildRefused(reason, message)

    def _nonsense(self, error: Exception) -> ChildError:
        self.close()
        return ChildDied(f"The reader of media gave an answer that makes no sense ({error}).")

    def _last_words(self) -> str:
        return " ".join(list(self._complaints)[-3:])


def _how(code: int | None) -> str:
    if code is None:
        return "no exit status"
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return f"exit status {code}"
