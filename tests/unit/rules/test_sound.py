"""Who may be heard: the sound stays only when everybody is known and everybody agreed."""

from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.film import SoundMode, SoundPlan, SoundRule, Speakers, Stretch
from pipeline.domain.intervals import joined, within
from pipeline.domain.types import Answer, Consent, Event, Medium, Period, Person, Reason, Register
from pipeline.rules.reasons import HoldReason
from pipeline.rules.sound import MaySpeak, as_before, recording_plan, sound_plan, who_may_speak
from pipeline.rules.sound_reasons import SoundReason, explain_sound, mode_text, sound_article
from pipeline.rules.verdicts import members
from tests.unit.rules.test_verdicts import ADULT, CHILD, ON, TEEN, consent

FEAST = Event("feast")
EVERYONE = (ADULT, CHILD, TEEN)
IDS = [p.person_id for p in EVERYONE]
SPEECH = (Stretch(1.0, 2.5), Stretch(4.0, 5.0))


def register(*refusing: str, people: tuple[Person, ...] = EVERYONE, **change: Any) -> Register:
    """Everybody agreed to sound on both channels, but for those named."""
    rows: list[Consent] = []
    for p in people:
        answer = Answer.NO if p.person_id in refusing else Answer.YES
        rows += [consent(p, Medium.SOUND, channel, answer=answer, **change) for channel in ("school", "personal")]
        rows.append(consent(p, Medium.FILM))
    return Register(7, {p.person_id: p for p in people}, {(c.person_id, c.medium, c.channel): c for c in rows})


def plan(people: list[str], unknown: int = 0, known: Register | None = None, **change: Any) -> SoundPlan:
    facts = {"sound": True, "speech": SPEECH, "duration": 6.0, "channel": "school", "on": ON, "event": FEAST, **change}
    return sound_plan(people=people, unknown=unknown, register=known or register(), **facts)


# --- films ----------------------------------------------------------------------------------------------------


def test_sound_stays_when_everyone_is_known_and_agreed() -> None:
    kept = plan(["P1", "E1"])
    assert (kept.mode, kept.reason, kept.article, kept.muted) == (SoundMode.KEEP, "all_agreed", "A.5", ())
    assert [(h.person_id, h.allowed, h.consent_row) for h in kept.heard] == [
        ("E1", True, "E1/sound/school"),
        ("P1", True, "P1/sound/school"),
    ]


def test_one_no_mutes_the_speech_and_names_who() -> None:
    muted = plan(["P1", "E1"], known=register("P1"))
    assert (muted.mode, muted.reason, muted.people) == (SoundMode.MUTE_SPEECH, "not_agreed", ("P1",))
    assert muted.muted == SPEECH
    assert {h.person_id: h.reason for h in muted.heard} == {"P1": Reason.REFUSED, "E1": Reason.CONSENT}


def test_consent_to_be_filmed_is_no_consent_to_be_heard() -> None:
    known = register()
    only_film = replace(known, consents={k: c for k, c in known.consents.items() if k[1] is Medium.FILM})
    assert plan(["P1"], known=only_film).heard[0].reason is Reason.OUT_OF_SCOPE
    assert plan(["P1"], known=only_film).mode is SoundMode.MUTE_SPEECH


def test_who_was_not_there_by_the_event_is_in_doubt() -> None:
    muted = plan(["P1"], event=Event("feast", groups=("4B",)))
    assert (muted.mode, muted.heard[0].reason) == (SoundMode.MUTE_SPEECH, Reason.OUTSIDE_GROUPS)


@pytest.mark.parametrize(
    ("people", "unknown", "why"),
    [
        (["P1"], 1, SoundReason.UNKNOWN_PEOPLE),
        ([], 2, SoundReason.UNKNOWN_PEOPLE),
        ([], 0, SoundReason.NOBODY_KNOWN),
        (["P1", "P9"], 0, SoundReason.NOT_AGREED),  # nobody of the register
    ],
)
def test_doubt_mutes(people: list[str], unknown: int, why: SoundReason) -> None:
    muted = plan(people, unknown)
    assert (muted.mode, muted.reason, muted.muted) == (SoundMode.MUTE_SPEECH, why, SPEECH)
    strict = plan(people, unknown, rule=SoundRule.STRICT)
    assert (strict.mode, strict.reason, strict.muted) == (SoundMode.MUTE_ALL, why, (Stretch(0.0, 6.0),))


