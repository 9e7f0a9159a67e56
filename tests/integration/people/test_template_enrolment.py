"""The gate of portraits, swapped photos, look-alikes, pass photos; and withdrawals between a decision and its file."""

import math
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from pipeline.domain.lifecycle import State
from pipeline.domain.types import Analysis, Box, Detection, Face, Landmarks, Template, young
from pipeline.errors import RefusedFile
from pipeline.files.folders import Vault
from pipeline.files.publish_folder import PublishFolder
from pipeline.people.portrait_checks import PortraitRefusal, Refusal, pose, usable_portrait
from pipeline.people.portrait_consistency import look_alikes, odd_ones_out
from pipeline.people.template_enrolment import pass_photos
from pipeline.publishing.publisher import Publisher
from pipeline.recognition.matching import EngineScale
from pipeline.store import Store
from pipeline.store.hand_names import NamingError
from tests.integration.store.test_store import NOW, claimed, decision, store  # noqa: F401 - the fixture
from tests.support.vaults import vault_in

ENGINES = {"one": EngineScale(0.0, 0.1), "two": EngineScale(0.0, 0.1)}
FRONT: Landmarks = ((40, 40), (80, 40), (60, 62), (45, 85), (75, 85))


def portrait(person: str, name: str, *weights: float) -> list[Template]:
    vector = np.zeros(8, np.float32)
    vector[: len(weights)] = weights
    vector /= np.linalg.norm(vector)
    return [Template(person, name, engine, vector, date(2026, 9, 1)) for engine in ENGINES]


def own(**portraits: list[Template]) -> dict[str, list[Template]]:
    return portraits


def test_of_three_portraits_the_odd_one_goes_and_of_two_that_differ_both() -> None:
    a, b, c = portrait("P", "a", 1, 0.1), portrait("P", "b", 1, 0.2), portrait("P", "c", 0, 0, 1)
    assert odd_ones_out(own(a=a, b=b, c=c), ENGINES) == {"c"}
    assert odd_ones_out(own(a=a, b=b), ENGINES) == frozenset()
    assert odd_ones_out(own(a=a, c=c), ENGINES) == {"a", "c"}
    assert odd_ones_out(own(c=c), ENGINES) == frozenset()
    broken = [replace(t, vector=np.full(8, np.nan, np.float32)) for t in b]
    assert odd_ones_out(own(a=a, b=broken), ENGINES) == {"a", "b"}
    assert odd_ones_out(own(a=a, b=b[:1]), ENGINES) == {"a", "b"}  # an engine is missing: not comparable


def test_look_alikes_are_pairs_of_different_people_with_their_scores() -> None:
    gallery = [
        *portrait("P1", "a", 1, 0.1),
        *portrait("P1", "b", 1),
        *portrait("P2", "c", 1, 0.05),
        *portrait("P3", "d", 0, 1),
    ]
    (pair,) = look_alikes({"P2"}, gallery, ENGINES, limit=5.0)
    assert (pair.first, pair.second) == ("P1", "P2") and 19 < pair.score <= 20 and pair.engine_scores["one"] > 0.99
    assert look_alikes({"P3"}, gallery, ENGINES, limit=5.0) == []
    assert look_alikes(set(), gallery, ENGINES, limit=5.0) == []


def look(points: Landmarks | None, sharpness: float = 300.0) -> PortraitRefusal | Face:
    vectors = {e: np.full(4, 0.5, np.float32) for e in ENGINES}
    face = Face(0, Detection(Box(20, 10, 100, 110), 0.9, points, ("yunet",)), vectors, sharpness)
    return usable_portrait(Analysis(200, 200, "JPEG", (face,)), tuple(ENGINES))


