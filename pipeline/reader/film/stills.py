"""One frame of a film for a screen: sought, not counted to. Runs in the child process only.

It is the frame of that moment to within one or two, which is enough for eyes; what is decided and what is covered reads
every frame (pipeline.reader.film.frames).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.domain.film import FilmFacts, Frame
from pipeline.reader.film import demuxers as families
from pipeline.reader.film.command_lines import NO_OTHERS, RAW, compiled, file_input, most_pixels
from pipeline.reader.film.ffmpeg import Tools, running
from pipeline.reader.film.frames import filters, read_frames
from pipeline.reader.media_errors import damaged_film

_EARLIER = (0.0, 0.5, 2.0)
"""Seconds before the moment that are tried when nothing comes: the end of a film is where its container is vaguest."""


def still(path: Path, facts: FilmFacts, second: float, tools: Tools) -> Frame:
    """The frame at about this second, I420. Raises `DamagedFilm` when nothing there can be decoded."""
    if facts.family in families.ANIMATIONS:
        wanted = min(max(0, round(second * facts.rate)), max(0, round(facts.video_end * facts.rate) - 1))
        for _, frame in read_frames(path, facts, tools, only={wanted}):
            return frame
        raise damaged_film(f"no picture at {second:g} s")
    said = ""
    for earlier in (*_EARLIER, second):
        frame = np.empty((facts.height * 3 // 2, facts.width), np.uint8)
        with running(_command(path, facts, max(0.0, second - earlier), tools)) as tool:
            if tool.read_into(frame.reshape(-1).data) == frame.size:
                return frame
            tool.finish()
            said = tool.complaints
    raise damaged_film(f"no frame at {second:g} s: {said}")


def _command(path: Path, facts: FilmFacts, second: float, tools: Tools) -> list[str]:
    chain = [f for f in filters(facts) if not f.startswith("fps=")]
    source = file_input(path, facts.family, threads=1, max_pixels=most_pixels(facts), ss=f"{second:.3f}")
    frame = source[str(facts.video_stream)].output(
        "pipe:1",
        format="rawvideo",
        vf=",".join(chain),
        **{"frames:v": 1},
        **NO_OTHERS,
        **RAW,
    )
    return compiled(tools, [frame], "-filter_threads", "1")
