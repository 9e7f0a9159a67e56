"""Writing the film that goes out: frames and sound in, one MP4 with nothing else in it. Runs in the child only.

What comes in are raw pixels and raw samples through pipes, so nothing that a source carries (metadata, further tracks,
chapters, messages between the frames) can come along. What ffmpeg itself would add is switched off; what is in the
file afterwards is judged by pipeline.reader.film.output_scan_mp4, which shares no code with this.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, TypeAlias

import ffmpeg
import numpy as np

from pipeline.domain.film import FilmFacts, Frame
from pipeline.reader.film.command_lines import Options, compiled, pipe_input
from pipeline.reader.film.ffmpeg import STALL_SECONDS, Running, Tools, running
from pipeline.reader.media_errors import MediaError, WriteFailed

Sound: TypeAlias = Callable[[BinaryIO], None]
"""Writes all of the sound as s16le at the rate and channels of the facts, and returns. Runs in a thread of its own."""

CRF = 23
MAX_BYTES = 4 << 30
_LOOK_EVERY = 50  # frames between two looks at the size of the file
X264 = "rc-lookahead=5:sync-lookahead=0:subme=1:me=dia:partitions=i8x8,i4x4"
"""Few frames are held back, so that memory stays low; a coarser search: twice as fast, files an eighth larger."""

_ONLY_PICTURE = "filter_units=pass_types=1-5|7|8"  # H.264 table 7-1: slices and the two parameter sets, no messages


class FilmWriter:
    """A film that is being written: use it in a `with`, and write every frame in order.

    For facts without a picture (`width` 0) it writes the sound alone, as M4A. When the block ends without an error the
    file stands at `path`, complete and fsynced; after any error there is none. The methods raise `WriteFailed`, and
    whatever `MediaError` the sound raised.
    """

    def __init__(
        self,
        path: Path,
        facts: FilmFacts,
        tools: Tools,
        sound: Sound | None = None,
        crf: int = CRF,
        max_bytes: int = MAX_BYTES,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self.frames = 0
        self._path, self._facts, self._tools, self._sound = path, facts, tools, sound
        self._crf, self._max_bytes, self._stall = crf, max_bytes, stall_seconds
        self._shape = (facts.height * 3 // 2, facts.width)
        self._stack = contextlib.ExitStack()
        self._tool: Running | None = None
        self._thread: threading.Thread | None = None
        self._sound_error: BaseException | None = None
        if not facts.width and sound is None:
            raise ValueError("neither picture nor sound")

    def __enter__(self) -> FilmWriter:
        read_end = write_end = -1
        try:
            # Ours from the first byte: never through a link, and never readable by everyone.
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            os.close(os.open(self._path, flags, 0o640))
            if self._sound is not None:
                read_end, write_end = os.pipe()
            self._tool = self._stack.enter_context(
                running(
                    self._command(read_end),
                    stdin=subprocess.PIPE if self._facts.width else subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=() if read_end < 0 else (read_end,),
                    stall_seconds=self._stall,
                )
            )
            if self._tool.process.stdin is not None:
                os.set_blocking(self._tool.process.stdin.fileno(), False)
            if self._sound is not None:
                self._thread = threading.Thread(target=self._play, args=(self._sound, write_end), daemon=True)
                self._thread.start()
                write_end = -1
        except BaseException as error:
            if write_end >= 0:
                os.close(write_end)
            self._give_up()
            if isinstance(error, OSError):
                raise _not_written(f"{type(error).__name__} {error.errno}: {error.strerror}") from error
            raise
        finally:
            if read_end >= 0:
                os.close(read_end)
        return self

    def write(self, frame: Frame) -> None:
        """Add one frame (see pipeline.domain.film). Raises `ValueError` for one that is not of this film."""
        if frame.dtype != np.uint8 or frame.shape != self._shape:
            raise ValueError(f"a frame of {frame.dtype} {frame.shape} in a film of {self._shape}")
        if self._sound_error is not None:
            raise self._why()
        left = np.ascontiguousarray(frame).reshape(-1).data
        try:
            while left:
                left = left[os.write(self._ready(), left) :]
        except OSError as error:
            raise self._why() from error
        self.frames += 1
        if self.frames % _LOOK_EVERY == 0:
            self._check_size()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._give_up()
            return
        try:
            self._finish()
        except BaseException:
            self._give_up()
            raise

    def _ready(self) -> int:
        """The pipe to the encoder, once it takes more."""
        stdin = self._tool.process.stdin if self._tool else None
        if stdin is None:
            raise ValueError("this writer is not open, or has no picture")
        poll = select.poll()
        poll.register(stdin.fileno(), select.POLLOUT)
        if not poll.poll(self._stall * 1000):
            raise _not_written(f"the encoder took nothing for {self._stall:g} s")
        return stdin.fileno()

    def _finish(self) -> None:
        tool = self._tool
        if tool is None:
            raise ValueError("this writer was not opened")
        if tool.process.stdin is not None:
            tool.process.stdin.close()
        if self._thread is not None:
            while self._thread.is_alive() and tool.process.poll() is None:
                self._thread.join(0.1)
                self._check_size()
        # The index is moved to the front at the end, which copies the whole file once more.
        status = tool.finish(10 * self._stall)
        if self._thread is not None:
            self._thread.join(self._stall)
        if status != 0 or self._sound_error is not None:
            raise self._why()
        if self._facts.width and not self.frames:
            raise _not_written("no frames were written")
        self._stack.close()
        self._check_size()
        try:
            with self._path.open("rb") as file:
                os.fsync(file.fileno())
        except OSError as error:
            raise _not_written(f"{type(error).__name__} {error.errno}: {error.strerror}") from error

    def _give_up(self) -> None:
        self._stack.close()  # kills ffmpeg, so that the thread of the sound finds nobody who listens
        if self._thread is not None:
            self._thread.join(self._stall)
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _play(self, sound: Sound, fd: int) -> None:
        try:
            with open(fd, "wb") as sink:
                sound(sink)
        except BrokenPipeError:
            pass  # the encoder ended first, and says itself why
        except BaseException as error:  # noqa: BLE001 - raised again where the film is written
            self._sound_error = error

    def _why(self) -> MediaError:
        """What went wrong: the sound, or else the encoder."""
        if isinstance(self._sound_error, MediaError):
            return self._sound_error
        if self._sound_error is not None:
            return _not_written(f"sound: {type(self._sound_error).__name__}: {self._sound_error}")
        tool = self._tool
        status = tool.finish() if tool else None
        return _not_written(f"encoder ended with {status}: {tool.complaints if tool else ''}")

    def _check_size(self) -> None:
        try:
            size = self._path.stat().st_size
        except OSError as error:
            raise _not_written(f"{type(error).__name__} {error.errno}") from error
        if size > self._max_bytes:
            raise _not_written(f"larger than {self._max_bytes} bytes")

    def _command(self, sound_fd: int) -> list[str]:
        streams = [self._picture_in()] if self._facts.width else []
        streams += [self._sound_in(sound_fd)] if sound_fd >= 0 else []
        options: Options = self._picture_out() if self._facts.width else {}
        options |= {"c:a": "aac", "b:a": "128k", "flags:a": "+bitexact"} if sound_fd >= 0 else {}
        output = ffmpeg.output(
            *streams,
            f"file:{self._path}",
            format="mp4" if self._facts.width else "ipod",
            map_metadata=-1,
            map_chapters=-1,
            fflags="+bitexact",
            movflags="+faststart",
            **options,
        )
        return compiled(self._tools, [output], "-xerror", "-y")

    def _picture_in(self) -> ffmpeg.nodes.FilterableStream:
        facts = self._facts
        size = facts.width, facts.height
        source = pipe_input(0, format="rawvideo", pixel_format="yuv420p", video_size=size, framerate=str(facts.rate))
        return source["v:0"]

    def _sound_in(self, descriptor: int) -> ffmpeg.nodes.FilterableStream:
        layout = "mono" if self._facts.sound_channels == 1 else "stereo"
        source = pipe_input(descriptor, format="s16le", sample_rate=self._facts.sound_rate, ch_layout=layout)
        return source["a:0"]

    def _picture_out(self) -> Options:
        matrix = self._facts.matrix
        return {
            "c:v": "libx264",
            "preset": "veryfast",
            "crf": str(self._crf),
            "threads": str(self._tools.threads),
            "x264-params": X264,
            "pix_fmt": "yuv420p",
            "fps_mode": "passthrough",
            "vf": f"setparams=range=limited:colorspace={matrix}:color_primaries={matrix}:color_trc={matrix}",
            "bsf:v": _ONLY_PICTURE,
            "flags:v": "+bitexact",
        }


def _not_written(detail: str) -> WriteFailed:
    return WriteFailed(
        "The checked film could not be written. Check that the disk is not full and the folder may be written to.",
        detail,
    )
