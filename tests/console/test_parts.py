"""Parts of the console by themselves: spot checks, uploads in pieces, the audit's indexes, likeness in memory."""

from __future__ import annotations

import io
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from pipeline.console.pages.gallery import zip_of
from pipeline.console.pdf import pdf
from pipeline.console.sentences import sentence
from pipeline.console.similar_faces import closest, resemblance
from pipeline.domain.types import Box, Consent, Detection, Face, Medium, Person, Role
from pipeline.errors import ChildRefused
from pipeline.recognition.matching import MatchSettings
from pipeline.rules.spot_check_rate import wilson
from pipeline.store import Store
from pipeline.store.read_models import Search
from pipeline.store.uploads import MOST_OPEN, UploadError
from tests.console.site import PASSWORD, Site

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    one = Store(f"sqlite:///{tmp_path / 'b.db'}")
    yield one
    one.close()


@given(st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_the_rate_that_was_measured(counts: tuple[int, int]) -> None:
    wrong, n = counts
    low, high = wilson(wrong, n)
    assert 0 <= low <= high <= 1
    if n:
        assert low <= wrong / n <= high
        wider = wilson(wrong, n, z=2.6)
        assert wider[0] <= low and high <= wider[1]


def test_the_interval_of_the_textbook() -> None:
    assert wilson(0, 20) == (0.0, pytest.approx(0.1611, abs=1e-4))
    assert wilson(10, 100) == (pytest.approx(0.0552, abs=1e-4), pytest.approx(0.1744, abs=1e-4))
    with pytest.raises(ValueError, match="wrong of"):
        wilson(3, 2)


@pytest.mark.parametrize(
    "search",
    [
        Search(people=("P1",)),
        Search(item=7),
        Search(file="IMG.jpg"),
        Search(event="sports"),
        Search(reason="refused"),
        Search(actor="account:kim"),
        Search(kind="item.decided"),
        Search(since=NOW, until=NOW),
        Search(people=("P1",), reason="refused", before=500),
    ],
    ids=lambda s: ",".join(
        k for k in ("people", "item", "file", "event", "reason", "actor", "kind", "since", "before") if getattr(s, k)
    ),
)
def test_every_way_to_search_the_log_uses_an_index(store: Store, search: Search) -> None:
    with store.database.read() as tx:
        query = (
            store.read_models.search_query(search).limit(50).compile(tx.engine, compile_kwargs={"literal_binds": True})
        )
        plan = [str(row.detail) for row in tx.execute(text(f"EXPLAIN QUERY PLAN {query}"))]
    assert any((" USING " in step and "INDEX" in step) or "PRIMARY KEY" in step for step in plan), plan
    assert not [step for step in plan if step.startswith("SCAN") and " USING " not in step], plan


def test_pieces_come_in_order_and_to_their_owner_only(store: Store) -> None:
    from pipeline.store.accounts import AccountRole

    mine, other = (store.accounts.add(NOW, "t", n, [AccountRole.UPLOADER]).id for n in ("one", "two"))
    first = store.uploads.begin(NOW, mine, "a" * 32, "x.jpg", "trip", 10, 1 << 20)
    assert store.uploads.begin(NOW, mine, "b" * 32, "x.jpg", "trip", 10, 1 << 20).id == first.id  # it goes on
    assert store.uploads.received(mine, first.id, 0, 6).received == 6
    for who, offset, length in ((mine, 0, 4), (mine, 6, 5), (other, 6, 4)):
        with pytest.raises(UploadError):
            store.uploads.received(who, first.id, offset, length)
    with pytest.raises(UploadError):
        store.uploads.get(other, first.id)
    assert store.uploads.received(mine, first.id, 6, 4).received == 10


def test_an_account_begins_so_many_uploads_and_no_more(store: Store) -> None:
    from pipeline.store.accounts import AccountRole

    mine, other = (store.accounts.add(NOW, "t", n, [AccountRole.UPLOADER]).id for n in ("one", "two"))
    for n in range(MOST_OPEN):
        store.uploads.begin(NOW, mine, f"{n:032}", f"{n}.jpg", "trip", 10, 1 << 20)
    with pytest.raises(UploadError, match="Too many"):
        store.uploads.begin(NOW, mine, "a" * 32, "more.jpg", "trip", 10, 1 << 20)
    assert store.uploads.begin(NOW, mine, "a" * 32, "7.jpg", "trip", 10, 1 << 20).id == f"{7:032}"
    assert store.uploads.begin(NOW, other, "a" * 32, "more.jpg", "trip", 10, 1 << 20).id == "a" * 32


def test_a_zip_grows_as_it_is_sent_and_bears_a_film_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1 << 19)  # as if 512 KiB were the 2 GiB of old zips
    film, small, gone = (tmp_path / n for n in ("film.mp4", "small.jpg", "gone.jpg"))
    film.write_bytes(bytes(range(256)) * (1 << 12))
    small.write_bytes(b"small")
    pieces = list(zip_of([("a/film.mp4", film), ("gone.jpg", gone), ("b/small.jpg", small)]))
    assert len(pieces) > 3 and max(map(len, pieces)) < 1 << 19
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as z:
        assert z.testzip() is None and z.namelist() == ["a/film.mp4", "b/small.jpg"]
        assert z.read("a/film.mp4") == film.read_bytes()


