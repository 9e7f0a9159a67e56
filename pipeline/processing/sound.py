"""The story of one sound recording: who may be heard, what is muted, render, verify, record.

Nobody is seen in a recording, so it goes on only when staff said who can be heard, or everyone of the event's groups
may be. Like pipeline.processing.item it orders the steps and decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.domain.film import SoundMode, SoundPlan, Speakers, Stretch
from pipeline.domain.lifecycle import State
from pipeline.domain.types import Analysis, Check, Medium
from pipeline.log import replay
from pipeline.processing.context import Context
from pipeline.processing.outcome import held_by, recorded, renditions, total
from pipeline.redaction import film_timeline, manual_marks
from pipeline.rules import sound as sound_rules
from pipeline.rules.reasons import HoldReason
from pipeline.rules.sound import recording_plan
from pipeline.sandbox.answers import Product
from pipeline.sandbox.client import MediaClient
from pipeline.sandbox.film_client import FilmReader
from pipeline.store.rows import Decision, Draft, FilmDecision, Item


def decide_recording(item: Item, original: Path, owner: str, media_client: MediaClient, context: Context) -> State:
    """Take a sound recording as far as it goes. Nobody is seen: who may be heard is what staff or the event say."""
    started = context.seconds()
    film = FilmReader.opened(original, media_client)
    register, on = context.store.register.current(), context.clock().date()
    _, mark = context.store.hand_names.names(item.id)
    speakers = context.store.hand_names.speakers(item.id)
    channels, rule = context.settings.channels, context.settings.film.sound
    by_hand = context.store.review.marks(item.id)
    lifted = manual_marks.lifted(by_hand)
    if speakers is None and HoldReason.SPEAKERS_UNKNOWN in lifted:
        speakers = Speakers(frozenset())  # an officer let it go without anybody named: with its speech muted

    kept = context.store.recall.heard_before(item.id)

    def planned(speech: tuple[Stretch, ...]) -> dict[str, SoundPlan | HoldReason]:
        plans = {c: recording_plan(speakers, speech, film.length, register, c, on, item.event, rule) for c in channels}
        return {
            c: sound_rules.as_before(p, speech, film.length, rule)
            if kept is not None and c not in kept and isinstance(p, SoundPlan)
            else p
            for c, p in plans.items()
        }

    found = planned(())
    speech: tuple[Stretch, ...] = ()
    if any(isinstance(p, SoundPlan) and p.mode is SoundMode.MUTE_SPEECH for p in found.values()):
        speech = film.speech()
        found = planned(speech)
    sound = {c: p for c, p in found.items() if isinstance(p, SoundPlan)}
    hold = held_by(item, register, lifted, context)
    hold += sorted({str(p) for p in found.values() if isinstance(p, HoldReason)})
    checks: dict[str, Sequence[Check]] = {}
    drafts: list[Draft] = []
    if not hold:
        plans: dict[tuple[Stretch, ...], list[str]] = {}
        for channel, plan in sound.items():
            plans.setdefault(plan.muted, []).append(channel)

        def make(muted: tuple[Stretch, ...], name: str) -> Product:
            return Product("m4a", film.recording(muted, context.vault.work_file(name)), Analysis(0, 0, "", ()))

        checks, drafts, hold = renditions(item, plans, make, context)
    board = film_timeline.board(film.facts, None, speech)
    facts = FilmDecision(0, "0", film.length, (), sound, total(speech), (), board)
    analysis = Analysis(0, 0, f"sound ({film.facts.sound_codec})", (), film.facts.notes)
    decision = Decision(
        register.version,
        on,
        analysis,
        dict.fromkeys(channels, ()),
        checks,
        drafts,
        hold,
        context.engines,
        round(context.seconds() - started, 3),
        mark,
        facts,
        replay.inputs(register, Medium.SOUND, by_hand, None, replay.heard(sound)),
    )
    return recorded(item, owner, decision, context)
