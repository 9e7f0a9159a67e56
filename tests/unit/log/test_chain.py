"""The chain of the log shows every change, wherever it is."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pipeline.log import chain as log_chain


def chain(count: int) -> list[log_chain.Entry]:
    entries, previous = [], log_chain.GENESIS
    for seq in range(1, count + 1):
        body = log_chain.canonical({"n": seq, "text": "é"})
        entry = log_chain.seal(seq, f"2026-11-01T00:00:{seq:02d}", "item.decided", "service", seq, body, previous)
        entries.append(entry)
        previous = entry.hash
    return entries


def test_a_whole_chain_has_no_flaws() -> None:
    assert list(log_chain.flaws(chain(20))) == []


@given(st.integers(0, 19), st.sampled_from(["at", "kind", "actor", "body", "item_id"]))
def test_a_changed_entry_is_found_where_it_is(place: int, field: str) -> None:
    entries = chain(20)
    old = getattr(entries[place], field)
    entries[place] = replace(entries[place], **{field: 99 if isinstance(old, int) else old + " "})
    assert [f.seq for f in log_chain.flaws(entries)] == [place + 1]


@given(st.integers(0, 18))
def test_a_removed_entry_is_found(place: int) -> None:
    entries = chain(20)
    del entries[place]
    assert any("missing" in f.what for f in log_chain.flaws(entries))


@given(st.permutations(list(range(6))))
def test_another_order_is_found(order: list[int]) -> None:
    entries = chain(6)
    moved = [entries[i] for i in order]
    assert bool(list(log_chain.flaws(moved))) == (moved != entries)


def test_an_entry_resealed_after_a_change_breaks_the_next_one() -> None:
    entries = chain(5)
    e = entries[2]
    entries[2] = log_chain.seal(e.seq, e.at, e.kind, "someone else", e.item_id, e.body, e.previous)
    assert [f.seq for f in log_chain.flaws(entries)] == [4]


def test_the_copy_in_the_files_shows_what_the_table_lost() -> None:
    entries = chain(10)
    assert list(log_chain.differences(entries, entries)) == []
    assert [f.seq for f in log_chain.differences(entries[:7], entries)] == [8, 9, 10]
    assert [f.seq for f in log_chain.differences(entries, [*entries[:3], *entries[4:]])] == [4]


def test_the_copy_shows_a_chain_that_was_computed_anew() -> None:
    entries = chain(3)
    forged, previous = [], log_chain.GENESIS
    for e in entries:
        new = log_chain.seal(e.seq, e.at, e.kind, "forger", e.item_id, e.body, previous)
        forged.append(new)
        previous = new.hash
    assert list(log_chain.flaws(forged)) == []
    assert len(list(log_chain.differences(forged, entries))) == 3


@given(st.integers(1, 5))
def test_an_entry_survives_its_line(seq: int) -> None:
    entry = chain(5)[seq - 1]
    assert log_chain.from_line(log_chain.to_line(entry)) == entry
