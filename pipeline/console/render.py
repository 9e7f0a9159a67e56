"""Templates: everything that is put into one is escaped; nothing here marks text as safe."""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from pipeline.console import i18n
from pipeline.console.auth import csrf_of
from pipeline.log_words import note_text
from pipeline.report import clock, reason_text
from pipeline.store.accounts import AccountRole

if TYPE_CHECKING:
    from pipeline.console.routing import Call

TEMPLATES = Path(__file__).with_name("templates")


class Pages:
    """The templates in every language."""

    def __init__(self, school: str) -> None:
        self._texts: Mapping[str, gettext.NullTranslations] = i18n.catalogues()
        self._environments = {language: self._environment(language, school) for language in i18n.LANGUAGES}

    def text(self, language: str, message: str) -> str:
        """A message in a language."""
        return self._texts[language].gettext(message) if message else ""

    def render(self, call: Call, template: str, **values: Any) -> str:
        """A template for a call."""
        return self._environments[call.language].get_template(template).render(
            call=call, csrf=csrf_of(call.token), said=call.query.get("said", "")[:300], **values
        )

    def _environment(self, language: str, school: str) -> Environment:
        env = Environment(
            loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True, extensions=["jinja2.ext.i18n"],
        )  # fmt: skip
        env.install_gettext_translations(self._texts[language], newstyle=True)  # type: ignore[attr-defined]
        env.globals.update(language=language, languages=i18n.NAMES, school=school, Role=AccountRole)

        def moment(value: str | datetime | None) -> str:
            return i18n.moment(value, language)

        def day(value: str | date | None) -> str:
            return i18n.day(value, language)

        @pass_context
        def word(_: Context, value: object) -> str:
            """A word of the program (a state, a role, a reason's code) in the page's language."""
            return self.text(language, str(value).replace("_", " "))

        def note(text: str) -> str:
            return note_text(text, language)

        def why(code: object) -> str:
            return reason_text(str(code), language)

        env.filters.update(clock=clock, moment=moment, day=day, note=note, word=word, why=why)
        return env