def test_a_decision_reads_as_a_sentence_with_article_version_and_row(store: Store) -> None:
    consent = Consent(
        "P1/photo/personal",
        "P1",
        Medium.PHOTO,
        "personal",
        "no",
        None,
        date(2026, 9, 1),
        "f.pdf",  # type: ignore[arg-type]
        "e" * 64,
        None,
        None,
        row_number=212,
    )
    people = {"P1": Person("P1", "Kim", Role.PUPIL, (), None)}
    store.register.replace(NOW, "me", "r.csv", "c" * 64, 1, people, [consent], {})
    verdict = {
        "channel": "personal",
        "shown": False,
        "reason": "refused",
        "article": "A.5",
        "register_version": 1,
        "consent_row": "P1/photo/personal",
        "face": 0,
    }
    english, dutch = (sentence(verdict, language, store.register) for language in ("en", "nl"))
    assert english == "Covered on personal: consent was refused, A.5, register version 1, row 212"
    assert dutch == "Afgedekt op personal: toestemming is geweigerd, A.5, registerversie 1, rij 212"


def face(index: int, seed: int, engines: tuple[str, ...] = ("sface", "dlib")) -> Face:
    rng = np.random.default_rng(seed)
    vectors: dict[str, Any] = {}
    for e in engines:
        v = rng.normal(size=128).astype(np.float32)
        vectors[e] = v / np.linalg.norm(v)
    return Face(index, Detection(Box(0, 0, 50, 50), 0.9, None, ("yunet",)), vectors)


def test_likeness_needs_every_engine_and_tells_one_from_another() -> None:
    rules = MatchSettings()
    same, other = resemblance(face(0, 1), face(1, 1), rules), resemblance(face(0, 1), face(1, 2), rules)
    assert same is not None and other is not None and same > rules.child.threshold > other
    assert resemblance(face(0, 1), face(1, 1, ("sface",)), rules) is None
    found = closest(face(0, 1), [face(0, 2), face(1, 1), face(2, 1)], rules)
    assert found is not None and found[0].index in {1, 2} and found[1] == same  # one of a photo at most
    for strict in (
        replace(rules, adult=replace(rules.adult, threshold=same + 1)),
        replace(rules, child=replace(rules.child, threshold=same + 1)),
    ):
        assert closest(face(0, 1), [face(1, 1)], strict) is None


def test_a_child_that_ended_is_started_again(weights: Path, samples: Path, tmp_path: Path) -> None:
    from pipeline.console.previews import _asked
    from pipeline.sandbox.client import MediaClient
    from pipeline.sandbox.options import MediaOptions

    media_client = MediaClient(MediaOptions(weights, ("yunet",), (), 1, 60.0, 4 << 30, 50_000_000, 100))
    started = threading.Thread(target=media_client.start)  # the child ends with this thread
    started.start()
    started.join()
    time.sleep(0.5)
    assert _asked(media_client, lambda x: x.preview(samples / "biden.jpg", 100)).jpeg.startswith(b"\xff\xd8")
    broken = tmp_path / "no.jpg"
    broken.write_bytes(b"no photo")
    with pytest.raises(ChildRefused):
        _asked(media_client, lambda x: x.preview(broken, 100))
    media_client.close()


def test_a_dossier_is_a_pdf_that_bears_any_name() -> None:
    made = pdf("Logboek Ω", "één regel", [("1 item.decided", ["Şule (测试)", "x" * 3000])], "nl")
    assert made.startswith(b"%PDF-") and len(made) > 1000


def test_an_upload_that_is_cut_off_goes_on_and_lands_in_the_inbox(site: Site, samples: Path) -> None:
    visitor, data = site.as_("uploader"), (samples / "obama3.jpg").read_bytes() + b"\0"
    visitor.get("/upload")
    told = {"name": "../../évil\n<b>.jpg", "size": len(data), "title": "Cut off", "date": "2026-06-12", "kind": "other"}
    begun = visitor.post("/upload/begin", told).json()

    def send(offset: int, piece: bytes) -> Any:
        headers = {"x-csrf-token": visitor.csrf, "upload-offset": str(offset)}
        return visitor.http.put(f"/upload/{begun['id']}", content=piece, headers=headers)

    assert send(0, data[:1000]).json()["received"] == 1000
    other = site.visitor()
    code = site.account("uploader3", "uploader")
    other.get("/welcome")
    other.post("/welcome", {"code": code, "name": "x", "password": PASSWORD, "again": PASSWORD})
    other.get("/upload")
    stolen = other.http.put(
        f"/upload/{begun['id']}", content=b"x", headers={"x-csrf-token": other.csrf, "upload-offset": "1000"}
    )
    assert (stolen.status_code, other.get(f"/upload/{begun['id']}").status_code) == (404, 404)
    assert send(0, data[:1000]).status_code == 409  # the answer was lost, and it is sent again
    again = visitor.post("/upload/begin", told).json()
    assert (again["id"], again["received"]) == (begun["id"], 1000)
    assert send(1000, data[1000:] + b"more").status_code == 409
    assert send(1000, data[1000:]).json()["received"] == len(data)
    assert send(len(data), b"x").status_code == 409
    entries = site.log()
    assert any(e["kind"] == "upload.finished" and e["body"]["bytes"] == len(data) for e in entries)
    landed = [p.name for p in (site.school.inbox / "2026-06-12 Cut off").iterdir()]
    assert any(e["kind"] == "item.arrived" for e in entries) or any(n.endswith(".jpg") for n in landed)
    assert not list(site.school.home.parent.rglob("évil*"))


@pytest.mark.parametrize(
    "told",
    [
        {"size": "0"},
        {"size": "99999999999"},
        {"name": "event.toml"},
        {"date": "never"},
        {"event": "../../etc"},
        {"kind": "x"},
    ],
)
def test_what_cannot_be_uploaded_is_refused_at_once(site: Site, told: dict[str, str]) -> None:
    visitor = site.as_("uploader")
    visitor.get("/upload")
    good = {"name": "a.jpg", "size": "10", "title": "x", "date": "2026-06-12", "kind": "other"}
    assert visitor.post("/upload/begin", {**good, **told}).status_code in {400, 409, 413}
