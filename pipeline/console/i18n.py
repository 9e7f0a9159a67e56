"""Dutch and English. Messages are written in English in code and templates; locale/nl/console.po has them in Dutch.

The catalogue is compiled when the console starts: nothing generated is kept.
"""

from __future__ import annotations

import gettext
import io
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path

from babel import Locale, dates, negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("en", "nl")
NAMES = {"en": "English", "nl": "Nederlands"}
LOCALES = Path(__file__).with_name("locale")


class Sentences:
    """What the program says with values in it, such as "Item 7 is held.": the catalogue has it with {} for each value.

    Values that are words of the program themselves (a state, a reason) are translated too.
    """

    def __init__(self, catalogue: gettext.NullTranslations, messages: Iterable[str]) -> None:
        self._catalogue = catalogue
        open_ = sorted((m for m in messages if "{}" in m), key=len, reverse=True)  # the most exact one first
        self._known = [(re.compile(re.escape(m).replace(r"\{\}", "(.+?)"), re.DOTALL), m) for m in open_]

    def translated(self, text: str) -> str:
        """A sentence in this language; as it is when the catalogue does not know it."""
        if not text or (exact := self._catalogue.gettext(text)) != text:
            return text and exact
        for pattern, message in self._known:
            if found := pattern.fullmatch(text):
                return self._catalogue.gettext(message).format(*map(self._word, found.groups()))
        return text

    def _word(self, value: str) -> str:
        return (
            re.sub(r"[a-z_]{3,}", lambda m: self._catalogue.gettext(m[0].replace("_", " ")), value)
            if re.fullmatch(r"[a-z_]+(, [a-z_]+)*", value)
            else value
        )


def catalogues() -> Mapping[str, gettext.NullTranslations]:
    """Language -> its translations. English is what the messages are written in."""
    found: dict[str, gettext.NullTranslations] = {"en": gettext.NullTranslations()}
    with (LOCALES / "nl" / "console.po").open("rb") as f:
        catalogue = read_po(f, locale="nl")
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    found["nl"] = gettext.GNUTranslations(compiled)
    return found


def messages() -> list[str]:
    """Every message that the catalogue has Dutch for."""
    with (LOCALES / "nl" / "console.po").open("rb") as f:
        return [m.id for m in read_po(f) if m.id and isinstance(m.id, str)]


def chosen(cookie: str, accept: str, fallback: str) -> str:
    """The language of a page: the person's choice, else the browser's, else the configuration's."""
    if cookie in LANGUAGES:
        return cookie
    wanted = []
    for part in accept[:200].split(","):
        name, _, quality = part.strip().partition(";q=")
        try:
            wanted.append((float(quality or 1), name.strip().replace("-", "_")))
        except ValueError:
            continue
    ordered = [name for quality, name in sorted(wanted, key=lambda w: -w[0]) if quality > 0]
    return negotiate_locale(ordered, list(LANGUAGES)) or fallback


def moment(value: str | datetime | None, language: str) -> str:
    """A moment in the machine's own time zone, such as "1 Nov 2026, 14:05"; "" for none."""
    if not value:
        return ""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return dates.format_datetime(at.astimezone(), "d MMM y, HH:mm", locale=Locale(language))


def day(value: str | date | None, language: str) -> str:
    """A day, such as "1 Nov 2026"; "" for none."""
    if not value:
        return ""
    at = date.fromisoformat(value[:10]) if isinstance(value, str) else value
    return dates.format_date(at, "d MMM y", locale=Locale(language))
