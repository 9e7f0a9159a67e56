"""What the law asks to be written down, from the configuration that runs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pipeline import output
from pipeline.commands.common import ConfigOption, JsonOption, opened
from pipeline.officer import privacy_notice, processing_record, record_facts

app = typer.Typer(
    no_args_is_help=True, help="The record of processing, the facts for an impact assessment, and the word to parents."
)


class Language(StrEnum):
    """In which language."""

    EN = "en"
    NL = "nl"


LanguageOption = Annotated[Language | None, typer.Option("--language", help="Default: the configured language.")]


@app.command("art30")
def art30(language: LanguageOption = None, config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Print the record of processing activities (GDPR art. 30) as Markdown or JSON.

    Example: beeldwacht records art30 > record.md
    """
    _show("art30", language, config_file, json_out)


@app.command("dpia")
def dpia(language: LanguageOption = None, config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Print the facts for a data protection impact assessment (GDPR art. 35): engines, thresholds, periods, numbers.

    Example: beeldwacht records dpia > facts.md
    """
    _show("dpia", language, config_file, json_out)


@app.command("notice")
def notice(language: LanguageOption = None, config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Print what parents are told (GDPR art. 13): one page in plain words, as Markdown or JSON.

    Example: beeldwacht records notice --language nl > notice.md
    """
    with opened(config_file) as application:
        spoken = str(language or application.settings.language)
        if json_out:
            output.as_json(privacy_notice.notice(application.settings, spoken))
        else:
            print(privacy_notice.text(application.settings, spoken))


def _show(kind: str, language: Language | None, config_file: ConfigOption, json_out: bool) -> None:
    with opened(config_file) as application:
        spoken = str(language or application.settings.language)
        chapters = record_facts.chapters(kind, application.context, spoken)
        title = record_facts.title(kind, application.context, spoken)
    if json_out:
        output.as_json(chapters)
    else:
        print(processing_record.markdown(title, chapters))
