"""The key that originals are sealed under: kept where the key of the templates is, apart from what it seals.

Its id stands in the vault (`vault/.key`), so that a vault is never gone on with under another key: without its key the
originals are lost, and a new one would hide that.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.errors import KeyUnknown
from pipeline.files.originals import MARK, write_mark
from pipeline.files.template_keys import Key, KeyMissing, KeySource

_BACK = "Put that key back, from where you keep a copy: without it the originals cannot be opened."


class OriginalKeys:
    """The key in use, and during an exchange the next one (see pipeline.files.originals.KeyRing)."""

    def __init__(self, source: KeySource, vault: Path) -> None:
        self.source = source
        self._mark = vault / MARK

    def sealing(self) -> Key:
        """See `KeyRing`. Raises KeyMissing when the vault's key is not the one that is here."""
        known = self._known()
        now, following = self.source.read()
        if following is not None and known == following.id:
            self.source.promote()  # an exchange that was stopped before its last step
            now = following
        if now is None and not known:
            now = self.source.make(next_one=False)
        if now is None or known not in {"", now.id}:
            raise KeyMissing(f"{self.source.place}: the key {known} of the originals is not there.", _BACK)
        if not known:
            write_mark(self._mark.parent, now.id)
        return now

    def opening(self, key_id: str) -> Key:
        """See `KeyRing`."""
        found = next((k for k in self.source.read() if k is not None and k.id == key_id), None)
        if found is None:
            raise KeyUnknown(f"{self.source.place}: the key {key_id} of an original is not there.", _BACK)
        return found

    def exchange(self, rewrap: Callable[[Key], int]) -> tuple[int, str]:
        """A next key is made, every original's own key is wrapped under it, then it is the key.

        Killed anywhere, again finishes it. Returns how many originals, and the new key's id.
        """
        self.sealing()
        following = self.source.read()[1] or self.source.make(next_one=True)
        count = rewrap(following)
        self.source.promote()
        return count, following.id

    def _known(self) -> str:
        try:
            return self._mark.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return ""
