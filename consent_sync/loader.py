"""The one entry point: a register with its forms and portraits, read as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from consent_sync.changes.diff import snapshot
from consent_sync.evidence import Evidence, EvidenceError
from consent_sync.loaded import LoadedRegister, ParsedRow, Portrait, RawTable, RegisterError, RowProblem
from consent_sync.parsing.join import join
from consent_sync.parsing.rows import (
    DATE_COLUMNS,
    FORGIVING_WHEN_CUT,
    OPTIONAL_DATES,
    Columns,
    columns_of,
    excerpt,
    month_first,
    parse_row,
)
from consent_sync.parsing.table import Translation, check, translate
from consent_sync.sources.base import Context, Options, Source, find
from pipeline.domain.types import Answer, Consent, EvidenceState, Medium, Person
from pipeline.rules.consent import gather, spread

NOT_USED = "the row is not used: this person is covered everywhere"


@dataclass(frozen=True, slots=True)
class Spec:
    """Where a register is and how to read it.

    `root` is what relative paths are relative to, `folder` holds forms/ and portraits/ (None: where the file is).
    With a `sheet` the source delivers people, and the sheet their consents; the sheet is a spec of its own.
    """

    source: str
    options: Mapping[str, Any]
    root: Path = Path()
    folder: Path | None = None
    translation: Translation = field(default_factory=Translation)
    sheet: Spec | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the register is read from; none for a service on the network."""
        own = (self.root / str(self.options["file"]),) if "file" in self.options else ()
        return own + (self.sheet.files if self.sheet is not None else ())


def load(
    path: Path, *, on: date, source: str = "csv", progress: Callable[[int, int], None] | None = None
) -> LoadedRegister:
    """Read the register in one file; forms and portraits lie beside it.

    Args:
        path: the register.
        on: today; nobody in it is born later.
        source: which kind of source it is; see `consent_sync.sources.base`.
        progress: told the number of people done and of all, while forms and portraits are read.

    Raises:
        RegisterError: when the register as a whole cannot be trusted. Then nothing of it counts.
    """
    return load_spec(Spec(source, {"file": path}), on=on, progress=progress)


def read_table(spec: Spec) -> RawTable:
    """The table of a spec, in the register's columns and words.

    Raises:
        RegisterError: when it, or its sheet, cannot be read, or lacks what a register has to have.
    """
    table = _part(spec)
    return check(table if spec.sheet is None else join(table, _part(spec.sheet)))


def configured(spec: Spec) -> None:
    """Look whether a spec, and its sheet, could be read at all; nothing is opened.

    Raises:
        RegisterError: for a source that does not exist, an option it does not know, or columns and values that the
            register does not have.
    """
    for part in (spec, spec.sheet):
        if part is not None:
            _options(part)


def _options(spec: Spec) -> tuple[Source, Options]:
    problems = spec.translation.problems()
    if problems:
        what = "the columns or values are not right: " + "; ".join(problems)
        remedy = "Correct columns, values or constants of [register] in the configuration."
        raise RegisterError(f"source {spec.source}", what, remedy=remedy)
    kind = find(spec.source, str(spec.options.get("file", spec.source)))
    return kind, kind.configured(spec.options)


def _part(spec: Spec) -> RawTable:
    """The table of one source, translated; on its own it need not be a whole register."""
    kind, options = _options(spec)
    table: RawTable = kind.read(options, Context(spec.root, spec.translation.known))
    return translate(table, spec.translation)


def load_spec(spec: Spec, *, on: date, progress: Callable[[int, int], None] | None = None) -> LoadedRegister:
    """Read a register from wherever it is. Arguments and errors as for `load`."""
    table = read_table(spec)
    parsed = snapshot(parse_table(table, on))
    folder = spec.folder or (spec.files[-1].parent if spec.files else spec.root)
    evidence = Evidence(folder if folder.is_absolute() else spec.root / folder)
    problems = [*_header_problems(table), *parsed.problems]
    by_person: dict[str, list[Consent]] = {}
    statements = spread(parsed.consents.values())
    for consent in statements:
        by_person.setdefault(consent.person_id, []).append(consent)
    consents: list[Consent] = []
    portraits: dict[str, tuple[Portrait, ...]] = {}
    for done, person in enumerate(parsed.people.values(), start=1):
        own = by_person.get(person.person_id, [])
        consents.extend(_with_form(own, evidence, problems))
        found = _portraits(person, own, evidence, problems)
        if found:
            portraits[person.person_id] = found
        if progress is not None:
            progress(done, len(parsed.people))
    return LoadedRegister(
        file=table.file,
        people=parsed.people,
        consents=MappingProxyType(gather(consents)),
        portraits=MappingProxyType(portraits),
        problems=tuple(sorted(problems, key=lambda problem: problem.row)),
        source_sha256=table.sha256,
        row_count=len(table.rows),
        remarks=table.remarks,
        hashed=frozenset(c.row_id for c in statements if c.form_sha256),
        modified=table.modified,
    )


