"""The consent register."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, TaskID

from consent_sync.changes.safeguards import Settled, Wait
from consent_sync.notices import SENTENCES, as_csv, notices
from consent_sync.parsing.cells import parse_date
from pipeline import output
from pipeline.app import now
from pipeline.commands.common import ConfigOption, JsonOption, opened, who
from pipeline.commands.common import progress as progress_bar
from pipeline.commands.recall import say_due
from pipeline.commands.register_what_if import register_what_if
from pipeline.domain.types import Consent
from pipeline.errors import BeeldwachtError
from pipeline.people.register_sync import KEPT_OUT
from pipeline.rules.consent import may_in, spread, turns_sixteen
from pipeline.rules.reasons import explain

ConfirmOption = Annotated[
    str | None, typer.Option("--confirm", metavar="NAME", help="Who answers for the changes that a brake stopped.")
]

app = typer.Typer(no_args_is_help=True, help="The consent register.")
app.command("what-if")(register_what_if)


@app.command("load")
def register_load(
    file: Annotated[Path, typer.Argument(help="The register as CSV; portraits/ and forms/ lie beside it.")],
    confirm: ConfirmOption = None,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Make a file the consent register, and enrol who agreed to be matched.

    Example: beeldwacht register load register/register.csv
    """
    with opened(config_file) as application, progress_bar(json_out) as bar:
        by = who(application, confirm) if confirm is not None else ""
        report = application.load_register(file, _shown(bar), by)
        at_once = application.settings.register.recall == "at once"
    counts = {
        part: len(getattr(report.diff, part)) for part in ("people_added", "people_removed", "grants", "withdrawals")
    }
    facts = {
        "version": report.version,
        "rows": report.loaded.row_count,
        "people": len(report.loaded.people),
        **counts,
        "enrolled": len(report.enrolled),
        "problems": [{"row": p.row, "column": p.column, "expected": p.expected} for p in report.loaded.problems],
        "portraits_refused": [{"person": a, "portrait": b, "why": c} for a, b, c in report.portraits_refused],
        "lookalikes": [{"first": x.first, "second": x.second, "score": round(x.score, 2)} for x in report.alike],
        "templates_problem": report.templates_problem,
        "recall": len(report.due),
        **(_held_json(report.settled) if report.settled else {}),
    }
    if json_out:
        output.as_json(facts)
        return
    output.say(
        f"Register version {report.version}: {facts['people']} people from {facts['rows']} rows; "
        + ", ".join(f"{n} {k.replace('_', ' ')}" for k, n in counts.items()),
        "green",
    )
    output.say(f"{len(report.enrolled)} people can be recognised; the log says for everyone else why not.")
    for p in report.loaded.problems:
        output.say(f"row {p.row}, {p.column}: expected {p.expected}", "yellow")
    for person, portrait, why in report.portraits_refused:
        output.say(f"{person}, {portrait}: {why}", "yellow")
    for x in report.alike:
        output.say(
            f"{x.first} and {x.second} look alike (score {x.score:.1f}): siblings, or a swapped photo?", "yellow"
        )
    if report.templates_problem:
        output.say(report.templates_problem, "red")
    if report.settled:
        _say_held(report.settled)
    say_due(report.due, at_once)
    if not report.enrolled:
        output.say("Nobody can be recognised: every face will be covered. Is [matching] enabled?", "yellow")


