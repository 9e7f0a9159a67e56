"""EDEXML joined with a consent sheet: real files, with and without a namespace, and those that are none."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from consent_sync.loaded import LoadedRegister, RegisterError
from consent_sync.loader import Spec, load_spec
from consent_sync.parsing.table import Translation
from pipeline.domain.types import Medium, Role
from pipeline.rules.verdicts import may_in

ON = date(2026, 11, 1)
BODY = """<{p}school key="s1"><{p}naam>De Wegwijzer</{p}naam></{p}school>
<{p}groepen>
  <{p}groep key="g7"><{p}naam>7a</{p}naam><{p}jaargroep>7</{p}jaargroep></{p}groep>
  <{p}samengestelde_groep key="m"><{p}naam>Plus, groep</{p}naam></{p}samengestelde_groep>
</{p}groepen>
<{p}leerlingen>
  <{p}leerling key="1001" eckid="https://ketenid/1"><{p}achternaam>Wit</{p}achternaam><{p}voorvoegsel>de</{p}voorvoegsel>
    <{p}roepnaam>Zoë</{p}roepnaam><{p}geboortedatum>2016-03-04</{p}geboortedatum><{p}groep key="g7"/>
    <{p}samengestelde_groepen><{p}samengestelde_groep key="m"/></{p}samengestelde_groepen></{p}leerling>
  <{p}leerling key="1002"><{p}achternaam>Bos</{p}achternaam><{p}roepnaam>Tom</{p}roepnaam>
    <{p}geboortedatum>2015-01-02T00:00:00</{p}geboortedatum><{p}groep key="g7"/></{p}leerling>
</{p}leerlingen>
<{p}leerkrachten><{p}leerkracht key="k1"><{p}achternaam>Boer</{p}achternaam><{p}voorvoegsel>de</{p}voorvoegsel>
  <{p}roepnaam>Anna</{p}roepnaam><{p}groepen><{p}groep key="g7"/></{p}groepen></{p}leerkracht></{p}leerkrachten>"""
SHEET = """leerlingnummer,signed_by,signed_on,form,matching,photo_school,valid_until,withdrawn_on
1001,parent,2026-09-01,forms/1001.pdf,no,yes,,
1002,parent,2026-09-01,forms/1002.pdf,no,no,,
"""


def document(prefix: str = "") -> str:
    name = f"xmlns:{prefix}" if prefix else "xmlns"
    p = f"{prefix}:" if prefix else ""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{p}EDEX {name}="urn:edexml-2.1">{BODY.format(p=p)}</{p}EDEX>'


def loaded(folder: Path, text: str) -> LoadedRegister:
    (folder / "forms").mkdir(exist_ok=True)
    for person in ("1001", "1002"):
        (folder / "forms" / f"{person}.pdf").write_bytes(b"%PDF-1.4 " + person.encode())
    (folder / "school.xml").write_text(text, encoding="utf-8")
    (folder / "consents.csv").write_text(SHEET, encoding="utf-8")
    translation = Translation(columns={"person_id": "leerlingnummer"})
    sheet = Spec("csv", {"file": folder / "consents.csv"}, translation=translation)
    return load_spec(Spec("edexml", {"file": folder / "school.xml"}, sheet=sheet), on=ON)


@pytest.mark.parametrize("prefix", ["", "le"])
def test_people_and_classes_come_from_the_export_and_consents_from_the_sheet(tmp_path: Path, prefix: str) -> None:
    register = loaded(tmp_path, document(prefix))
    zoe, anna = register.people["1001"], register.people["k1"]
    assert (zoe.name, zoe.role, zoe.birth_date) == ("Zoë de Wit", Role.PUPIL, date(2016, 3, 4))
    assert set(zoe.groups) == {"7a", "Plus  groep"}
    assert (anna.name, anna.role) == ("Anna de Boer", Role.EMPLOYEE)
    decided = register.register(1)
    assert may_in(decided, "1001", Medium.PHOTO, "school", ON).allowed
    assert not may_in(decided, "1002", Medium.PHOTO, "school", ON).allowed
    assert not may_in(decided, "k1", Medium.PHOTO, "school", ON).allowed, "who is not in the sheet never answered"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no xml at all", "not XML"),
        ("<leerlingen><leerling key='1'/></leerlingen>", "its root is"),
        ("<EDEX><leerlingen/></EDEX>", "nobody is not believed"),
        ('<!DOCTYPE EDEX [<!ENTITY a "b">]><EDEX><leerlingen/></EDEX>', "entities or a document type"),
        (document()[:-40], "not XML"),
    ],
)
def test_what_is_no_export_is_refused_with_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RegisterError, match=said) as error:
        loaded(tmp_path, text)
    assert "Export it again" in str(error.value.remedy)
