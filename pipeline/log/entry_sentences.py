"""What each kind of entry of the log says, in English and Dutch. Pure; people and files appear by their ids only.

Decisions are in pipeline.log.sentences. A kind that is not here is told by its bare facts.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.log.item_sentences import ITEMS
from pipeline.log.person_sentences import PEOPLE
from pipeline.log.recall_sentences import RECALLS
from pipeline.log.vocabulary import Body, Lines, Say


def lines(kind: str, body: Body, language: str) -> list[str] | None:
    """One entry: a headline, and one line per detail. None for a kind that is not known here."""

    def say(english: str, dutch: str) -> str:
        return dutch if language == "nl" else english

    describe = LINES.get(kind)
    return list(describe(body, say, language)) if describe else None


def _key_exchanged(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(
        f"{b['templates']} templates sealed with key {b['after']} instead of {b['before']}",
        f"{b['templates']} sjablonen verzegeld met sleutel {b['after']} in plaats van {b['before']}",
    )


def _key_given_up(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(
        f"key {b['before']} was given up: {b['templates']} templates deleted, everyone has to be enrolled again",
        f"sleutel {b['before']} is opgegeven: {b['templates']} sjablonen gewist, iedereen moet opnieuw",
    )


def _vault_key(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(
        f"the keys of {b['originals']} originals are wrapped under key {b['after']} now",
        f"de sleutels van {b['originals']} originelen zijn nu verpakt met sleutel {b['after']}",
    )


def _log_key(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(
        f"the log is signed with key {b['after']} from now on",
        f"het logboek wordt vanaf nu ondertekend met sleutel {b['after']}",
    )


def _log_exported(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(
        f"{b['entries']} entries of the log were taken along as {b['as']}",
        f"{b['entries']} regels van het logboek zijn meegenomen als {b['as']}",
    )


def _started(b: Body, say: Say, _: str) -> Iterator[str]:
    on = b.get("matching", {}).get("enabled")
    yield say(
        f"the service started, matching is {'on' if on else 'off'}",
        f"de dienst is gestart, herkenning staat {'aan' if on else 'uit'}",
    )
    yield from (f"{engine}: {weights[:16]}" for engine, weights in b.get("engines", {}).items())


def _backed_up(b: Body, say: Say, _: str) -> Iterator[str]:
    files, entries = b["files"], b["entries"]
    yield say(
        f"a backup was made: {files} files, the log up to entry {entries}",
        f"een reservekopie is gemaakt: {files} bestanden, het logboek tot regel {entries}",
    )


def _settled(b: Body, say: Say, _: str) -> Iterator[str]:
    people = ", ".join(b["withdrawn_again"])
    yield say(
        f"an older database had been put back: {b['lost']} entries, up to {b['known']}, are lost to it: {b['why']}",
        f"een oudere database was teruggezet: {b['lost']} regels, tot {b['known']}, ontbreken erin: {b['why']}",
    )
    yield say(
        f"done again: withdrawals ({people or 'none'}), {b['erased_again']} erasures, {b['recalled_again']} recalls",
        f"opnieuw gedaan: intrekkingen ({people or 'geen'}), {b['erased_again']} keer wissen, "
        f"{b['recalled_again']} keer terughalen",
    )


def _restored(b: Body, say: Say, _: str) -> Iterator[str]:
    at = b["made_at"][:16]
    yield say(f"a backup of {at} was put back", f"een reservekopie van {at} is teruggezet")
    yield say(
        f"{b['erased_again']} people erased again, {b['recalled_again']} files recalled again, "
        f"{b['originals_deleted_again']} originals deleted again, {b['missing']} files missing",
        f"opnieuw gewist: {b['erased_again']} personen; opnieuw teruggehaald: {b['recalled_again']} bestanden; "
        f"opnieuw verwijderd: {b['originals_deleted_again']} originelen; ontbrekend: {b['missing']}",
    )


def _stopped(_: Body, say: Say, __: str) -> Iterator[str]:
    yield say("the service was stopped", "de dienst is gestopt")


SERVICE: Lines = {
    "templates.key_exchanged": _key_exchanged,
    "templates.key_given_up": _key_given_up,
    "vault.key_exchanged": _vault_key,
    "log.key_exchanged": _log_key,
    "log.exported": _log_exported,
    "service.started": _started,
    "service.stopped": _stopped,
    "service.backed_up": _backed_up,
    "service.restored": _restored,
    "log.settled": _settled,
}
LINES: Lines = {**ITEMS, **RECALLS, **PEOPLE, **SERVICE}
