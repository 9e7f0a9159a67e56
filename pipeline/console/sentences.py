"""Decisions as sentences for a privacy officer, in the language of the page, and the evidence behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from babel.numbers import format_decimal

from pipeline.domain.types import Reason
from pipeline.rules.reasons import explain
from pipeline.store.register import RegisterStore

_WORDS = {
    "en": {
        "shown": "Shown",
        "covered": "Covered",
        "on": "on",
        "version": "register version",
        "row": "row",
        "closest": "closest to",
        "is": "taken for",
        "score": "score {score:.2f}, needed {threshold:.2f}",
        "runner_up": "the next person {runner_up:.2f}, at least {margin:.2f} behind is needed",
        "named": "named by hand by {named_by}",
        "found": "found by {engines}",
        "rate": "somebody else would pass 1 time in {times}",
        "consent": "consent",
    },
    "nl": {
        "shown": "Zichtbaar",
        "covered": "Afgedekt",
        "on": "op",
        "version": "registerversie",
        "row": "rij",
        "closest": "lijkt het meest op",
        "is": "aangezien voor",
        "score": "score {score:.2f}, nodig {threshold:.2f}",
        "runner_up": "de volgende persoon {runner_up:.2f}, minstens {margin:.2f} lager is nodig",
        "named": "met de hand benoemd door {named_by}",
        "found": "gevonden door {engines}",
        "rate": "een ander zou 1 op {times} keer voldoen",
        "consent": "toestemming",
    },
}


def sentence(verdict: Mapping[str, Any], language: str, register: RegisterStore) -> str:
    """One verdict, such as "Covered on *personal*: consent was refused, A.5, register version 14, row 212"."""
    say = _WORDS[language]
    text = f"{say['shown' if verdict['shown'] else 'covered']} {say['on']} {verdict['channel']}: "
    text += explain(Reason(verdict["reason"]), language)
    if verdict.get("article"):
        text += f", {verdict['article']}"
    if version := verdict.get("register_version"):
        text += f", {say['version']} {version}"
        if row := verdict.get("consent_row"):
            number = register.row_number(int(version), str(row))
            text += f", {say['row']} {number}" if number else f", {say['consent']} {row}"
    return text


def evidence(verdict: Mapping[str, Any], language: str) -> Iterator[str]:
    """What a verdict rests on: who, by what scores, by which engines."""
    say = _WORDS[language]
    if person := verdict.get("person") or verdict.get("candidate"):
        yield f"{say['is' if verdict.get('person') else 'closest']} {person}"
    if verdict.get("named_by"):
        yield say["named"].format(named_by=verdict["named_by"])
    if verdict.get("score") is not None and verdict.get("threshold") is not None:
        yield say["score"].format(score=verdict["score"], threshold=verdict["threshold"])
        if verdict.get("runner_up") is not None and verdict.get("margin") is not None:
            yield say["runner_up"].format(runner_up=verdict["runner_up"], margin=verdict["margin"])
        if verdict.get("false_match_rate"):
            yield say["rate"].format(times=format_decimal(_about(1 / verdict["false_match_rate"]), locale=language))
        if scores := verdict.get("engine_scores"):
            yield ", ".join(f"{k} {v:.3f}" for k, v in scores.items())
    if engines := verdict.get("detected_by"):
        yield say["found"].format(engines=", ".join(engines))


def _about(number: float) -> int:
    """A number to two figures."""
    return int(float(f"{number:.1e}"))
