"""One item: its faces, and saying by hand who a face is."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pipeline import output
from pipeline.app import App
from pipeline.commands.common import ConfigOption, JsonOption, opened, who
from pipeline.domain.json_forms import box_in
from pipeline.domain.lifecycle import State
from pipeline.errors import BeeldwachtError
from pipeline.log.sentences import reason_text, sound_line, verdict_line
from pipeline.officer import actions
from pipeline.redaction.manual_marks import AnnotationKind

app = typer.Typer(no_args_is_help=True, help="One photo, film or recording: its faces, and who they are.")
ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so; it is logged.")]
RedoOption = Annotated[bool, typer.Option("--redo", help="When it is published: decide and publish it anew.")]


@app.command("show")
def item_show(item: int, config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Show the faces of an item: where each is, whether it is shown, why, and who it is said to be.

    Of a film or recording also what became of its sound on each channel, why, and which stretches are silent.

    Example: beeldwacht item show 12
    """
    with opened(config_file) as application:
        facts = _facts(application, item)
        language = application.settings.language
    if json_out:
        output.as_json(facts)
        return
    output.say(f"item {item} {facts['event']}/{facts['name']}: {facts['state']}")
    for reason in facts["reasons"]:
        output.say(reason_text(reason, language), "yellow")
    for verdict in facts["verdicts"]:
        output.say("  " + verdict_line(verdict, verdict["channel"], language))
    for channel, plan in facts["sound"].items():
        output.say("  " + sound_line(plan, channel, language))
    for name in facts["names"]:
        output.say(f"  named by hand: {name['person']} by {name['by']} on {name['at'][:10]}")
    if facts["speakers"] is not None:
        more = "; everybody who speaks is one of these" if facts["speakers_only"] else ""
        output.say(f"  can be heard, said by hand: {', '.join(facts['speakers']) or 'nobody'}{more}")


