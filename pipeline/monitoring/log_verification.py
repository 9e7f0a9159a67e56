"""The verification of the log, for the command line, the console and the alarms alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pipeline.errors import BeeldwachtError, StartupError
from pipeline.log import files, signed_heads
from pipeline.log.chain import Entry, Flaw, Head, Verified, differences, exchanges, flaws, head_flaws, reach, restores
from pipeline.log.signed_heads import FILE, link
from pipeline.log.signing_key import HeadKey
from pipeline.store import Journal


class LogCheck:
    """One look at everything that says what the log was. `locked` keeps others from writing meanwhile."""

    def __init__(
        self,
        journal: Journal,
        folder: Path,
        key: HeadKey,
        rhythm: int,
        locked: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._journal = journal
        self._folder = folder
        self._key = key
        self._rhythm = rhythm
        self._locked = locked
        self._hashes: dict[int, str] = {}
        self._last = 0

    def run(self, anchor: Path | None, configured: Path | None) -> Verified:
        """Look at it all. Raises StartupError when the copy `anchor` cannot be read."""
        found: list[Flaw] = []
        notes: list[str] = []
        with self._locked():  # else an entry could come into one and not yet into the other
            here, problem = self._heads(self._folder / FILE)
            found += problem
            there: Sequence[Head] = ()
            place = anchor or configured
            if place is not None:
                there = self._elsewhere(place, anchor is not None, found, notes)
            wanted = {h.seq for h in (*here, *there)}
            found += flaws(self._noted(wanted))
            try:
                found += differences(self._journal.entries(), files.read(self._folder))
            except ValueError as e:
                found.append(Flaw(0, str(e), "copy"))
        try:
            signed = self._signed(here, there, place, found, notes)
        except BeeldwachtError as e:
            found.append(Flaw(0, str(e), "signature"))
            signed = (None, None)
        own, outside = signed
        return Verified(
            self._last,
            tuple(sorted(set(found), key=lambda f: (f.seq, f.kind))),
            own.seq if own else 0,
            own.at if own else "",
            outside.seq if outside else 0,
            tuple(dict.fromkeys(notes)),
        )

    def _signed(
        self, here: Sequence[Head], there: Sequence[Head], place: Path | None, found: list[Flaw], notes: list[str]
    ) -> tuple[Head | None, Head | None]:
        if not here and self._key.made_here():
            found.append(Flaw(0, f"the signed heads in {FILE} are gone: there is a key, so there were some", "heads"))
        if not here and not there:
            return None, None
        genuine = self._key.verifier(here)
        if here:
            found += head_flaws(here, self._hashes, self._last, genuine, link, "signed here")
            notes += [*restores(here, genuine), *exchanges(here, genuine)]
        outside = self._key.verifier(there, here)
        if there:
            found += head_flaws(there, self._hashes, self._last, outside, link, f"signed copy in {place}")
            notes += [*restores(there, outside), *exchanges(there, outside)]
            shared = min(len(here), len(there))
            if list(here[:shared]) != list(there[:shared]) or len(here) < len(there):
                found.append(Flaw(0, f"the heads here are not those of the copy in {place}", "heads"))
            elif len(there) < len(here):
                notes.append(f"the copy in {place} is {len(here) - len(there)} heads behind")
        own = reach(here, self._hashes, genuine) if here else None
        missing = self._last - (own.seq if own else 0)
        if here and missing >= 2 * self._rhythm:
            found.append(
                Flaw(
                    self._last - missing + 1,
                    f"{missing} entries are not signed: that should have happened after {self._rhythm}",
                    "unsigned",
                )
            )
        return own, reach(there, self._hashes, outside) if there else None

    def _noted(self, wanted: set[int]) -> Iterator[Entry]:
        for entry in self._journal.entries():
            self._last = max(self._last, entry.seq)
            if entry.seq in wanted:
                self._hashes[entry.seq] = entry.hash
            yield entry

    def _heads(self, file: Path) -> tuple[Sequence[Head], list[Flaw]]:
        try:
            return signed_heads.read(file), []
        except (ValueError, OSError) as e:
            return (), [Flaw(0, f"the signed heads cannot be read: {e}", "heads")]

    def _elsewhere(self, place: Path, asked: bool, found: list[Flaw], notes: list[str]) -> Sequence[Head]:
        file = place / FILE if place.is_dir() else place
        try:
            if not file.is_file():
                raise FileNotFoundError(f"{file}: there is no copy of the heads here")
            return signed_heads.read(file)
        except ValueError as e:
            found.append(Flaw(0, f"the copy elsewhere cannot be read: {e}", "heads"))
        except OSError as e:
            if asked:
                raise StartupError(str(e), "Name the file heads.jsonl, or the folder that holds it.") from e
            notes.append(f"the copy elsewhere could not be compared: {e}")
        return ()
