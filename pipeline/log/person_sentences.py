"""What the log says of people: the register, enrolment, accounts, access and erasure. Pure; people by their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipeline.log.vocabulary import Body, Lines, Say, part, why_given

_ROLES = {"communicator": "communicatie", "officer": "privacyfunctionaris", "administrator": "beheerder"}


def _loaded(b: Body, say: Say, language: str) -> Iterator[str]:
    counts = ", ".join(f"{n} {part(k, language)}" for k, n in b["diff"]["counts"].items() if n)
    yield say(
        f"register version {b['version']}: {b['rows']} rows; {counts or 'no change'}",
        f"registerversie {b['version']}: {b['rows']} rijen; {counts or 'geen verandering'}",
    )
    yield from (
        say(
            f"row {p['row']}, {p['column']}: expected {p['expected']}",
            f"rij {p['row']}, {p['column']}: deze waarde is niet te lezen",
        )
        for p in b["problems"]
    )


def _enrolled(b: Body, say: Say, language: str) -> Iterator[str]:
    if "enrolled" not in b:
        yield say(
            f"templates of register version {b['version']}: {b['kept']} people keep theirs",
            f"sjablonen van registerversie {b['version']}: {b['kept']} personen houden het hunne",
        )
        return
    n = len(b["enrolled"])
    yield say(
        f"register version {b['version']}: {n} people have a template",
        f"registerversie {b['version']}: {n} personen hebben een sjabloon",
    )
    yield from (
        say(f"{p} has none", f"{p} heeft er geen") + f": {part(w, language)}" for p, w in b["not_enrolled"].items()
    )
    yield from (
        say(f"portrait of {r['person']} refused: {r['why']}", f"portret van {r['person']} geweigerd")
        for r in b["portraits_refused"]
    )
    yield from (
        say(f"{a['first']} and {a['second']} look alike", f"{a['first']} en {a['second']} lijken op elkaar")
        + f" (score {a['score']:.2f})"
        for a in b.get("alike", ())
    )
    if b.get("problem"):
        yield say(f"nobody could be enrolled: {b['problem']}", "niemand kon worden opgenomen")


def _templates_deleted(b: Body, say: Say, _: str) -> Iterator[str]:
    people = ", ".join(b["people"])
    yield say(
        f"{b['deleted']} templates deleted of {people}: consent, person or portrait has ended",
        f"{b['deleted']} sjablonen gewist van {people}: toestemming, persoon of portret is vervallen",
    )


def _calibrated(b: Body, say: Say, _: str) -> Iterator[str]:
    low, high = b["95 % interval"]
    wrong, strangers = b["named wrongly"], b["portraits compared as strangers"]
    right, guests = b["named rightly"], b["portraits compared as guests"]
    rate = b["wrong shows per 1,000 photos"]
    yield say(
        f"calibrated on {b['people']} people: {wrong} of {strangers} strangers named, {rate} wrong shows per 1,000 "
        f"photos ({low} to {high}), {right} of {guests} guests named",
        f"geijkt op {b['people']} personen: {wrong} van {strangers} vreemden benoemd, {rate} keer ten onrechte "
        f"zichtbaar per 1.000 foto's ({low} tot {high}), {right} van {guests} gasten benoemd",
    )
    yield from (
        say(f"{p['first']} and {p['second']} come close", f"{p['first']} en {p['second']} lijken op elkaar")
        + f" (score {p['score']:.2f})"
        for p in b["pairs"]
    )


def _account(english: str, dutch: str) -> Callable[[Body, Say, str], Iterator[str]]:
    def describe(b: Body, say: Say, _: str) -> Iterator[str]:
        name = b["account"]
        who = say(name, "de eerste beheerder" if name == "the first administrator" else name)
        roles = ", ".join(say(r, _ROLES.get(r, r)) for r in b.get("roles", ()))
        yield say(english, dutch).format(who) + (f" ({roles})" if roles else "")

    return describe


def _signed_in(b: Body, say: Say, _: str) -> Iterator[str]:
    words = {
        "password": "wachtwoord",
        "one-time code": "eenmalige code",
        "password and code": "wachtwoord en code",
    }
    how = words.get(b["how"], b["how"])
    yield say(f"signed in to the console by {b['how']}", f"aangemeld bij de console met {how}")


_LIMITS = {
    "account": ("sign-ins of an account from an address", "aanmeldingen van een account vanaf een adres"),
    "address": ("sign-ins from an address", "aanmeldingen vanaf een adres"),
    "strangers": ("sign-ins of an account from new addresses", "aanmeldingen van een account vanaf nieuwe adressen"),
    "code": ("one-time codes from an address", "eenmalige codes vanaf een adres"),
    "own password": ("changes of a password", "wijzigingen van een wachtwoord"),
    "second factor": ("codes of a second factor", "codes van een tweede stap"),
    "oidc": (
        "sign-ins with the school's account from an address",
        "aanmeldingen met het schoolaccount vanaf een adres",
    ),
}


def _second(b: Body, say: Say, _: str) -> Iterator[str]:
    if b["on"]:
        yield say(f"account {b['account']} has a second factor", f"account {b['account']} heeft een tweede stap")
    else:
        yield say(f"account {b['account']} has none any more", f"account {b['account']} heeft geen tweede stap meer")


def _blocked(b: Body, say: Say, __: str) -> Iterator[str]:
    if "limit" in b:
        what, dutch = _LIMITS.get(b["limit"], (b["limit"], b["limit"]))
        yield say(
            f"{what} ({b['key']}): {b['failures']} attempts, the next one waits {b['wait_seconds']} seconds",
            f"{dutch} ({b['key']}): {b['failures']} pogingen, de volgende wacht {b['wait_seconds']} seconden",
        )
        return
    what, _, which = b["key"].partition(":")  # as it was written until attempts were counted one by one
    dutch = {"name": "naam", "address": "adres"}.get(what, what)
    yield say(
        f"{b['failures']} failed sign-ins of {what} {which}: it waits {b['wait_seconds']} seconds",
        f"{b['failures']} mislukte aanmeldingen van {dutch} {which}: wacht {b['wait_seconds']} seconden",
    )


def _erased(b: Body, say: Say, language: str) -> Iterator[str]:
    rows = ", ".join(f"{n} {part(what, language)}" for what, n in b["rows"].items() if n)
    yield say(
        f"{b['person']} was erased: {rows or 'nothing was left'}; {b['files']} files deleted",
        f"{b['person']} is gewist: {rows or 'er was niets meer'}; {b['files']} bestanden weggehaald",
    )


def _exported(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(
        f"everything held of {b['person']} was written out: {b['pictures']} pictures, {b['forms']} forms",
        f"alles van {b['person']} is uitgeschreven: {b['pictures']} afbeeldingen, {b['forms']} formulieren",
    )


def _register_held(b: Body, say: Say, language: str) -> Iterator[str]:
    count = len(b.get("waiting", {}))
    yield say(
        f"changes of {count} people wait for a confirmation (`beeldwacht register sync --confirm NAME`)",
        f"wijzigingen van {count} personen wachten op een bevestiging",
    )
    if language != "nl":
        yield from b.get("stopped", [])
    elif b.get("stopped"):
        yield "een rem hield de wijzigingen tegen"
    yield from (f"{person}: {part(why, language)}" for person, why in b.get("waiting", {}).items())


def _register_refused(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(
        f"the register was not taken over; the one before stays in force: {b['why']}",
        "het register is niet overgenomen; het vorige blijft gelden",
    )


def _notices_taken(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(f"{b['notices']} notices were taken along", f"{b['notices']} berichten zijn meegenomen")


def _stopped(b: Body, say: Say, _: str) -> Iterator[str]:
    kind = {
        "withdrawal": ("took consent back", "trok toestemming in"),
        "objection": ("objected", "maakte bezwaar"),
        "restriction": ("asked for a restriction", "vroeg om beperking"),
    }[b["kind"]]
    about = " ".join(filter(None, (b["medium"], b["channel"]))) or say("everything", "alles")
    yield say(
        f"number {b['stop']}: {b['person']} {kind[0]} ({about}); it outranks the source of the register",
        f"nummer {b['stop']}: {b['person']} {kind[1]} ({about}); dat gaat voor de bron van het register",
    )


def _stop_lifted(b: Body, say: Say, _: str) -> Iterator[str]:
    yield say(
        f"number {b['stop']} of {b['person']} does not count any more: the register counts again",
        f"nummer {b['stop']} van {b['person']} geldt niet meer: het register geldt weer",
    )


def _readmitted(b: Body, say: Say, language: str) -> Iterator[str]:
    yield say(
        f"{b['person']}, who was erased, may come back with the next reading of the register",
        f"{b['person']}, die gewist was, mag terugkomen met de volgende lezing van het register",
    ) + why_given(b, language)


def _link_made(b: Body, say: Say, _: str) -> Iterator[str]:
    until = b["expires"][:10]
    yield say(
        f"link {b['link']} for {b['person']} was made, until {until}",
        f"verwijzing {b['link']} voor {b['person']} is gemaakt, tot {until}",
    )


def _links_ended(b: Body, say: Say, _: str) -> Iterator[str]:
    n = b["links"]
    yield say(f"{n} links of {b['person']} were ended", f"{n} verwijzingen van {b['person']} zijn beëindigd")


PEOPLE: Lines = {
    "person.link_made": _link_made,
    "person.links_ended": _links_ended,
    "person.stopped": _stopped,
    "person.stop_lifted": _stop_lifted,
    "person.readmitted": _readmitted,
    "register.loaded": _loaded,
    "register.enrolled": _enrolled,
    "register.held": _register_held,
    "register.refused": _register_refused,
    "register.notices_taken": _notices_taken,
    "templates.deleted": _templates_deleted,
    "matching.calibrated": _calibrated,
    "account.added": _account("account {} was made", "account {} is gemaakt"),
    "account.invited": _account("a one-time code for {} was made", "een eenmalige code voor {} is gemaakt"),
    "account.password": _account("{} has a new password", "{} heeft een nieuw wachtwoord"),
    "account.roles": _account("the roles of {} changed", "de rollen van {} zijn gewijzigd"),
    "account.locked": _account("account {} was locked", "account {} is geblokkeerd"),
    "account.second_factor": _second,
    "account.unlocked": _account("account {} was unlocked", "account {} is weer open"),
    "account.signed_in": _signed_in,
    "account.blocked": _blocked,
    "person.erased": _erased,
    "person.exported": _exported,
}
