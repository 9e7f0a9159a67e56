"""What the command line shows: tables and lines for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.domain.lifecycle import State
from pipeline.log.sentences import reason_text
from pipeline.store.rows import Item

_WIDE = 150  # a table that goes to a file or a pipe is not squeezed into 80 columns
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDE)
err = Console(stderr=True, highlight=False, soft_wrap=True)

COLOURS = {State.PUBLISHED: "green", State.HELD: "yellow", State.FAILED: "red", State.REJECTED: "red"}


def as_json(value: Any) -> None:
    """One JSON document on standard output, without colour or wrapping."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A plain table; cells are text, never markup."""
    grid = Table(title=escape(title), title_justify="left")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(escape(cell) for cell in row))
    out.print(grid)


def say(text: str, style: str = "") -> None:
    """One line on standard output."""
    out.print(escape(text), style=style)


def complain(text: str) -> None:
    """One line on standard error."""
    err.print(escape(text), style="red")


def item_json(item: Item, verdicts: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """An item for programs."""
    return {
        "id": item.id,
        "name": item.name,
        "event": item.event.name,
        "state": str(item.state),
        "reasons": list(item.reasons),
        "notes": list(item.notes),
        "sha256": item.sha256,
        "format": item.format,
        "attempts": item.attempts,
        "seconds": item.seconds,
        "arrived_at": item.arrived_at,
        "updated_at": item.updated_at,
        "verdicts": list(verdicts),
    }


def outcome(item: Item, verdicts: Sequence[Mapping[str, Any]], language: str) -> tuple[str, str]:
    """What happened to an item, in a few words, and why the covered faces are covered."""
    if item.state is not State.PUBLISHED:
        return str(item.state), "; ".join(reason_text(r, language) for r in item.reasons)
    channels: dict[str, list[bool]] = {}
    reasons: dict[str, int] = {}
    for v in verdicts:
        channels.setdefault(v["channel"], []).append(v["shown"])
        if not v["shown"]:
            reasons[v["reason"]] = reasons.get(v["reason"], 0) + 1
    shown = ", ".join(f"{c} {sum(s)} of {len(s)}" for c, s in channels.items()) or "no faces"
    why = ", ".join(f"{r.replace('_', ' ')} {n}x" for r, n in sorted(reasons.items(), key=lambda x: -x[1]))
    return f"shown: {shown}", why


def item_line(item: Item, verdicts: Sequence[Mapping[str, Any]], language: str) -> None:
    """One line about one item."""
    what, why = outcome(item, verdicts, language)
    seconds = f" in {item.seconds:.1f} s" if item.seconds else ""
    name = f" {item.event.name}/{item.name}" if out.is_terminal else ""  # a journal keeps what is printed: no names
    text = f"item {item.id}{name}: {item.state}{seconds}; {what}" + (f" ({why})" if why else "")
    say(text, COLOURS.get(item.state, ""))