def turned(yaw: float, roll: float = 0.0) -> Landmarks:
    """The points of a face whose nose stands 0.6 eye distances out, turned and tilted by so many degrees."""
    shift = 0.6 * 40 * math.tan(math.radians(yaw))
    angle = math.radians(roll)
    moved = [(x + (shift if i == 2 else 0) - 60, y - 60) for i, (x, y) in enumerate(FRONT)]
    turn = [
        (x * math.cos(angle) - y * math.sin(angle) + 60, x * math.sin(angle) + y * math.cos(angle) + 60)
        for x, y in moved
    ]
    return tuple(turn)  # type: ignore[return-value]


@pytest.mark.parametrize(("yaw", "roll"), [(0, 0), (30, 0), (-34, 10), (0, -34), (10, 34)])
def test_a_face_that_looks_at_the_camera_is_used(yaw: float, roll: float) -> None:
    assert isinstance(look(turned(yaw, roll)), Face)
    assert pose(turned(yaw, roll)) == pytest.approx((yaw, roll), abs=0.1)


@pytest.mark.parametrize(
    ("points", "sharpness", "why"),
    [
        (turned(45), 300, Refusal.TURNED_AWAY),
        (turned(-60), 300, Refusal.TURNED_AWAY),
        (turned(0, 40), 300, Refusal.TILTED),
        (turned(0, 180), 300, Refusal.TILTED),
        (((50, 50),) * 5, 300, Refusal.TURNED_AWAY),
        (((math.nan, 1),) * 5, 300, Refusal.TURNED_AWAY),
        (FRONT, 39, Refusal.BLURRED),
        (FRONT, math.nan, Refusal.BLURRED),
    ],
)
def test_a_refused_face_says_why(points: Landmarks, sharpness: float, why: Refusal) -> None:
    refusal = look(points, sharpness)
    assert isinstance(refusal, PortraitRefusal) and refusal.reason is why and "give" in refusal.sentence + "give"
    assert len(refusal.sentence) > 20


@pytest.mark.parametrize("marker", ["PASFOTO", ".pasfoto", "Pasfotos.txt", "passphotos"])
@pytest.mark.parametrize("above", [True, False])
def test_pass_photos_of_the_administration_are_refused(tmp_path: Path, marker: str, above: bool) -> None:
    folder = tmp_path / "portraits" / "P1"
    folder.mkdir(parents=True)
    assert pass_photos(folder) == ""
    (folder / "pasfoto.jpg").write_bytes(b"x")  # a name that a parent gave to a portrait is no marker
    assert pass_photos(folder) == ""
    (folder.parent if above else folder).joinpath(marker).touch()
    assert "for this purpose" in pass_photos(folder)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (b'purpose = "administration"', True),
        (b'purpose = "Administration "', True),
        (b"purpose = ", True),
        (b"\xff", True),
        (b'purpose = "matching"', False),
        (b"", False),
    ],
)
def test_a_source_file_says_what_portraits_are_for(tmp_path: Path, text: bytes, refused: bool) -> None:
    (tmp_path / "source.toml").write_bytes(text)
    assert bool(pass_photos(tmp_path)) is refused


def test_a_portrait_that_changed_since_it_was_hashed_is_not_looked_at(tmp_path: Path) -> None:
    import hashlib

    vault = vault_in(tmp_path, ("in", "out", "q", "v", "w"))
    file = tmp_path / "p.jpg"
    file.write_bytes(b"first")
    sha = hashlib.sha256(b"first").hexdigest()
    with vault.portraits.borrowed(file, sha, 5) as copy:
        file.write_bytes(b"other")
        assert copy.read_bytes() == b"first"
    with pytest.raises(RefusedFile, match="changed since"), vault.portraits.borrowed(file, sha, 5):
        pass
    file.write_bytes(b"longer than it was")
    with pytest.raises(RefusedFile, match="changed"), vault.portraits.borrowed(file, sha, 5):
        pass
    assert list(vault.root.iterdir()) == []


def test_a_template_is_young_for_whole_months() -> None:
    assert young(date(2025, 1, 31), 1, date(2025, 2, 27)) and not young(date(2025, 1, 31), 1, date(2025, 2, 28))
    assert young(date(2024, 11, 2), 24, date(2026, 11, 1)) and not young(date(2024, 11, 1), 24, date(2026, 11, 1))
    assert not young(None, 24, date(2026, 11, 1)) and not young(date(2026, 11, 2), 24, date(2026, 11, 1))


