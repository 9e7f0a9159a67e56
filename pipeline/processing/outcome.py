"""What films and sound recordings have in common at their end: one file per plan, and the record of the decision."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from pipeline.domain.film import Stretch
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Check, Register
from pipeline.kill_points import reach
from pipeline.processing.context import Context
from pipeline.redaction.verification import failed_checks
from pipeline.rules.reasons import HoldReason
from pipeline.rules.verdicts import hold_reasons
from pipeline.sandbox.answers import Product
from pipeline.store.rows import Decision, Draft, Item

Key = TypeVar("Key")


def held_by(item: Item, register: Register, lifted: Collection[str], context: Context) -> list[str]:
    """Why a file waits for a person, whatever is in it: its event, what it is called, or that somebody asked."""
    reasons = list(hold_reasons(item.event, register, item.name))
    if context.store.questions.all(item.id, open_only=True):
        reasons.append(HoldReason.QUESTION_OPEN)
    return [r for r in reasons if r not in lifted]


def work_name(item: Item, channel: str) -> str:
    """The file in work/ that an attempt writes for a channel."""
    return f"{item.id}-{item.revision + 1}-{channel}.partial"


def look_name(item: Item, context: Context) -> str:
    """The note in work/ with what the first pass saw; it is of no use to other detectors."""
    engines = "".join(context.engines.get(d, "")[:4] for d in context.settings.detection.detectors)
    return f"look-{item.sha256[:32]}-{engines}"


def leftovers(item: Item, context: Context) -> list[str]:
    """The files in work/ that an attempt which did not come to its end may have left."""
    return [look_name(item, context), *(work_name(item, c) for c in context.settings.channels)]


def renditions(
    item: Item, plans: Mapping[Key, Sequence[str]], make: Callable[[Key, str], Product], context: Context
) -> tuple[dict[str, Sequence[Check]], list[Draft], list[str]]:
    """One file for each plan, copied to every channel that has it: the checks, the drafts, and reasons to hold."""
    checks: dict[str, Sequence[Check]] = {}
    drafts: list[Draft] = []
    hold: list[str] = []
    for plan, channels in plans.items():
        name = work_name(item, channels[0])
        product = make(plan, name)
        reach("work.rendered")
        hold += [h for h in failed_checks(product.checks) if h not in hold]
        for channel in channels:
            own = work_name(item, channel)
            if own != name:
                context.vault.duplicate(name, own)
            checks[channel] = product.checks
            drafts.append(Draft(channel, own, *context.vault.seal(own), product.extension))
    reach("work.sealed")
    if hold:
        for draft in drafts:
            context.vault.discard(draft.work_name)
        drafts = []
    return checks, drafts, hold


def recorded(item: Item, owner: str, decision: Decision, context: Context) -> State:
    """Record the decision; the note of the first pass is of no use any more. Raises LeaseLost."""
    state = context.store.items.record(context.clock(), item, owner, decision).state
    reach("work.decided")
    context.vault.discard(look_name(item, context))
    return state


def total(stretches: Iterable[Stretch]) -> float:
    """Seconds in all."""
    return float(sum(s.end - s.start for s in stretches))
