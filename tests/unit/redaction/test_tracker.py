"""Nothing that was detected is lost, and two faces are never followed as one where they overlap."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.camera_motion import STILL, Similarity
from pipeline.domain.film import FirstPass, Track
from pipeline.domain.types import Box, Detection
from pipeline.recognition.track_samples import first_samples
from pipeline.redaction.film_regions import best, covers
from pipeline.redaction.holding import OVERLAP
from pipeline.redaction.rhythm import SECOND_LOOK, Rhythm
from pipeline.redaction.track_run import CONVINCING
from pipeline.redaction.tracker import PATIENCE, SECOND_ALONE, Tracker

WIDTH, HEIGHT, RATE = 320, 240, 10.0
FACE = Box(100, 80, 140, 130)


def face(left: float = 100, top: float = 80, side: float = 40, score: float = 0.9) -> Detection:
    return Detection(Box(left, top, left + side, top + 1.25 * side), score, None, ("yunet",))


def follow(frames: Sequence[Sequence[Detection]], cuts: Sequence[int] = (), rate: float = RATE) -> FirstPass:
    """What the tracker makes of sure findings alone."""
    tracker = Tracker(rate)
    for number, found in enumerate(frames):
        tracker.step(number, found, (), number in cuts)
    return tracker.finish(len(frames))


def holds(outer: Sequence[float], inner: Box) -> bool:
    left, top, right, bottom = outer
    slack = 1e-3  # float32
    return (
        left <= inner.left + slack
        and top <= inner.top + slack
        and right >= inner.right - slack
        and bottom >= inner.bottom - slack
    )


def lies_in(look: FirstPass, frame: int, found: Detection) -> list[Track]:
    """The tracks that hold this finding in this frame, with a box that is around it."""
    return [t for t in look.tracks for k in np.nonzero(t.frames == frame)[0] if holds(t.boxes[k], found.box)]


@st.composite
def findings(draw: st.DrawFn) -> Detection:
    """Few places and sizes, so that findings meet, overlap and are the same."""
    left, top = draw(st.integers(-1, 12)) * 20.0, draw(st.integers(-1, 6)) * 25.0
    return face(
        left, top, draw(st.sampled_from((20.0, 40.0, 48.0, 90.0))), draw(st.sampled_from((0.5, 0.6, 0.8, 0.95)))
    )


few = st.lists(findings(), max_size=4)


@st.composite
def films(draw: st.DrawFn) -> list[tuple[list[Detection], list[Detection], bool, list[Detection]]]:
    """Per frame: what is sure, what is a hint, whether a shot begins, and what the second detector finds."""
    return [
        (draw(few), draw(few), draw(st.integers(0, 9)) == 0, draw(few) if draw(st.booleans()) else [])
        for _ in range(draw(st.integers(1, 25)))
    ]


def follow_all(film: Sequence[tuple[list[Detection], list[Detection], bool, list[Detection]]]) -> FirstPass:
    tracker = Tracker(RATE)
    for number, (strong, weak, cut, second) in enumerate(film):
        tracker.step(number, strong, weak, cut)
        tracker.amend(number, second)
    return tracker.finish(len(film))


@settings(max_examples=35, deadline=None)
@given(films())
def test_what_is_sure_lies_in_a_track_and_under_its_cover(film: list) -> None:
    look = follow_all(film)
    hidden = {t.index for t in look.tracks}
    planned = {c.track: c for c in covers(look, hidden, WIDTH, HEIGHT, RATE)}
    assert set(planned) == hidden
    for frame, (strong, _, _, second) in enumerate(film):
        for found in [*strong, *(s for s in second if s.score >= SECOND_ALONE)]:
            own = lies_in(look, frame, found)
            assert own, (frame, found)
            for track in own:
                box = planned[track.index].at(frame)
                assert box is not None
                assert holds(box, found.box.clamp(WIDTH, HEIGHT))


@settings(max_examples=35, deadline=None)
@given(films())
def test_tracks_are_in_order_and_stay_in_their_shot(film: list) -> None:
    look = follow_all(film)
    assert look.frames == len(film)
    assert look.cuts == tuple(n for n, frame in enumerate(film) if n and frame[2])
    starts = (0, *look.cuts)
    for index, track in enumerate(look.tracks):
        assert track.index == index
        assert (np.diff(track.frames) > 0).all()
        assert len(track.frames) == len(track.boxes) == len(track.scores) == len(track.marks)
        assert track.shot[0] == max(s for s in starts if s <= track.frames[0])
        assert track.shot[1] == min([c - 1 for c in look.cuts if c > track.frames[0]], default=look.frames - 1)
        assert track.shot[0] <= track.frames[0] <= track.frames[-1] <= track.shot[1]
    for cover in covers(look, {t.index for t in look.tracks}, WIDTH, HEIGHT, RATE):
        first, last = look.tracks[cover.track].shot
        assert first <= cover.start <= cover.stop - 1 <= last


@settings(max_examples=25, deadline=None)
@given(films())
def test_no_track_takes_a_detection_that_was_not_there(film: list) -> None:
    for track in follow_all(film).tracks:
        for frame, box in zip(track.frames, track.boxes, strict=True):
            strong, weak, _, second = film[frame]
            assert any(holds(box, d.box) for d in (*strong, *weak, *second))


@given(st.floats(5, 60), st.data())
def test_a_face_that_is_back_within_a_second_was_there_all_the_time(rate: float, data: st.DataObject) -> None:
    gap = data.draw(st.integers(1, int(PATIENCE * rate)))
    frames = [[face()], *[[] for _ in range(gap - 1)], [face()]]
    look = follow(frames, rate=rate)
    (track,) = look.tracks
    assert track.span == (0, gap)
    (cover,) = covers(look, {0}, WIDTH, HEIGHT, rate)
    assert all((box := cover.at(n)) is not None and holds(box, FACE) for n in range(gap + 1))


def test_a_face_that_is_away_for_longer_is_another_track() -> None:
    look = follow([[face()], *[[] for _ in range(10)], [face()]])
    assert [t.span for t in look.tracks] == [(0, 0), (11, 11)]


def test_a_face_that_moves_steadily_is_followed_through_a_gap() -> None:
    frames = [[face(5 * n)] if not 15 <= n < 20 else [] for n in range(40)]
    (track,) = follow(frames, rate=25).tracks
    assert track.span == (0, 39)


def test_a_cut_ends_every_track() -> None:
    look = follow([[face()] for _ in range(10)], cuts=[4])
    assert [(t.span, t.shot) for t in look.tracks] == [((0, 3), (0, 3)), ((4, 9), (4, 9))]
    assert look.cuts == (4,)


def test_a_cut_in_the_first_frame_is_none() -> None:
    assert follow([[face()]], cuts=[0]).cuts == ()


def test_hints_prolong_a_convincing_track_and_begin_none() -> None:
    tracker = Tracker(RATE)
    hint = face(102, score=0.35)
    tracker.step(0, [], [hint], False)
    tracker.step(1, [face()], [], False)
    tracker.step(2, [], [hint], False)
    tracker.step(3, [], [face(250, score=0.35)], False)
    look = tracker.finish(4)
    (track,) = look.tracks
    assert list(track.frames) == [0, 1, 2]  # backwards too, but nothing at the other place


def test_hints_do_not_prolong_backwards_through_a_cut() -> None:
    tracker = Tracker(RATE)
    tracker.step(0, [], [face(score=0.35)], False)
    tracker.step(1, [face()], [], True)
    (track,) = tracker.finish(2).tracks
    assert track.span == (1, 1)


def test_hints_do_not_prolong_what_was_never_convincing() -> None:
    tracker = Tracker(RATE)
    tracker.step(0, [face(score=CONVINCING - 0.05)], [], False)
    tracker.step(1, [], [face(score=0.35)], False)
    (track,) = tracker.finish(2).tracks
    assert track.span == (0, 0)
    assert not track.sure


def test_a_track_is_sure_once_it_was_convincing_or_a_second_detector_agreed() -> None:
    faint = face(score=CONVINCING - 0.05)
    assert follow([[faint], [face()]]).tracks[0].sure
    tracker = Tracker(RATE)
    tracker.step(0, [faint], [], False)
    tracker.amend(0, [face(97, score=0.4)])
    (track,) = tracker.finish(1).tracks
    assert track.sure
    assert holds(track.boxes[0], FACE)
    assert holds(track.boxes[0], face(97).box), "both detectors' boxes lie in the track's"


def test_the_second_detector_alone_begins_a_track() -> None:
    tracker = Tracker(RATE)
    tracker.step(0, [], [], False)
    tracker.amend(0, [face(score=SECOND_ALONE), face(200, score=SECOND_ALONE - 0.01)])
    (track,) = tracker.finish(1).tracks
    assert track.sure
    assert track.fast == (False, False)


def test_the_second_detector_looks_at_everything_at_first_at_cuts_and_every_second() -> None:
    rhythm = Rhythm(RATE, (WIDTH, HEIGHT))
    due = [n for n in range(60) if rhythm.due(n, cut=n == 9)]
    assert due == [0, *range(9, 60, round(SECOND_LOOK * RATE))]


def test_the_second_detector_looks_where_something_is_new_or_missing() -> None:
    tracker = Tracker(RATE)
    assert tracker.step(0, [face()], [], False, True) == ()
    for n in range(1, 4):
        assert tracker.step(n, [face()], [], False) == ()
    assert tracker.step(4, [face(), face(220)], [], False) == (face(220).box,)
    lost = [tracker.step(n, [face()], [], False) for n in range(5, 9)]
    assert any(place.iou(face(220).box) > 0.5 for places in lost for place in places)
    assert tracker.step(9, [face(), face(330)], [], False, True) == (), "seen in the whole frame"


@settings(max_examples=35, deadline=None)
@given(films())
def test_where_another_face_overlaps_nobody_can_be_named(film: list) -> None:
    look = follow_all(film)
    for one, two in permutations(look.tracks, 2):
        for frame in {int(f) for f in one.frames} & {int(f) for f in two.frames}:
            a, b = ((t, list(t.frames).index(frame)) for t in (one, two))
            places = [Box(*(float(v) for v in t.boxes[k])) for t, k in (a, b)]
            met = all(t.scores[k] > 0 for t, k in (a, b)) and places[0].iou(places[1]) > OVERLAP + 1e-6
            assert not met or one.mixed, (frame, places)


# --- two faces ------------------------------------------------------------------------------------------------


def crossing(rate: float = RATE) -> FirstPass:
    """Two faces that walk towards each other, overlap in frames 8 to 12, and walk on."""
    return follow([[face(60 + 4 * n), face(140 - 4 * n)] for n in range(21)], rate=rate)


def test_where_two_faces_overlap_both_tracks_end_and_are_mixed() -> None:
    look = crossing()
    clear = [t for t in look.tracks if not t.mixed]
    together = [n for n in range(21) if face(60 + 4 * n).box.iou(face(140 - 4 * n).box) > 0.3]
    assert together
    assert any(t.mixed for t in look.tracks)
    for track in clear:
        assert not set(together) & {int(f) for f in track.frames}
        assert track.span[1] < together[0] or track.span[0] > together[-1], "no clear track goes on through an overlap"


def test_tracks_that_part_leave_no_frame_open() -> None:
    look = crossing()
    planned = covers(look, {t.index for t in look.tracks}, WIDTH, HEIGHT, RATE)
    for n in range(21):
        for found in (face(60 + 4 * n), face(140 - 4 * n)):
            assert any((box := c.at(n)) and holds(box, found.box) for c in planned), n


@pytest.mark.parametrize("missing", [1, 2, 9])
def test_a_gap_before_or_after_an_overlap_is_bridged_too(missing: int) -> None:
    apart, near, nobody = [face(60), face(160)], [face(60), face(75)], [[] for _ in range(missing)]
    frames = [*[apart] * 5, *nobody, *[near] * 5, *nobody, *[apart] * 9]
    look = follow(frames)
    assert any(t.mixed for t in look.tracks)
    planned = covers(look, {t.index for t in look.tracks}, WIDTH, HEIGHT, RATE)
    for n in range(len(frames)):
        assert any((box := c.at(n)) and holds(box, face(60).box) for c in planned), n


def test_the_frame_in_which_two_faces_meet_is_nobodys_best_nor_looked_at() -> None:
    for track in crossing().tracks:
        assert not track.mixed or first_samples(track, RATE) == ()
        assert track.scores[best(track)] > 0


def test_two_findings_of_one_frame_are_two_faces() -> None:
    """The second detector saw two where the fast one saw one: nobody may take them for one."""
    tracker = Tracker(RATE)
    for n in range(5):
        tracker.step(n, [face(100)], [], False)
        tracker.amend(n, [face(100), face(115)])
    look = tracker.finish(5)
    assert len({int(t.boxes[0][0]) for t in look.tracks}) == 2
    assert all(t.mixed for t in look.tracks if t.span[1] == 4)


def test_the_same_finding_twice_loses_neither() -> None:
    twin = [face(), face()]
    look = follow([twin, twin[:1], twin, twin])
    for frame in range(4):
        assert lies_in(look, frame, face())
    assert sum(3 in t.frames for t in look.tracks) == 2


def test_a_camera_that_pans_takes_its_faces_along() -> None:
    """A face that stands still in the scene is one track, though it is elsewhere in each frame and lost between."""
    moved = Similarity(1 + 0j, complex(-35, 0))
    tracker = Tracker(RATE)
    for n in range(8):
        tracker.step(
            n, [face(280 - 35 * n, side=30)] if n in {0, 1, 6, 7} else [], (), False, moved=moved if n else STILL
        )
    (track,) = tracker.finish(8).tracks
    assert track.span == (0, 7)


def test_the_second_detector_looks_again_where_much_of_the_picture_is_new() -> None:
    pan, rhythm = Similarity(1 + 0j, complex(-0.11 * WIDTH, 0)), Rhythm(25, (WIDTH, HEIGHT))
    assert [n for n in range(9) if rhythm.due(n, False, pan if n else STILL)] == [0, 3, 6]
