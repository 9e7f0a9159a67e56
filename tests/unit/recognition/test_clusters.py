"""Clusters of unknown faces: nobody twice in a photo, every two faces alike."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.types import Box, Detection, Face
from pipeline.recognition.clusters import ALIKE, Unknown, clusters
from pipeline.recognition.matching import EngineScale

ENGINES = {"one": EngineScale(0.0, 0.1)}


def unknown(item: int, index: int, angle: float, described: bool = True) -> Unknown:
    vector = np.array([np.cos(angle), np.sin(angle)], np.float32)
    found = Detection(Box(0, 0, 50, 50), 0.9, None, ("yunet",))
    return Unknown(item, Face(index, found, {"one": vector} if described else {}, sharpness=index))


def test_the_same_face_in_three_photos_is_one_cluster_and_the_clearest_comes_first() -> None:
    found = clusters([unknown(1, 0, 0), unknown(2, 3, 0.1), unknown(3, 1, 0.2), unknown(3, 2, 1.5)], ENGINES)
    assert [[u.item for u in c] for c in found] == [[2, 3, 1], [3]]


def test_two_alike_faces_of_one_photo_stay_apart() -> None:
    assert [len(c) for c in clusters([unknown(1, 0, 0), unknown(1, 1, 0.01)], ENGINES)] == [1, 1]


def test_a_face_that_was_not_described_stands_alone_and_nothing_is_lost() -> None:
    assert [len(c) for c in clusters([unknown(1, 0, 0, False), unknown(2, 0, 0, False)], ENGINES)] == [1, 1]
    assert clusters([], ENGINES) == []


@given(st.lists(st.tuples(st.integers(1, 5), st.floats(0, 6.28)), max_size=14), st.randoms())
def test_every_two_faces_of_a_cluster_are_alike_and_of_two_photos(
    faces: list[tuple[int, float]], random: object
) -> None:
    seen = [unknown(item, n, angle) for n, (item, angle) in enumerate(faces)]
    found = clusters(seen, ENGINES)
    assert sorted(u.face.index for c in found for u in c) == list(range(len(seen)))
    for c in found:
        for a, b in combinations(c, 2):
            assert a.item != b.item
            assert a.face.embeddings["one"] @ b.face.embeddings["one"] >= ALIKE * 0.1 - 1e-6
    random.shuffle(seen)  # type: ignore[attr-defined]
    assert clusters(seen, ENGINES) == found