def test_strict_keeps_what_everyone_agreed_to() -> None:
    assert plan(["P1"], rule=SoundRule.STRICT).mode is SoundMode.KEEP


def test_a_film_without_sound() -> None:
    assert plan(["P9"], 3, sound=False) == SoundPlan(SoundMode.NONE, "no_sound", "")


@pytest.mark.parametrize("speech", [(Stretch(2.0, 1.0),), (Stretch(float("nan"), 1.0),)])
def test_speech_that_makes_no_sense_mutes_everything(speech: tuple[Stretch, ...]) -> None:
    muted = plan([], speech=speech)
    assert (muted.mode, muted.reason, muted.muted) == (SoundMode.MUTE_ALL, SoundReason.ERROR, (Stretch(0.0, 6.0),))


def test_a_count_that_makes_no_sense_mutes_everything() -> None:
    assert plan(["P1"], -1).mode is SoundMode.MUTE_ALL
    for duration in (0.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="cannot last"):
            plan(["P1"], duration=duration)


seconds = st.floats(0, 20, allow_nan=False)
stretches = st.lists(st.tuples(seconds, seconds).map(lambda t: Stretch(min(t), max(t))), max_size=6)


@given(
    present=st.sets(st.sampled_from([*IDS, "P9"])),
    refusing=st.sets(st.sampled_from(IDS)),
    unknown=st.integers(0, 2),
    rule=st.sampled_from([SoundRule.SPEECH, SoundRule.STRICT]),
    channel=st.sampled_from(["school", "personal", "elsewhere"]),
    speech=stretches,
)
def test_kept_only_when_all_agreed_and_every_word_muted_otherwise(
    present: set[str], refusing: set[str], unknown: int, rule: SoundRule, channel: str, speech: list[Stretch]
) -> None:
    got = plan(sorted(present), unknown, register(*refusing), rule=rule, channel=channel, speech=speech, duration=15.0)
    agreed = bool(present) and present <= set(IDS) - refusing and channel != "elsewhere"
    assert (got.mode is SoundMode.KEEP) == (agreed and unknown == 0)
    assert got.article and got.reason and {h.person_id for h in got.heard} == present
    assert set(got.people) == {h.person_id for h in got.heard if not h.allowed}
    if got.mode is SoundMode.KEEP:
        return
    inside = [Stretch(s.start, min(s.end, 15.0)) for s in speech if s.start < min(s.end, 15.0)]
    assert within(inside, got.muted)
    assert all(0 <= m.start < m.end <= 15.0 for m in got.muted)
    if rule is SoundRule.STRICT:
        assert got.muted == (Stretch(0.0, 15.0),)


@given(present=st.sets(st.sampled_from(IDS)), one=st.sampled_from([*IDS, "P9"]), unknown=st.integers(0, 1))
def test_more_people_or_less_consent_never_bring_sound_back(present: set[str], one: str, unknown: int) -> None:
    if plan(sorted(present), unknown).mode is not SoundMode.KEEP:
        assert plan(sorted(present), unknown + 1).mode is not SoundMode.KEEP
        assert plan(sorted(present), unknown, register(one)).mode is not SoundMode.KEEP
    assert plan(sorted(present | {one}), unknown, register(one)).mode is not SoundMode.KEEP


# --- until somebody says who speaks ---------------------------------------------------------------------------


def asked(people: list[str], unknown: int = 0, known: Register | None = None, **change: Any) -> SoundPlan:
    return plan(people, unknown, known, rule=SoundRule.ASK, **change)


def test_a_voice_beside_the_camera_has_no_face_so_speech_waits_for_staff() -> None:
    muted = asked(["P1", "E1"])  # everybody who is seen agreed, and somebody else may have spoken
    assert (muted.mode, muted.reason, muted.article, muted.muted) == (
        SoundMode.MUTE_SPEECH,
        SoundReason.NOBODY_SAID,
        "B.5",
        SPEECH,
    )
    said = asked(["P1"], speakers=Speakers(frozenset({"E1"})))
    assert (said.mode, said.reason) == (SoundMode.KEEP, SoundReason.ALL_AGREED)
    assert asked(["P1"], speakers=Speakers(frozenset())).mode is SoundMode.KEEP  # nobody else speaks