@app.command("sync")
def register_sync(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    confirm: ConfirmOption = None,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Bring the register in line with the source of [register] in the configuration.

    What hides counts at once; what would show many people more waits for --confirm NAME. The exit status is 2 when a
    brake stopped something.

    Example: beeldwacht register sync --dry-run
    """
    with opened(config_file) as application, progress_bar(json_out) as bar:
        by = who(application, confirm) if confirm is not None else ""
        outcome = application.sync_register(_shown(bar), by, dry_run)
        at_once = application.settings.register.recall == "at once"
    wanted = outcome.settled.wanted if dry_run else outcome.settled.applied
    facts = {
        "version": outcome.version,
        "applied": outcome.applied,
        "dry_run": dry_run,
        "rows": outcome.loaded.row_count,
        "people": len(outcome.loaded.people),
        "diff": wanted.summary(),
        **_held_json(outcome.settled),
        "recall": len(outcome.due),
        "problems": [{"row": p.row, "column": p.column, "expected": p.expected} for p in outcome.loaded.problems],
    }
    if json_out:
        output.as_json(facts)
    else:
        counted = ", ".join(f"{n} {k.replace('_', ' ')}" for k, n in wanted.summary()["counts"].items() if n)
        what = "would change" if dry_run else f"register version {outcome.version}"
        output.say(f"{what}: {counted or 'nothing new'}", "green")
        for part, ids in wanted.summary().items():
            if dry_run and part != "counts":
                output.say(f"  {part.replace('_', ' ')}: {', '.join(ids)}")
        for p in outcome.loaded.problems:
            output.say(f"row {p.row}, {p.column}: expected {p.expected}", "yellow")
        _say_held(outcome.settled)
        say_due(outcome.due, at_once)
    if outcome.stopped:
        raise typer.Exit(2)


@app.command("show")
def register_show(
    person: Annotated[str, typer.Argument(help="The id of a person.")],
    on: Annotated[str | None, typer.Option(metavar="DATE", help="As it stood at the end of that day.")] = None,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Show what one person may be seen, heard and found in, and why; also as it was on a past day.

    Example: beeldwacht register show P0042 --on 2026-09-15
    """
    with opened(config_file) as application:
        day = _day(on)
        store = application.store.register
        register = store.in_force(day) if day else store.current()
        day = day or now().date()
        language = application.settings.language
    found = register.people.get(person)
    if found is None:
        raise BeeldwachtError(
            f"{person}: not in the register on {day} (version {register.version}).",
            "Ask for the id, not the name; `register show` also takes --on DATE.",
        )
    rows: list[dict[str, Any]] = []
    for (_, medium, channel), cell in sorted(
        (item for item in register.consents.items() if item[0][0] == person), key=lambda item: item[0]
    ):
        permission = may_in(register, person, medium, channel, day)
        rows.append(
            {
                "medium": str(medium),
                "channel": channel,
                "allowed": permission.allowed,
                "reason": str(permission.reason),
                "article": permission.article,
                "why": explain(permission.reason, language),
                "statements": [_statement_json(s) for s in spread([cell])],
            }
        )
    facts = {
        "person": person,
        "name": found.name,
        "role": str(found.role),
        "on": day.isoformat(),
        "version": register.version,
        "groups": list(found.groups),
        "protected": found.protected,
        "birth_date": found.birth_date.isoformat() if found.birth_date else None,
        "turns_16": sixteen.isoformat() if (sixteen := turns_sixteen(found)) else None,
        "left_on": found.left_on.isoformat() if found.left_on else None,
        "guardians": list(found.guardians) if found.guardians is not None else None,
        "consents": rows,
    }
    if json_out:
        output.as_json(facts)
        return
    head = f"{person} ({found.name}), {found.role}, groups {', '.join(found.groups) or '-'}"
    output.say(f"{head}; register version {register.version}, on {day}" + ("; PROTECTED" if found.protected else ""))
    output.table(
        "consents",
        ["medium", "channel", "may be shown", "why", "evidence"],
        [
            [
                str(r["medium"]),
                str(r["channel"]) or "-",
                "YES" if r["allowed"] else "no",
                f"{r['why']} [{r['article']}]",
                "\n".join(_evidence(s) for s in r["statements"]),
            ]
            for r in rows
        ],
    )


@app.command("notices")
def register_notices(
    within: Annotated[int, typer.Option(min=0, max=3650, help="How many days to look ahead.")] = 60,
    csv_file: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="For a mail merge; - : print.")] = None,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """List what is to be done soon: who turns 16, what expires, reminders, conflicts, forms.

    Example: beeldwacht register notices --within 90 --csv notices.csv
    """
    with opened(config_file) as application:
        register = application.store.register.current()
        dated: dict[str, date] = {}
        for t in application.store.templates.all():
            dated[t.person_id] = min(t.dated, dated.get(t.person_id, t.dated))
        last = application.store.items.heartbeat(KEPT_OUT)
        out = last[1]["people"] if last else ()
        found = notices(register, now().date(), within, dated, application.settings.templates.max_age_months, out)
    if csv_file is not None:
        text = as_csv(found, register)
        if str(csv_file) == "-":
            print(text, end="")
            return
        try:
            csv_file.write_text(text, encoding="utf-8-sig", newline="")
        except OSError as e:
            raise BeeldwachtError(f"{csv_file}: cannot be written ({e.strerror}).", "Name another file.") from e
    if json_out:
        output.as_json(
            [
                {
                    "notice": str(n.kind),
                    "person": n.person_id,
                    "day": n.day.isoformat() if n.day else None,
                    "about": list(n.about),
                    "signed_by": list(n.signers),
                }
                for n in found
            ]
        )
    elif found:
        output.table(
            "notices",
            ["person", "day", "what", "about", "signed by"],
            [
                [
                    n.person_id,
                    n.day.isoformat() if n.day else "",
                    SENTENCES[n.kind],
                    ", ".join(n.about),
                    ", ".join(n.signers),
                ]
                for n in found
            ],
        )
    else:
        output.say(f"Nothing to do within {within} days.", "green")


