"""The frames of a film, one after the other, at a constant rate from its beginning. Runs in the child process only.

ffmpeg decodes and sends raw frames through a pipe, so memory does not grow with the film. The same film gives the same
frames with the same numbers every time it is read: both passes rely on that. A frame that cannot be decoded ends the
reading with an error: what a decoder guesses is never looked at and never published.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from pathlib import Path

import numpy as np

from pipeline.domain.film import FilmFacts, Frame
from pipeline.reader.film import demuxers as families
from pipeline.reader.film.command_lines import NO_OTHERS, RAW, beside, compiled, file_input, most_pixels
from pipeline.reader.film.ffmpeg import STALL_SECONDS, Tools, running
from pipeline.reader.media_errors import damaged_film

_SHORT_SECONDS = 0.5  # frames may be this much fewer than the packets promised
_LONG_SECONDS = 1.0  # ... or more

_TO_SDR = (  # white of a film in high dynamic range is at 203 cd/m2 (ITU-R BT.2408)
    "setparams=colorspace=bt2020nc:color_primaries=bt2020",
    "zscale=t=linear:npl=203",
    "format=gbrpf32le",
    "zscale=p=bt709",
    "tonemap=tonemap=mobius:desat=0",
    "zscale=t=bt709:m=bt709:r=limited",
)


def read_frames(
    path: Path,
    facts: FilmFacts,
    tools: Tools,
    only: Collection[int] | None = None,
    stall_seconds: float = STALL_SECONDS,
) -> Generator[tuple[int, Frame]]:
    """All frames with their numbers, from 0; or only those with these numbers. Close it to end ffmpeg early.

    A frame is I420 (see pipeline.domain.film), read-only, and the caller's to keep. Raises `DamagedFilm` for a film
    that does not decode without errors to about the end its packets have, or when ffmpeg makes no progress.
    """
    if facts.family in families.ANIMATIONS:
        from pipeline.reader.film.animation import read_animation  # noqa: PLC0415 - Pillow is for these alone

        yield from read_animation(path, facts, only)
        return
    last = None if only is None else max(only, default=-1)
    rows, size = facts.height * 3 // 2, facts.height * facts.width * 3 // 2
    promised = facts.video_end * facts.rate
    skipped = bytearray(size)
    with running(_command(path, facts, tools), stall_seconds=stall_seconds) as tool:
        number = 0
        while last is None or number <= last:
            wanted = only is None or number in only
            frame = np.empty((rows, facts.width), np.uint8) if wanted else None
            got = tool.read_into(memoryview(skipped) if frame is None else frame.reshape(-1).data)
            if got < size:
                break
            if number > promised + _LONG_SECONDS * facts.rate + 2:
                raise damaged_film(f"more frames than the {float(promised):.0f} that its packets promise")
            if frame is not None:
                frame.flags.writeable = False
                yield number, frame
            number += 1
        else:
            return
        status = tool.finish()
        if status != 0 or got:
            raise tool.blame(status)
        if number < promised - _SHORT_SECONDS * facts.rate - 2 or number == 0:
            raise damaged_film(f"{number} frames of the {float(promised):.0f} that its packets promise")


def _command(path: Path, facts: FilmFacts, tools: Tools) -> list[str]:
    threads = str(tools.threads)
    source = file_input(path, facts.family, threads=threads, max_pixels=most_pixels(facts))
    picture = source[str(facts.video_stream)].output(
        "pipe:1",
        format="rawvideo",
        vf=",".join(filters(facts)),
        r=str(facts.rate),
        fps_mode="cfr",
        **NO_OTHERS,
        **RAW,
    )
    sound = [beside(source, facts.sound_stream, "a")] if facts.sound_stream >= 0 else []
    return compiled(tools, [picture, *sound], "-xerror", "-filter_threads", threads)


def filters(facts: FilmFacts) -> list[str]:
    """What happens to a decoded frame: rate, progressive, square pixels, standard range and colours, even size."""
    width, height = facts.upright
    chain = ["bwdif=mode=send_frame:deint=interlaced"] if facts.interlaced else []
    chain.append(f"fps={facts.rate}")
    chain += _TO_SDR if facts.hdr else []
    chain += [
        # Both matrices named: for a film that names none, ffmpeg would take that of standard definition.
        f"scale={width}:{height}:flags=bicubic:out_range=limited"
        f":in_color_matrix={facts.matrix}:out_color_matrix={facts.matrix}",
    ]
    if (width, height) != (facts.width, facts.height):  # the last column and row once more
        right, bottom = facts.width - width, facts.height - height
        chain += [
            "format=yuv444p",  # with halved colours, these filters would cut what they are to repeat
            f"pad={facts.width}:{facts.height}:0:0",
            f"fillborders=right={right}:bottom={bottom}:mode=smear",
        ]
    return [*chain, "format=yuv420p"]
