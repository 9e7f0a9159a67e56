"""One child process, and the conversation with it: a line of JSON for each request, and lines that come back.

Whatever comes back may be a lie: the child has read files that may be hostile. So every answer has a deadline and a
greatest length, and what makes no sense ends the child.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.domain.types import JsonObject
from pipeline.errors import ChildDied, ChildError, ChildRefused, ChildTimeout, EnginesUnfit
from pipeline.sandbox.exchange_folder import ExchangeFolder
from pipeline.sandbox.options import PER_MEGAPIXEL, MediaOptions

_PROJECT = Path(__file__).resolve().parents[2]
_CHILD = (
    "-c",
    f"import runpy, sys; sys.path.insert(0, {str(_PROJECT)!r}); "
    "runpy.run_module('pipeline.reader.main', run_name='__main__', alter_sys=True)",
)
"""The reader is the one that stands beside this module: a copy of the project never runs another copy's reader."""
_MAX_LINE = 64 << 20
_START_SECONDS = 60.0
_NOTES = ("progress", "opened")
_NOT_THE_FILE = frozenset({"tool_unavailable", "write_failed", "check_unavailable"})
"""Reasons that lie in the installation, as a full disk: the file is tried again, and never rejected for them."""

Hear = Callable[[str, int, int], None]
"""Is told the step, how much of it is done, and how much there is."""


class WorkerProcess:
    """With one child at a time. Not for use by two threads at once; `kill` may be called from any thread."""

    def __init__(self, options: MediaOptions) -> None:
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._exchange: ExchangeFolder | None = None
        self._buffer = b""
        self._complaints: deque[str] = deque(maxlen=20)
        self.confined: tuple[str, ...] = ()
        self.started = 0.0  # on the monotonic clock

    @property
    def running(self) -> bool:
        """Whether there is a child, as far as is known."""
        return self._process is not None

    def start(self) -> None:
        """Start the child and wait until its engines are loaded and fit. Raises ChildError."""
        o = self._options
        self._exchange = ExchangeFolder(o.exchanges)
        options = {
            "tray": str(self._exchange.path),
            "weights": str(o.weights.resolve()),
            "detectors": o.detectors,
            "embedders": o.embedders,
            "threads": o.threads,
            "memory_bytes": o.memory_bytes,
            "file_bytes": o.file_bytes,
            "max_pixels": o.max_pixels,
            "parent": os.getpid(),
            "film_seconds": o.film.seconds,
            "film_pixels": o.film.pixels,
            "film_rate": o.film.rate,
            "film_threads": o.film.threads,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-I", *_CHILD, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={"LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": str(o.threads), "OPENBLAS_NUM_THREADS": str(o.threads)},
        )
        self._buffer, self.started = b"", time.monotonic()
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        hello = self._receive(time.monotonic() + _START_SECONDS)
        self.confined = tuple(hello["confined"])

    def ask(
        self, request: JsonObject, hear: Hear, seconds: float = 0.0, patience: float = 0.0, grows: bool = False
    ) -> JsonObject:
        """Send one request and wait for its answer. Raises ChildError.

        `seconds`: what it may take in all (0: the deadline of the options); `patience`: how long nothing may be heard
        of it (0: as long); `grows`: it may take longer once the child says how many pixels it opened. `hear` is told
        how far it is: an exception of it ends the child, and comes out here.
        """
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
            if grows and "opened" in value:
                end, grows = end + self._more(value["opened"]), False
                continue
            if "progress" not in value:
                return value
            try:
                step, done, total = value["progress"]
                hear(str(step), int(done), int(total))
            except (TypeError, ValueError, OverflowError) as e:
                raise self.nonsense(e) from e
            except BaseException:
                self.close()
                raise

    @property
    def exchange(self) -> ExchangeFolder:
        """The folder of the child. Raises ChildDied when none runs."""
        if self._exchange is None:
            raise ChildDied("The reader of media is not running.")
        return self._exchange

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
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.clear()

    def nonsense(self, error: Exception) -> ChildError:
        """End the child: what it said makes no sense. Returns what to raise."""
        self.close()
        return ChildDied(f"The reader of media gave an answer that makes no sense ({error}).")

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        if process.stderr is not None:
            for line in process.stderr:
                self._complaints.append(line.decode("utf-8", "replace")[:500].rstrip())

    def _more(self, pixels: Any) -> float:
        """Seconds for so many pixels, at most for as many as a photo may have: the child may lie."""
        try:
            return PER_MEGAPIXEL * min(max(0, int(pixels)), self._options.max_pixels) / 1e6
        except (TypeError, ValueError, OverflowError) as e:
            raise self.nonsense(e) from e

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
            if (note := next((name for name in _NOTES if name in answer), None)) is not None:
                return {note: answer[note]}
            if error is None:
                value: JsonObject = answer["ok"]
                return value
            reason, message = str(error["reason"]), str(error["message"])
        except (ValueError, KeyError, AttributeError, TypeError) as e:
            raise self.nonsense(e) from e
        if reason in _NOT_THE_FILE:
            raise ChildError(message)
        if reason == "engine_error":
            self.close()
            raise EnginesUnfit(f"The engines are not fit for work: {message}.")
        if reason in {"child_error", "out_of_memory"}:
            self.close()  # its memory is not to be trusted any more
            raise ChildError(message)
        raise ChildRefused(reason, message)

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
