"""How far a long piece of work is: pure arithmetic on what was done and how long it took."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.types import JsonObject

STEPS = ("look", "recognise", "listen", "render", "check")
"""The steps of a film in their order; a step that is not needed is left out."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of the work on one item: frames done, of how many, since when (seconds of some clock)."""

    item: int
    step: str
    done: int
    total: int
    began: float
    at: float

    @property
    def percent(self) -> int:
        """Part of this step that is done, 0 to 100."""
        return min(100, 100 * self.done // max(1, self.total))

    @property
    def frames_per_second(self) -> float:
        """Speed since the step began; 0 when it is not known yet."""
        return self.done / (self.at - self.began) if self.at > self.began else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time that this step still needs at this speed; None when nobody can say."""
        speed = self.frames_per_second
        return max(0, self.total - self.done) / speed if speed > 0 and self.done else None

    def facts(self) -> JsonObject:
        """For the heartbeat and for `status`."""
        left = self.seconds_left
        return {
            "item": self.item,
            "step": self.step,
            "percent": self.percent,
            "frames_per_second": round(self.frames_per_second, 1),
            "seconds_left": None if left is None else round(left),
        }


def following(before: Progress | None, item: int, step: str, done: int, total: int, at: float) -> Progress:
    """The progress after this message; a new step begins when its name or the item changes, or it starts again."""
    same = before is not None and before.item == item and before.step == step and done >= before.done
    return Progress(item, step, done, total, before.began if before is not None and same else at, at)


def line(facts: JsonObject) -> str:
    """One line for a screen or a log: step, percentage, frames per second and time left."""
    left = facts["seconds_left"]
    rest = "" if left is None else f", {left // 60}:{left % 60:02d} left"
    return f"item {facts['item']}: {facts['step']} {facts['percent']} %, {facts['frames_per_second']:g} frames/s{rest}"