def parse_table(table: RawTable, on: date) -> list[ParsedRow]:
    """Every row of a table, read strictly. Pure; rows of the wrong length are not used."""
    width = len(table.columns)
    places = [table.columns.index(name) for name in (*DATE_COLUMNS, *OPTIONAL_DATES) if name in table.columns]
    dates = [cells[place] for _, cells in table.rows for place in places if place < len(cells)]
    columns = columns_of(table.columns, slashed_dates=not month_first(dates))
    parsed = []
    for index, (number, cells) in enumerate(table.rows):
        used = cells[:width] if not any(cell.strip() for cell in cells[width:]) else cells
        cut = table.last_row_cut and index == len(table.rows) - 1 and table.columns[-1] in FORGIVING_WHEN_CUT
        if len(used) == width and not cut:
            parsed.append(parse_row(number, dict(zip(table.columns, used, strict=True)), columns, on))
        else:
            parsed.append(_unusable(number, cells, table, columns, on, cut=cut and len(used) == width))
    return parsed


def _unusable(
    number: int, cells: tuple[str, ...], table: RawTable, columns: Columns, on: date, *, cut: bool
) -> ParsedRow:
    """A row of the wrong length, or cut off: reported. The id it claims still counts as used, so that it is double."""
    if cut:
        value = cells[len(table.columns) - 1]
        expected = "a line end after the last row (the file may be cut off)"
    else:
        value = ""
        expected = f"{len(table.columns)} cells, found {len(cells)}"
    claimed = parse_row(number, dict(zip(table.columns, cells, strict=False)), columns, on).person_id
    problem = RowProblem(number, table.columns[-1] if cut else "(all)", excerpt(value), expected, NOT_USED, claimed)
    return ParsedRow(number, claimed, None, (), (problem,))


def _header_problems(table: RawTable) -> list[RowProblem]:
    """Columns that nobody reads: a consent column with a slip of the pen would otherwise vanish silently."""
    expected = "a column of the register, or <photo|film|sound>_<channel>"
    return [
        RowProblem(table_row, name, "", expected, "the column is ignored")
        for table_row, name in ((1, name or "(no name)") for name in columns_of(table.columns).unknown)
    ]


def _with_form(own: list[Consent], evidence: Evidence, problems: list[RowProblem]) -> list[Consent]:
    """The consents of one person with the hash of their form; without one where it cannot be read.

    Where the register records a hash itself, that one stays, and the form has to be of it.
    """
    result: list[Consent] = []
    reported: set[tuple[str, str]] = set()

    def report(consent: Consent, column: str, what: str) -> None:
        if (column, consent.form) not in reported:
            reported.add((column, consent.form))
            effect = "no evidence: no answer of this person counts"
            row, person = consent.row_number, consent.person_id
            problems.append(RowProblem(row, column, excerpt(consent.form), what, effect, person))

    for consent in own:
        digest, state, wanted = None, consent.evidence, consent.form_sha256
        if consent.form:
            try:
                digest = evidence.form(consent.form)
            except EvidenceError as error:
                report(consent, "form", f"a signed form on file, but {error}")
        if digest is None and consent.form:
            state = EvidenceState.MISSING
        elif digest is not None and wanted and digest != wanted:
            state = EvidenceState.CHANGED
            report(consent, "form", "the form that the register recorded, and this file is another")
        found = (wanted or digest) if consent.form else None
        result.append(replace(consent, form_sha256=found, evidence=state))
    return result


def _portraits(
    person: Person, own: list[Consent], evidence: Evidence, problems: list[RowProblem]
) -> tuple[Portrait, ...]:
    """The portraits of one person. Those of somebody who did not agree to matching are reported, and not opened."""
    row = own[0].row_number if own else 0
    agreed = any(c.medium is Medium.MATCHING and c.answer is Answer.YES for c in own)
    found, troubles = evidence.portraits(person.person_id) if agreed else ((), _unasked(person.person_id, evidence))
    problems.extend(
        RowProblem(row, "portraits", "", f"usable portraits, but {trouble}", "not used", person.person_id)
        for trouble in troubles
    )
    return found


def _unasked(person_id: str, evidence: Evidence) -> tuple[str, ...]:
    """What there is to say about portraits of somebody who did not agree to be matched."""
    try:
        names = evidence.portrait_names(person_id)
    except EvidenceError:
        return ()
    return ("the register holds no yes to matching: ask for it, or delete the portraits",) if names else ()
