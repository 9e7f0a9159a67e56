"""Correcting an event: by an officer, or because its event.toml was changed in the inbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pipeline.domain.file_names import EVENT_FILE
from pipeline.domain.types import Event
from pipeline.errors import BeeldwachtError
from pipeline.intake import event_file
from pipeline.intake.event_changes import described, nearest
from pipeline.processing.context import Context
from pipeline.publishing.recall import carry_out
from pipeline.store.events import Correction, Occasion


def occasion(context: Context, name: str) -> Occasion:
    """An event by the name of its folder. Raises BeeldwachtError when no file came in it."""
    found = context.store.events.get(name)
    if found is None:
        raise BeeldwachtError(f"No file came in an event {name}.", "Give the name of its folder in the inbox.")
    return found


def correct(context: Context, name: str, new: Event, by: str, why: str, redo: bool = False) -> Correction:
    """Say what an event was. All its files are decided again; published ones that may not stand are taken back.

    Where its folder is still in the inbox, its event.toml is written anew, so that what comes next has the same facts.
    Raises BeeldwachtError for facts that no event.toml may hold.
    """
    occasion(context, name)
    text = event_file.text(new)
    if problem := event_file.parse(name, text).problem:
        raise BeeldwachtError(f"Event {name}: {problem}.", "Mend what it names.")
    unknown = sorted(set(new.people) - context.store.register.current().people.keys())
    if unknown:
        raise BeeldwachtError(f"{', '.join(unknown)}: not in the register.", "Give ids of people who are.")
    written = context.vault.deliveries.rewrite(name, EVENT_FILE, text)
    found = {**(described(context.vault.inbox, name) if written else {}), "": replace(new, name=name, problem="")}
    return _apply(context, name, found, by, why, redo)


def follow(context: Context, name: str) -> Correction:
    """Take over what the descriptions in the inbox say of an event by now."""
    return _apply(context, name, described(context.vault.inbox, name), "inbox", "", False)


def _apply(context: Context, name: str, found: Mapping[str, Event], by: str, why: str, redo: bool) -> Correction:
    register = context.store.register.current()

    def facts(folder: str) -> Event | None:
        return nearest(found, folder)

    done = context.store.events.correct(context.clock(), by, name, facts, register, why, redo)
    carry_out(context.vault, context.store, context.clock(), by)
    return done
