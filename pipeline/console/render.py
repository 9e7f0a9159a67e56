"""Templates: everything that is put into one is escaped; nothing here marks text as safe."""

from __future__ import annotations

import gettext
import hmac
import secrets
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from pipeline.console import i18n
from pipeline.console.auth import csrf_of
from pipeline.errors import BeeldwachtError
from pipeline.log.sentences import clock, reason_text
from pipeline.log.vocabulary import note_text
from pipeline.store.accounts import AccountRole

TEMPLATES = Path(__file__).with_name("templates")


class Caller(Protocol):
    """What a template needs of the request it answers."""

    language: str
    token: str

    @property
    def query(self) -> Mapping[str, str]:
        """What stands after the question mark."""


class Pages:
    """The templates in every language."""

    def __init__(self, school: str) -> None:
        self._texts: Mapping[str, gettext.NullTranslations] = i18n.catalogues()
        known = i18n.messages()
        self._sentences = {language: i18n.Sentences(texts, known) for language, texts in self._texts.items()}
        self._key = secrets.token_bytes(32)
        self._environments = {language: self._environment(language, school) for language in i18n.LANGUAGES}

    def text(self, language: str, message: str) -> str:
        """A message in a language."""
        return self._texts[language].gettext(message) if message else ""

    def render(self, call: Caller, template: str, **values: Any) -> str:
        """A template for a call."""
        return (
            self._environments[call.language]
            .get_template(template)
            .render(call=call, csrf=csrf_of(call.token), said=self._told(call.query), **values)
        )

    def said(self, language: str, error: BeeldwachtError) -> str:
        """What an error says, in a language. What a command would show is left out: a page shows it."""
        remedy = "" if "beeldwacht " in error.remedy else error.remedy
        return " ".join(filter(None, (self._sentences[language].translated(t) for t in (error.message, remedy))))

    def signed(self, message: str) -> str:
        """Proof that a message in an address is the console's own: nobody else puts words on its pages."""
        return hmac.new(self._key, message.encode(), "sha256").hexdigest()

    def _told(self, query: Mapping[str, str]) -> str:
        message = query.get("said", "")
        ours = hmac.compare_digest(self.signed(message).encode(), query.get("by", "").encode())
        return message if ours else ""

    def _environment(self, language: str, school: str) -> Environment:
        env = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        env.install_gettext_translations(self._texts[language], newstyle=True)  # type: ignore[attr-defined]
        env.globals.update(language=language, languages=i18n.NAMES, school=school, Role=AccountRole)

        def moment(value: str | datetime | None) -> str:
            return i18n.moment(value, language)

        def day(value: str | date | None) -> str:
            return i18n.day(value, language)

        @pass_context
        def word(_: Context, value: object) -> str:
            """A word of the program (a state, a role, a kind of entry) in the page's language."""
            plain = str(value).replace("_", " ")
            said = self.text(language, plain)
            return said if said != plain else plain.replace(".", " ")

        def note(text: str) -> str:
            return note_text(text, language)

        def why(code: object) -> str:
            return reason_text(str(code), language)

        env.filters.update(clock=clock, moment=moment, day=day, note=note, word=word, why=why)
        return env