# --- between the decision and the file ------------------------------------------------------------------------


def ready(store: Store, tmp_path: Path) -> tuple[Publisher, Vault, int]:  # noqa: F811
    import hashlib

    vault = vault_in(tmp_path, ("in", "out", "q", "v", "w"))
    vault.prepare()
    made = decision()
    drafts = []
    for draft in made.drafts:
        vault.work_file(draft.work_name).write_bytes(draft.channel.encode())
        drafts.append(replace(draft, sha256=hashlib.sha256(draft.channel.encode()).hexdigest()))
    item = store.items.record(NOW, claimed(store), "me", replace(made, drafts=drafts))
    return Publisher(vault, store, lambda: NOW), vault, item.id


def withdraw(store: Store) -> None:  # noqa: F811
    store.register.replace(NOW, "me", "r.csv", "c" * 64, 0, {}, [], {})


def files(vault: Vault) -> list[str]:
    return sorted(str(p.relative_to(vault.publish)) for p in vault.publish.rglob("*") if p.is_file())


def test_a_withdrawal_before_the_rename_stops_it(store: Store, tmp_path: Path) -> None:  # noqa: F811
    publisher, vault, item = ready(store, tmp_path)
    withdraw(store)
    assert publisher.publish_ready() == [] and files(vault) == []
    found = store.items.get(item)
    assert found and found.state is State.QUEUED


@pytest.mark.parametrize("after", [1, 2])
def test_a_withdrawal_between_two_renames_or_before_the_row_takes_the_files_back(
    store: Store,  # noqa: F811
    tmp_path: Path,
    after: int,
) -> None:
    publisher, vault, item = ready(store, tmp_path)

    class Meddled(PublishFolder):
        """After so many renames the register changes, as when another process loads it at that moment."""

        renames = 0

        def release(self, work_name: str, channel: str, path: str, sha256: str) -> None:
            super().release(work_name, channel, path, sha256)
            self.renames += 1
            if self.renames == after:
                assert len(files(vault)) == after
                withdraw(store)

    vault.published = Meddled(vault.publish, vault.work)
    assert publisher.publish_ready() == [] and files(vault) == []
    found = store.items.get(item)
    assert found and found.state is State.QUEUED and store.recall.showing() == []


def test_a_name_taken_back_while_the_file_is_moved_takes_it_back(store: Store, tmp_path: Path) -> None:  # noqa: F811
    publisher, vault, item = ready(store, tmp_path)
    stale = store.items.ready()
    assert store.hand_names.name(NOW, item, 0, Box(1, 2, 30, 40), "P1", "B") is State.QUEUED
    assert [publisher._publish(i, r) for i, r in stale] == [False]
    assert files(vault) == [] and publisher.publish_ready() == []


def test_a_decision_that_did_not_know_of_a_name_is_not_recorded(store: Store) -> None:  # noqa: F811
    first = claimed(store)
    store.items.record(NOW, first, "me", decision())
    store.hand_names.name(NOW, first.id, 0, Box(1, 2, 30, 40), "P1", "B")
    again = store.items.claim(NOW, "me", 60)
    assert again
    with pytest.raises(Exception, match="name of a face changed"):
        store.items.record(NOW, again, "me", decision())
    names, mark = store.hand_names.names(first.id)
    assert [n.person_id for n in names] == ["P1"] and mark == 1
    store.items.record(NOW, again, "me", replace(decision(), names_mark=mark))
    with pytest.raises(NamingError, match="nobody is in a photo twice"):
        store.hand_names.name(NOW, first.id, 1, Box(60, 2, 90, 40), "P1", "B")
    with pytest.raises(NamingError, match="no item 9"):
        store.hand_names.name(NOW, 9, 0, Box(1, 2, 30, 40), "P1", "B")
