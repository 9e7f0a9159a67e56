"""Pure: names of people in the names of files and folders, and what is published instead (protocol, A.2).

Any doubt is a name: a first or family name of anybody in the register that stands in a file's name as a word, in
whatever spelling, is enough. What is lost is a telling file name; an ordinary word that is also somebody's name goes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

_PARTICLES = {
    "van",
    "von",
    "de",
    "der",
    "den",
    "het",
    "ten",
    "ter",
    "te",
    "tot",
    "op",
    "in",
    "aan",
    "bij",
    "uit",
    "over",
    "onder",
    "voor",
    "la",
    "le",
    "les",
    "du",
    "des",
    "da",
    "do",
    "dos",
    "das",
    "di",
    "del",
    "della",
    "el",
    "al",
    "ad",
    "bin",
    "ben",
    "ibn",
    "bint",
    "abu",
    "und",
    "zu",
    "zur",
    "of",
    "the",
    "and",
    "en",
}
"""Parts of names that are no names by themselves."""
_PLAIN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i", "ŋ": "n"}
)
_HUMP = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")
_WORD = re.compile(r"[^\W\d_]+")
_LEAST = 2
_LEAST_JOINED = 6
"""Letters of a whole name from which on it is found inside longer words as well ("annadevries2024")."""


def words(text: str) -> list[str]:
    """The words of a text as they are compared: without case, accents, digits and signs; "AnnaDeVries" is three."""
    parted = _HUMP.sub(" ", unicodedata.normalize("NFC", text))
    return _WORD.findall(_folded(parted))


def _folded(text: str) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return bare.casefold().translate(_PLAIN)


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a register, made ready to be looked for."""

    by_word: Mapping[str, frozenset[str]]
    """Each part of a name, with the ids of the people who bear it."""
    joined: Mapping[str, frozenset[str]]
    """Whole names without spaces, in the order first-last and last-first, with and without particles."""

    def whose(self, text: str) -> frozenset[str]:
        """The ids of everybody of whose name a part stands in this text."""
        found: set[str] = set()
        own = {*words(text), *_WORD.findall(_folded(text))}
        for word in own:
            found |= self.by_word.get(word, frozenset())
            if word.endswith("s"):  # "Annas verjaardag"
                found |= self.by_word.get(word[:-1], frozenset())
        solid = "".join(_WORD.findall(_folded(text)))
        for name, ids in self.joined.items():
            if name in solid:
                found |= ids
        return frozenset(found)


def names_of(people: Mapping[str, str]) -> Names:
    """Make the names of people, by id, ready to be looked for."""
    by_word: dict[str, set[str]] = {}
    joined: dict[str, set[str]] = {}
    for pid, name in people.items():
        every = words(name)
        telling = [w for w in every if w not in _PARTICLES and len(w) >= _LEAST]
        whole = [w for w in _WORD.findall(_folded(name)) if w not in _PARTICLES and len(w) >= _LEAST]  # "McDonald"
        for word in {*telling, *whole}:
            by_word.setdefault(word, set()).add(pid)
        if len(telling) > 1:
            orders = (every, telling, [*every[1:], every[0]], [*telling[1:], telling[0]], [telling[0], telling[-1]])
            for order in orders:
                if len(solid := "".join(order)) >= _LEAST_JOINED:
                    joined.setdefault(solid, set()).add(pid)
    return Names({w: frozenset(i) for w, i in by_word.items()}, {w: frozenset(i) for w, i in joined.items()})


def path_of(event: str, folder: str, stem: str, number: int, event_number: int, names: Names) -> tuple[str, str]:
    """The folder and the stem to publish under. A part that holds somebody's name becomes a word and a number.

    `number` is that of the item; `event_number` one that all items of the event share, so that they stay together.
    """
    parts = [f"event-{event_number}" if names.whose(event) else event]
    parts += [f"part-{n}" if names.whose(p) else p for n, p in enumerate(filter(None, folder.split("/")), start=1)]
    return "/".join(parts), f"file-{number}" if names.whose(stem) else stem