def test_an_event_of_which_everybody_may_be_heard_needs_no_answer() -> None:
    both = Event("feast", groups=("1A", "4B"))
    kept = asked([], 2, event=both)
    assert (kept.mode, kept.reason) == (SoundMode.KEEP, SoundReason.GROUPS_AGREED)
    assert [h.person_id for h in kept.heard] == ["E1", "P1", "P2"]  # the employees too: one of them held the camera
    for refusing in IDS:
        assert asked([], known=register(refusing), event=both).reason is SoundReason.NOBODY_SAID
    assert asked(["P9"], event=both).mode is SoundMode.MUTE_SPEECH  # seen, and not in the register
    assert asked([], -1, event=both).mode is SoundMode.MUTE_ALL
    waits = recording(None, register("E1"), both, rule=SoundRule.ASK)
    assert waits is HoldReason.SPEAKERS_UNKNOWN and isinstance(recording(None, register("E1"), both), SoundPlan)


def test_staff_answer_for_it_that_only_those_speak_who_may_be_heard() -> None:
    only = Speakers(frozenset({"P1"}), only=True)
    kept = asked(["P1", "P2"], 3, register("P2"), speakers=only)
    assert (kept.mode, kept.reason) == (SoundMode.KEEP, SoundReason.ANSWERED_FOR)
    assert [h.person_id for h in kept.heard] == ["P1"]  # a withdrawal of hers takes it back
    assert asked(["P1"], known=register("P1"), speakers=only).reason is SoundReason.NOT_AGREED
    erased = asked(["P1"], speakers=Speakers(frozenset({"P1"}), 1, only=True))
    assert (erased.mode, erased.reason) == (SoundMode.MUTE_SPEECH, SoundReason.UNKNOWN_PEOPLE)
    assert asked([], speakers=Speakers(frozenset(), only=True)).mode is SoundMode.MUTE_SPEECH


def test_whom_that_would_be() -> None:
    known, group = register("P2"), Event("feast", groups=("1A",))
    both = ("school", "personal")
    assert who_may_speak(["P2"], known, both, ON, FEAST) == ()
    assert who_may_speak(["P1"], known, both, ON, FEAST) == (MaySpeak("P1", both),)
    assert [m.person_id for m in who_may_speak([], known, both, ON, group)] == ["E1", "P1"]
    half = replace(known, consents={k: c for k, c in known.consents.items() if k[2] == "school"})
    assert who_may_speak(["P1"], half, both, ON, FEAST) == (MaySpeak("P1", ("school",)),)


@given(
    seen=st.sets(st.sampled_from([*IDS, "P9"])),
    said=st.none() | st.builds(Speakers, st.frozensets(st.sampled_from(IDS)), st.integers(0, 1), st.booleans()),
    refusing=st.sets(st.sampled_from(IDS)),
    groups=st.sampled_from([(), ("1A",), ("1A", "4B")]),
    unknown=st.integers(0, 2),
)
def test_whoever_is_asked_for_may_be_heard_when_sound_is_kept(
    seen: set[str], said: Speakers | None, refusing: set[str], groups: tuple[str, ...], unknown: int
) -> None:
    event, known = Event("feast", groups=groups), register(*refusing)
    got = asked(sorted(seen), unknown, known, event=event, speakers=said)
    if got.mode is not SoundMode.KEEP:
        return
    assert got.heard and {h.person_id for h in got.heard}.isdisjoint(refusing)
    assert said is not None or groups
    if said is not None:
        assert said.people <= {h.person_id for h in got.heard} and not said.unknown
        assert said.only or (seen <= {h.person_id for h in got.heard} and not unknown)


# --- recordings -----------------------------------------------------------------------------------------------


def recording(
    speakers: Speakers | None, known: Register | None = None, event: Event = FEAST, **change: Any
) -> SoundPlan | HoldReason:
    facts = {"channel": "school", "on": ON, **change}
    return recording_plan(speakers, SPEECH, 6.0, known or register(), event=event, **facts)


def test_a_recording_waits_until_staff_say_who_speaks() -> None:
    assert recording(None) is HoldReason.SPEAKERS_UNKNOWN
    kept = recording(Speakers(frozenset({"P1", "E1"})))
    assert isinstance(kept, SoundPlan) and kept.mode is SoundMode.KEEP
    muted = recording(Speakers(frozenset({"P1", "E1"})), register("P1"))
    assert isinstance(muted, SoundPlan) and (muted.mode, muted.people) == (SoundMode.MUTE_SPEECH, ("P1",))


