"""EDEXML, the exchange of pupil administrations with learning software in the Netherlands: people and classes.

Version 2.1 of Edustandaard (`EDEX`: `groepen`, `leerlingen`, `leerkrachten`). It knows nothing of consent and of
guardians: its people are joined with a consent sheet (`consent_sync.parsing.join`) by their `key`. Elements are told by
their names without the namespace's prefix, which differs from one supplier to the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from consent_sync.loaded import RawTable, RegisterError
from consent_sync.sources.base import Context, FileOptions, source
from consent_sync.sources.csv_source import MAX_ROWS, file_bytes

COLUMNS = ("person_id", "name", "role", "group", "birth_date")
_ROLES = {"leerlingen/leerling": "pupil", "leerkrachten/leerkracht": "employee"}
_NAME = ("roepnaam", "voorvoegsel", "achternaam")
_AGAIN = "Export it again from the pupil administration, as EDEXML 2.1."


@source("edexml", FileOptions)
def read(options: FileOptions, context: Context) -> RawTable:
    """Read the people of an EDEXML file.

    Raises:
        RegisterError: when it is missing, no XML, holds entities, is no EDEXML, or names nobody.
    """
    path = context.root / options.file
    data, modified = file_bytes(path)
    try:
        root = fromstring(data, forbid_dtd=True)
    except ParseError as e:
        raise RegisterError(path.name, f"it is not XML: {e}", remedy=_AGAIN) from e
    except DefusedXmlException as e:
        raise RegisterError(path.name, "it declares entities or a document type", remedy=_AGAIN) from e
    if _local(root).upper() != "EDEX":
        raise RegisterError(path.name, f"its root is {_local(root)!r}", expected="EDEX", remedy=_AGAIN)
    rows = list(_people(root))
    if not rows:
        raise RegisterError(path.name, "it names no pupil and no teacher: nobody is not believed", remedy=_AGAIN)
    if len(rows) > MAX_ROWS:
        raise RegisterError(path.name, "it names too many people", remedy="Check that this is one school's export.")
    numbered = tuple((number, row) for number, row in enumerate(rows, start=2))
    return RawTable(path.name, COLUMNS, numbered, hashlib.sha256(data).hexdigest(), ("EDEXML",), modified=modified)


def _people(root: Element) -> Iterator[tuple[str, ...]]:
    """One row for each pupil and teacher, in `COLUMNS`; who has no id has an empty one, which the parser refuses."""
    titles = {g.get("key", ""): _text(g, "naam") for g in _below(root, "groepen") if g.get("key")}
    for place, role in _ROLES.items():
        container, kind = place.split("/")
        for person in _below(root, container):
            if _local(person) == kind:
                name = " ".join(part for part in (_text(person, n) for n in _NAME) if part)
                groups = "; ".join(sorted(_groups(person, titles)))
                yield person.get("key", "").strip(), name, role, groups, _text(person, "geboortedatum")[:10]


def _groups(person: Element, titles: dict[str, str]) -> set[str]:
    """The names of the classes and composed groups that the person is in."""
    found = {titles.get(e.get("key", "") or (e.text or "").strip(), "") for e in person.iter() if _is_group(e)}
    return {"".join(" " if c in ";,|[]" else c for c in title).strip() for title in found if title}


def _is_group(element: Element) -> bool:
    return _local(element) in {"groep", "samengestelde_groep"}


def _below(root: Element, container: str) -> Iterator[Element]:
    for child in root:
        if _local(child) == container:
            yield from child


def _text(element: Element, name: str) -> str:
    """The text of a child; empty when it is absent."""
    return next(((c.text or "").strip() for c in element if _local(c) == name), "")


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]
