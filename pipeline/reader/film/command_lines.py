"""Command lines of ffmpeg, built by ffmpeg-python; the processes are run by `pipeline.reader.film.ffmpeg`.

Nothing is started by that package: it puts options, inputs, maps and outputs in order (`compile`). What every command
line of ours has stands here once: no reading of the terminal, errors only, one demuxer and one protocol for each input.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import ffmpeg

from pipeline.domain.film import FilmFacts
from pipeline.reader.film.ffmpeg import Tools

Value: TypeAlias = str | int | tuple[int, int] | None
Options: TypeAlias = dict[str, Value]
"""Names without the dash; None for an option that has no value."""
NO_OTHERS: Options = {"an": None, "sn": None, "dn": None}
RAW: Options = {"c:v": "rawvideo"}


def file_options(family: str) -> Options:
    """Options that stand before every file that is read: one demuxer, one protocol, nothing that it refers to."""
    options: Options = {"format": family, "protocol_whitelist": "file"}
    return options | ({"enable_drefs": 0, "use_absolute_path": 0} if family == "mov" else {})


def option_list(options: Options) -> list[str]:
    """The same for a tool that ffmpeg-python builds no command lines for (ffprobe)."""
    words = (["-f" if n == "format" else f"-{n}", *([] if v is None else [str(v)])] for n, v in options.items())
    return [word for pair in words for word in pair]


def file_input(path: Path, family: str, **options: Value) -> ffmpeg.nodes.FilterableStream:
    """A file as an input; a stream of it is taken with `[number]`."""
    return ffmpeg.input(f"file:{path}", **file_options(family), **options)


def pipe_input(descriptor: int, **options: Value) -> ffmpeg.nodes.FilterableStream:
    """What comes through a pipe, as an input."""
    return ffmpeg.input(f"pipe:{descriptor}", protocol_whitelist="pipe", **options)


def beside(source: ffmpeg.nodes.FilterableStream, stream: int, kind: str) -> ffmpeg.nodes.OutputStream:
    """A second output that reads another stream and throws it away.

    Some containers have no beginning of their own: the earliest track that is read makes it. The readers of picture and
    of sound read both tracks, so that both count from the same moment.
    """
    return source[str(stream)].output("-", format="null", **{f"c:{kind}": "copy"})


def most_pixels(facts: FilmFacts) -> int:
    """Pixels of one stored frame at most: a film may not grow beyond the size that was judged."""
    return 2 * facts.width * facts.height + 1_000_000


def compiled(tools: Tools, outputs: Sequence[ffmpeg.nodes.OutputStream], *own: str) -> list[str]:
    """The command line for these outputs. `own` are options of ffmpeg itself, as `-xerror`."""
    stream = outputs[0] if len(outputs) == 1 else ffmpeg.merge_outputs(*outputs)
    command: list[str] = ffmpeg.compile(stream, cmd=[tools.ffmpeg, "-nostdin", "-hide_banner", "-v", "error", *own])
    return command
