"""The sound of a film as samples, one piece after the other, from the film's beginning. Runs in the child only.

Like the frames (pipeline.reader.film.frames): ffmpeg decodes into a pipe, memory does not grow with the film, and the
same film gives the same samples every time. Sound that begins late has silence before it, and gaps are silent, so that
it stays in step with the picture. More than two channels are mixed down to two here, before anything else is done.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.film import FilmFacts
from pipeline.reader.film.command_lines import beside, compiled, file_input
from pipeline.reader.film.ffmpeg import STALL_SECONDS, Tools, running
from pipeline.reader.media_errors import damaged_film

Samples: TypeAlias = NDArray[np.int16]
"""Shape (n, channels)."""

BLOCKS = 200
"""Blocks per second in which levels are measured."""

_LONG_SECONDS = 2.0  # the sound may last this much longer than its container said
_SHORT_SECONDS = 1.0  # ... and end this much, or 2 %, before its packets do
_SHORT_PART = 0.02
_IN_STEP = "aresample=async=1:min_hard_comp=0.05:first_pts=0"


def read_sound(
    path: Path, facts: FilmFacts, tools: Tools, rate: int, channels: int, stall_seconds: float = STALL_SECONDS
) -> Generator[Samples, None, None]:
    """All samples in pieces of up to a second (the last may be shorter), at `rate` Hz, with 1 or 2 channels.

    Close it to end ffmpeg early. Raises `DamagedFilm` for sound that does not decode without errors to about the end
    its packets have, for more than that, or when ffmpeg makes no progress.
    """
    most = int((max(facts.duration, facts.sound_end) + _LONG_SECONDS) * rate)
    count = 0
    with running(_command(path, facts, tools, rate, channels), stall_seconds=stall_seconds) as tool:
        while True:
            piece = np.empty((rate, channels), "<i2")
            got = tool.read_into(piece.reshape(-1).view(np.uint8).data)
            whole = got // (2 * channels)
            count += whole
            if count > most:
                raise damaged_film(f"more sound than its {facts.duration:.2f} s")
            if whole:
                yield piece[:whole].astype(np.int16, copy=False)
            if got < piece.nbytes:
                break
        status = tool.finish()
        if status != 0 or got % (2 * channels):
            raise tool.blame(status)
        if count < (facts.sound_end - max(_SHORT_SECONDS, _SHORT_PART * facts.sound_end)) * rate:
            raise damaged_film(f"{count / rate:.2f} s of sound of the {facts.sound_end:.2f} s that its packets promise")


def levels(
    path: Path, facts: FilmFacts, tools: Tools, progress: Callable[[int], None] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How loud the sound is, in `BLOCKS` a second: root mean square and peak of each, of the louder channel, 0 to 1.

    `progress` is told how many seconds were measured.
    """
    size = facts.sound_rate // BLOCKS
    means: list[NDArray[np.float32]] = []
    peaks: list[NDArray[np.float32]] = []
    with closing(read_sound(path, facts, tools, facts.sound_rate, facts.sound_channels)) as pieces:
        for piece in pieces:
            whole = np.zeros((-(-len(piece) // size) * size, piece.shape[1]), np.float32)
            whole[: len(piece)] = piece / np.float32(32768)
            blocks = whole.reshape(-1, size, piece.shape[1])
            means.append(np.sqrt((blocks**2).mean(axis=1)).max(axis=1))
            peaks.append(np.abs(blocks).max(axis=(1, 2)))
            if progress:
                progress(len(peaks))
    if not means:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    return np.concatenate(means), np.concatenate(peaks)


def _command(path: Path, facts: FilmFacts, tools: Tools, rate: int, channels: int) -> list[str]:
    source = file_input(path, facts.family, threads=1)
    samples = source[str(facts.sound_stream)].output(
        "pipe:1",
        format="s16le",
        af=_IN_STEP,
        ac=channels,
        ar=rate,
        vn=None,
        sn=None,
        dn=None,
        **{"c:a": "pcm_s16le"},
    )
    picture = [beside(source, facts.video_stream, "v")] if facts.video_stream >= 0 and facts.width else []
    return compiled(tools, [samples, *picture], "-xerror")
