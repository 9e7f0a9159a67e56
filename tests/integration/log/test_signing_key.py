"""The exchange of the key that signs the log: what was signed before stays verifiable, and an old key signs no more."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.errors import BeeldwachtError
from pipeline.log import chain, signed_heads
from pipeline.log.chain import EXCHANGED, Head
from pipeline.log.signed_heads import FILE
from pipeline.log.signing_key import HeadKey, _signed
from tests.integration.log.test_signed_heads import EVERY, Site, entries_of, forge, recomputed


def exchange(site: Site) -> str:
    newest = site.store.journal.newest()
    assert newest
    return site.heads.exchange_key(newest.seq, newest.hash)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A log over which the key was exchanged twice."""
    (tmp_path / "site").mkdir()
    one = Site(tmp_path / "site")
    one.write(EVERY + 2)
    shutil.copy(one.home / "keys" / "log.key", tmp_path / "first.key")
    exchange(one)
    one.write(EVERY + 2)
    exchange(one)
    one.write(EVERY + 2)
    return one


def heads(site: Site) -> list[Head]:
    return signed_heads.read(site.home / "log" / FILE)


def old_key(site: Site) -> HeadKey:
    """What somebody can sign with who found the first key."""
    shutil.copytree(site.home / "keys", site.home.parent / "stolen" / "keys")
    place = site.home.parent / "stolen" / "keys" / "log.key"
    place.unlink()
    shutil.copy(site.home.parent / "first.key", place)
    return Site.key_in(site.home.parent / "stolen")


def test_what_every_key_signed_is_verified_and_the_exchanges_are_told(site: Site) -> None:
    kinds = [h.kind for h in heads(site)]
    assert kinds.count(EXCHANGED) == 2 and len({h.key for h in heads(site)}) == 3
    found = site.verify(anchor=True)
    assert found.flaws == () and found.signed_until == found.anchored_until == 2 * (EVERY + 2) + EVERY
    assert sum("was exchanged" in n for n in found.notes) == 2
    assert not list((site.home / "keys").glob("*.next"))
    assert len(list((site.home / "keys").iterdir())) == 1  # the old keys are needed no more


def test_an_entry_of_any_keys_time_cannot_be_changed(site: Site) -> None:
    entries = entries_of(site.home)
    for n in range(0, 2 * (EVERY + 2) + EVERY, 5):
        e = entries[n]
        changed = chain.seal(n + 1, e.at, "item.held", "x", None, e.body, e.previous)
        forge(site.home, recomputed([*entries[:n], changed, *entries[n + 1 :]]))
        first = site.verify().flaws[0]
        assert first.kind == "recomputed" and first.seq <= n + 1 <= first.seq + EVERY, n


def test_who_has_an_old_key_can_neither_sign_on_nor_end_the_log_before_its_exchange(site: Site) -> None:
    file, all_heads = site.home / "log" / FILE, heads(site)
    thief, entries = old_key(site), entries_of(site.home)

    def lay(forged: list[Head]) -> set[str]:
        file.write_text("".join(f"{signed_heads.to_line(h)}\n" for h in forged))
        return {f.kind for f in site.verify().flaws}

    after = Head("head", entries[-1].seq, entries[-1].hash, all_heads[-1].at, signed_heads.link(all_heads[-1]))
    stolen, _ = thief.source.read()
    assert stolen
    assert lay([*all_heads, _signed(after, stolen)]) == {"signature"}
    first = next(n for n, h in enumerate(all_heads) if h.kind == EXCHANGED)
    assert "signature" in lay(all_heads[:first])
    last = replace(
        after,
        seq=all_heads[first - 1].seq,
        hash=all_heads[first - 1].hash,
        previous=signed_heads.link(all_heads[first - 1]),
    )
    assert "signature" in lay([*all_heads[:first], _signed(last, stolen)])
    anew = _signed(replace(all_heads[first], at="2026-11-01T00:00:00+00:00"), stolen)
    assert "heads" in lay([*all_heads[:first], anew, *all_heads[first + 1 :]])
    for field in ("public", "following", "key"):
        other = replace(all_heads[first], **{field: "A" * 43 + "=" if field != "key" else "0" * 16})
        assert lay([*all_heads[:first], other, *all_heads[first + 1 :]]) >= {"signature"}, field
    assert lay(all_heads) == set()