def _shown(bar: Progress) -> Callable[[str, int, int], None]:
    tasks: dict[str, TaskID] = {}

    def progress(what: str, done: int, of: int) -> None:
        if what not in tasks:
            tasks[what] = bar.add_task(what, total=of)
        bar.update(tasks[what], completed=done, total=of)

    return progress


def _held_json(settled: Settled) -> dict[str, Any]:
    return {"waiting": {p: str(w) for p, w in settled.waiting.items()}, "stopped": list(settled.stopped)}


_WAITS = {
    Wait.BRAKE: "stopped by a brake: confirm with --confirm NAME",
    Wait.ROW_UNCLEAR: "the row is not clear: mend it in the register",
    Wait.REFUSAL_VANISHED: "a no is gone without another answer: confirm with --confirm NAME",
    Wait.PROTECTION_VANISHED: "is not called protected any more: confirm with --confirm NAME",
}


def _say_held(settled: Settled) -> None:
    for sentence in settled.stopped:
        output.say(f"STOPPED: {sentence}", "red")
    for reason, text in _WAITS.items():
        ids = [p for p, w in settled.waiting.items() if w is reason]
        if ids:
            some = ", ".join(ids[:20]) + (f" and {len(ids) - 20} more" if len(ids) > 20 else "")
            output.say(f"{len(ids)} people wait ({text}): {some}", "yellow")


def _statement_json(s: Consent) -> dict[str, Any]:
    facts = asdict(s)
    facts.pop("others")
    return {k: str(v) if isinstance(v, (date, StrEnum)) else v for k, v in facts.items()}


def _evidence(s: Mapping[str, Any]) -> str:
    who_signed = f"{s['signed_by'] or 'nobody'}" + (f" {s['signer_id']}" if s["signer_id"] else "")
    parts = [f"{s['answer']} by {who_signed}", f"on {s['signed_on']}" if s["signed_on"] else "no date"]
    parts += [f"form {s['form'] or '-'} ({(s['form_sha256'] or 'none')[:12]}, {s['evidence']})"]
    parts += [f"{k.replace('_', ' ')} {s[k]}" for k in ("form_version", "valid_until", "withdrawn_on") if s[k]]
    return ", ".join(parts)


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    day = parse_date(text)
    if day is None:
        raise typer.BadParameter(f"{text!r} is not a date such as 2026-09-01")
    return day