@app.command("name")
def item_name(
    item: int,
    face: Annotated[int, typer.Argument(help="The number of the face: beeldwacht item show ITEM.")],
    person: Annotated[str, typer.Argument(help="The id of the person in the register.")],
    by: ByOption,
    redo: RedoOption = False,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Say who a face is; the register then decides whether it may be shown. Needs no consent to matching.

    Example: beeldwacht item name 12 3 P0042 --by "M. Bakker"
    """
    with opened(config_file) as application:
        state = actions.name_face(application.context, item, face, person, who(application, by), redo)
        application.write_log_files()
    _report(item, state, redo, json_out)


@app.command("unname")
def item_unname(
    item: int,
    face: int,
    by: ByOption,
    redo: RedoOption = False,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Take back a name that was given by hand.

    A published file that shows the face because of that name is taken back and replaced at once.

    Example: beeldwacht item unname 12 3 --by "M. Bakker"
    """
    with opened(config_file) as application:
        state = actions.unname_face(application.context, item, face, who(application, by), redo)
        application.write_log_files()
    _report(item, state, redo or state is State.QUEUED, json_out)


@app.command("speakers")
def item_speakers(
    item: int,
    by: ByOption,
    why: Annotated[str, typer.Option("--why", help="How it is known; it is logged.")],
    people: Annotated[list[str] | None, typer.Argument(metavar="PERSON...", help="Their ids in the register.")] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Nobody can be heard who could be named.")] = False,
    everybody: Annotated[
        bool,
        typer.Option("--everybody", help="Everybody who speaks in it may be heard: asks for a yes to who that is."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --everybody: do not ask.")] = False,
    redo: RedoOption = False,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Say who can be heard in a film or recording, all of them; the register then decides whether the sound stays.

    It takes the place of what was said before. With --nobody what sounds like speech is muted. With --everybody you
    answer for it that whoever speaks may be heard, whoever is seen: it lists who that would be. When it is published
    and one of them may not be heard where its sound was left, it is taken back and replaced at once.

    Example: beeldwacht item speakers 12 P0042 P0007 --by "M. Bakker" --why "I made the recording"
    """
    named = frozenset(people or ())
    if (bool(named), nobody, everybody).count(True) != 1:
        raise BeeldwachtError(
            "Say who can be heard: ids of the register, --nobody or --everybody.", "See `beeldwacht item show`."
        )
    with opened(config_file) as application:
        if everybody:
            named = _answered_for(application, item, yes, json_out)
        actor = who(application, by)
        state, recalled = actions.say_speakers(application.context, item, named, actor, why, redo, only=everybody)
        application.write_log_files()
    _report(item, state, redo or recalled, json_out)


def _answered_for(application: App, item: int, yes: bool, quiet: bool) -> frozenset[str]:
    """Those who would be heard, after a yes to the list. Raises BeeldwachtError when there is nobody."""
    found = actions.may_speak(application.context, item)
    if not found:
        raise BeeldwachtError(
            f"Nobody who is known to be in item {item}, or of its event, may be heard.", "Name the speakers instead."
        )
    people = application.store.register.current().people
    for one in () if quiet else found:
        output.say(f"  {one.person_id} {people[one.person_id].name}: {', '.join(one.channels)}")
    if not yes:
        typer.confirm("Is everybody who speaks in it one of these?", abort=True, err=True)
    return frozenset(one.person_id for one in found)


@app.command("redo")
def item_redo(item: int, by: ByOption, config_file: ConfigOption = None, json_out: JsonOption = False) -> None:
    """Decide a published item anew, so that consent given since then counts. A deliberate, logged act (A.4).

    Example: beeldwacht item redo 12 --by "M. Bakker"
    """
    with opened(config_file) as application:
        found = application.store.items.get(item)
        if found is None or found.state is not State.PUBLISHED:
            raise BeeldwachtError(f"Item {item} is not published.", "Only a published item can be shown anew.")
        state = actions.redo(application.context, item, who(application, by))
        application.write_log_files()
    _report(item, state, True, json_out)


@app.command("cancel")
def item_cancel(
    item: int,
    by: ByOption,
    why: Annotated[str, typer.Option("--why", help="The reason; it is logged.")] = "",
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Give up the work on an item that is queued or in work, as a long film. The original goes to the quarantine.

    Example: beeldwacht item cancel 12 --by "M. Bakker" --why "wrong film"
    """
    with opened(config_file) as application:
        state = application.store.items.cancel(application.context.clock(), item, who(application, by), why)
        application.write_log_files()
    if json_out:
        output.as_json({"item": item, "state": str(state), "cancel_asked": True})
        return
    when = "in a moment" if state is State.WORKING else "when it is next taken up"
    output.say(f"Asked. The work on item {item} is given up {when}; dropping the file again takes it up anew.", "green")


WhyOption = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why; it is logged.")]


@app.command("deny")
def item_deny(
    item: int, face: int, by: ByOption, why: WhyOption, config_file: ConfigOption = None, json_out: JsonOption = False
) -> None:
    """Say that a face is not the person it was taken for: in this event nobody is named so by likeness again.

    Example: beeldwacht item deny 12 3 --by "M. Bakker" --why "that is her sister"
    """
    with opened(config_file) as application:
        state = actions.deny(application.context, item, face, who(application, by), why)
        application.write_log_files()
    _report(item, state, False, json_out)


@app.command("cover")
def item_cover(
    item: int,
    face: int,
    by: ByOption,
    why: WhyOption,
    wider: Annotated[bool, typer.Option("--wider", help="Cover more around the face.")] = False,
    figure: Annotated[bool, typer.Option("--figure", help="Cover the whole figure.")] = False,
    config_file: ConfigOption = None,
    json_out: JsonOption = False,
) -> None:
    """Cover a face on every channel, whatever was agreed to. A published file is taken back and replaced.

    Example: beeldwacht item cover 12 3 --figure --by "M. Bakker" --why "asked for on the phone"
    """
    kind = AnnotationKind.FIGURE if figure else AnnotationKind.WIDEN if wider else AnnotationKind.COVER
    with opened(config_file) as application:
        box = box_in(actions.face_of(application.context, item, face)["box"])
        state = actions.cover(application.context, item, kind, box, who(application, by), why)
        application.write_log_files()
    _report(item, state, False, json_out)


@app.command("approve")
def item_approve(
    item: int, by: ByOption, why: WhyOption, config_file: ConfigOption = None, json_out: JsonOption = False
) -> None:
    """Let a held item go that its event holds back. It is decided and checked again first.

    Example: beeldwacht item approve 12 --by "M. Bakker" --why "the teacher allowed it on 3 June"
    """
    with opened(config_file) as application:
        state = actions.approve(application.context, item, who(application, by), why)
        application.write_log_files()
    _report(item, state, False, json_out)


@app.command("reject")
def item_reject(
    item: int, by: ByOption, why: WhyOption, config_file: ConfigOption = None, json_out: JsonOption = False
) -> None:
    """Refuse a held item for good.

    Example: beeldwacht item reject 12 --by "M. Bakker" --why "a child in distress"
    """
    with opened(config_file) as application:
        state = actions.reject(application.context, item, who(application, by), why)
        application.write_log_files()
    _report(item, state, False, json_out)


def _report(item: int, state: State, redo: bool, json_out: bool) -> None:
    if json_out:
        output.as_json({"item": item, "state": str(state), "published_anew": redo and state is State.QUEUED})
    elif state is State.PUBLISHED:
        output.say(
            f"Noted. Item {item} is published and stays as it is; --redo decides and publishes it anew.", "yellow"
        )
    else:
        output.say(f"Noted. Item {item} is {state}: the running service, or `beeldwacht process`, decides it.", "green")


def _facts(application: App, item: int) -> dict[str, Any]:
    found = actions.item_of(application.context, item)
    names, _ = application.store.hand_names.names(item)
    said = application.store.hand_names.speakers(item)
    return {
        **output.item_json(found, application.store.items.verdict_rows(item)),
        "names": [
            {
                "box": [n.box.left, n.box.top, n.box.right, n.box.bottom],
                "person": n.person_id,
                "by": n.named_by,
                "at": n.named_at,
            }
            for n in names
        ],
        "speakers": None if said is None else [*sorted(said.people), *["(erased)"] * said.unknown],
        "speakers_only": said is not None and said.only,
        "sound": application.store.read_models.sounds(item),
        "places": [
            {"id": p.id, "channel": p.channel, "place": p.place, "state": p.state}
            for p in application.store.places.all(item_id=item)
        ],
    }