def test_power_lost_at_any_byte_and_before_any_step_is_finished_by_running_on(tmp_path: Path) -> None:
    """The one write cut off, with the next key made and not yet in its place."""
    (tmp_path / "a").mkdir()
    one = Site(tmp_path / "a")
    one.write(3)
    file, keys = one.home / "log" / FILE, one.home / "keys"
    before, first_key = file.read_bytes(), (keys / "log.key").read_bytes()
    exchange(one)
    written, next_key = file.read_bytes()[len(before) :], (keys / "log.key").read_bytes()
    one.store.close()
    lines = written.count(b"\n")
    assert lines == 2
    border = written.index(b"\n") + 1
    for length in (0, 1, border - 1, border, border + 1, len(written) - 1, len(written)):
        home = tmp_path / str(length)
        shutil.copytree(one.home, home)
        (home / "keys" / "log.key").chmod(0o600)
        (home / "keys" / "log.key").write_bytes(first_key)
        (home / "keys" / "log.key").chmod(0o400)
        (home / "keys" / "log.key.next").write_bytes(next_key)
        (home / "keys" / "log.key.next").chmod(0o400)
        (home / "log" / FILE).write_bytes(before + written[:length])
        (home / "elsewhere" / FILE).write_bytes(before)
        site = Site(home)
        site.now = one.now
        assert site.verify().flaws == (), length
        site.write(EVERY)
        assert site.verify(anchor=True).flaws == (), length
        exchange(site)  # and again
        site.write(EVERY)
        found = site.verify(anchor=True)
        assert found.flaws == () and found.signed_until > EVERY, length
        site.store.close()


def test_a_service_that_was_given_the_old_key_signs_nothing(site: Site, tmp_path: Path) -> None:
    place = site.home / "keys" / "log.key"
    place.unlink()
    shutil.copy(tmp_path / "first.key", place)
    count = len(heads(site))
    site.write(2 * EVERY)
    assert len(heads(site)) == count
    with pytest.raises(BeeldwachtError, match="not the one that signs the log now"):
        exchange(site)
    assert {f.kind for f in site.verify().flaws} >= {"signature"}


def test_a_copy_elsewhere_that_missed_the_exchange_is_still_believed(site: Site) -> None:
    """The share was away: its newest head is of the first key, which only the heads here can vouch for."""
    first = next(n for n, h in enumerate(heads(site)) if h.kind == EXCHANGED)
    copy = site.home / "elsewhere" / FILE
    lines = copy.read_text().splitlines(keepends=True)
    copy.write_text("".join(lines[:first]))
    found = site.verify(anchor=True)
    assert found.flaws == () and found.anchored_until == json.loads(lines[first - 1])["seq"]
    assert any("heads behind" in n for n in found.notes)


def test_heads_of_before_there_were_exchanges_read_and_link_as_ever(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.write(EVERY + 1)
    for line in (tmp_path / "log" / FILE).read_text().splitlines():
        assert set(json.loads(line)) == {"kind", "seq", "hash", "at", "previous", "key", "signature"}


def test_a_quiet_day_has_its_head_and_the_copy_elsewhere_too(tmp_path: Path) -> None:
    """One entry, then nothing for days: signed and copied after the rhythm's time, and then a head every day."""
    site = Site(tmp_path)
    site.write(1)
    site.write(1)  # not signed yet: no ten entries, no twelve hours
    assert site.verify().signed_until == 1
    site.now += timedelta(days=1)
    site.files.append(site.store.journal.entries)  # what the service does every two seconds
    assert site.verify(anchor=True).anchored_until == 2
    count = len(heads(site))
    for _ in range(5 * 24):
        site.now += timedelta(hours=1)
        site.files.append(site.store.journal.entries)
    assert len(heads(site)) == count + 5
    days = {h.at[:10] for h in signed_heads.read(site.home / "elsewhere" / FILE)}
    assert len(days) >= 6
    site.now -= timedelta(days=400)  # a clock that is set back does not silence it until it has caught up
    site.files.append(site.store.journal.entries)
    assert len(heads(site)) == count + 6
    assert site.verify(anchor=True).flaws == ()