def test_nobody_and_somebody_who_was_erased() -> None:
    nobody = recording(Speakers(frozenset()))
    assert isinstance(nobody, SoundPlan) and (nobody.reason, nobody.muted) == ("nobody_known", SPEECH)
    erased = recording(Speakers(frozenset({"E1"}), 1))
    assert isinstance(erased, SoundPlan) and (erased.reason, erased.muted) == ("unknown_people", SPEECH)


def test_the_groups_of_the_event_stand_for_the_speakers_when_all_of_them_agreed() -> None:
    both = Event("feast", groups=("1a ", "4B"))
    kept = recording(None, event=both)
    assert isinstance(kept, SoundPlan) and (kept.mode, kept.reason) == (SoundMode.KEEP, "groups_agreed")
    assert [h.person_id for h in kept.heard] == ["P1", "P2"]
    for known in (register("P2"), register(people=(ADULT, CHILD)), register(withdrawn_on=ON)):
        assert recording(None, known, both) is HoldReason.SPEAKERS_UNKNOWN
    assert recording(None, event=replace(both, problem="damaged")) is HoldReason.SPEAKERS_UNKNOWN


def test_who_belongs_to_the_groups_of_an_event() -> None:
    teacher = replace(ADULT, groups=("1A",))
    past = replace(TEEN, groups=("1A",), periods=(Period("1A", None, date(2026, 1, 1)),))
    people = register(people=(teacher, CHILD, past))
    assert members(people, Event("e", groups=("1A",), date=ON)) == {"E1", "P1"}
    assert members(people, Event("e", groups=("1A",))) == {"E1", "P1", "P2"}  # the day is not known
    assert members(people, Event("e")) == members(people, Event("e", groups=("1A", "typo"))) == frozenset()


# --- words, and pieces of time --------------------------------------------------------------------------------


def test_every_reason_is_said_in_both_languages() -> None:
    for reason in SoundReason:
        assert explain_sound(reason) != explain_sound(reason, "nl")
        assert sound_article(reason) or reason is SoundReason.NO_SOUND
    assert all(mode_text(mode) != mode_text(mode, "nl") for mode in SoundMode)


def test_joined_pads_and_bridges() -> None:
    apart = (Stretch(4.0, 5.0), Stretch(1.0, 1.2), Stretch(1.6, 2.0))
    assert joined(apart, 10.0) == (Stretch(1.0, 1.2), Stretch(1.6, 2.0), Stretch(4.0, 5.0))
    assert joined(apart, 10.0, gap=0.5) == (Stretch(1.0, 2.0), Stretch(4.0, 5.0))
    assert joined((Stretch(0.1, 0.2), Stretch(9.9, 12.0)), 10.0, pad=0.25) == (Stretch(0.0, 0.45), Stretch(9.65, 10.0))


@given(pieces=stretches, pad=st.floats(0, 1), gap=st.floats(0, 1), end=st.floats(0.1, 25))
def test_joined_loses_nothing(pieces: list[Stretch], pad: float, gap: float, end: float) -> None:
    got = joined(pieces, end, pad, gap)
    inside = [Stretch(max(0.0, s.start - pad), min(end, s.end + pad)) for s in pieces]
    assert within([s for s in inside if s.start < s.end], got)
    assert all(b.start - a.end > gap for a, b in pairwise(got))
    assert joined(got, end) == got


def test_sound_that_was_muted_when_it_was_published_does_not_come_back() -> None:
    kept = SoundPlan(SoundMode.KEEP, SoundReason.ALL_AGREED, "A.5")
    speech = (Stretch(1.0, 2.0),)
    plan = as_before(kept, speech, 10.0)
    assert (plan.mode, plan.reason, plan.article, plan.muted) == (
        SoundMode.MUTE_SPEECH,
        SoundReason.MUTED_BEFORE,
        "A.4",
        speech,
    )
    assert as_before(kept, speech, 10.0, SoundRule.STRICT).mode is SoundMode.MUTE_ALL
    none = SoundPlan(SoundMode.NONE, SoundReason.NO_SOUND, "")
    assert as_before(none, (), 10.0) is none
