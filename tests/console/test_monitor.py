"""What machines are told: that all is well, or which part is not, and figures; never a name, and not to anybody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from pipeline import config
from pipeline.app import App
from pipeline.console.server import build
from pipeline.console.state import Console
from pipeline.domain.workload import SERVICE_HEARTBEAT
from pipeline.maintenance import init
from tests.console.conftest import FILE, NAME, TITLE
from tests.console.site import Site

TOKEN = "0123456789abcdef"  # noqa: S105 - of a test


def figures(text: str) -> dict[tuple[str, str], float]:
    """The figures by name and label."""
    return {
        (s.name.removeprefix("beeldwacht_"), next(iter(s.labels.values()), "")): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def test_a_running_service_is_well_and_its_figures_are_those_of_the_table(site: Site) -> None:
    with httpx.Client(base_url=site.address) as http:
        answer = http.get("/healthz")
        assert (answer.status_code, answer.json()) == (
            200,
            {"status": "ok", "parts": {"database": True, "service": True, "folders": True, "engines": True}},
        )
        assert http.get("/healthz/live").json() == {"status": "ok"}
        text = http.get("/metrics").text
        assert not http.cookies and "no-store" in answer.headers["cache-control"]
    found = figures(text)
    assert {s: found["items", str(s)] for s in site.store.items.counts()} == site.store.items.counts()
    assert found["service_up", ""] == 1 and found["log_entries", ""] > 10
    assert found["register_version", ""] == site.store.register.current().version > 0
    assert found["item_seconds_count", ""] >= 4 and found["item_seconds_bucket", "+Inf"] >= 4
    assert found["disk_free_bytes", "vault"] > 0 and found["alarm", "held"] == 0
    assert found["process_resident_memory_bytes", ""] > 1 << 20
    for name in ("Jansen", NAME, TITLE, FILE, "obama", "trip", "lesson", str(site.school.home)):
        assert name not in text + answer.text


class Asked:
    """The console, asked from an address without a socket in between."""

    def __init__(self, application: Starlette, client: str) -> None:
        self._transport = httpx.ASGITransport(application, client=(client, 4000))

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        async def once() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://127.0.0.1") as http:
                return await http.get(path, headers=headers)

        # In a thread of its own: the browser that other tests drive keeps a loop in this one.
        with start_blocking_portal() as portal:
            return portal.call(once)


@contextmanager
def console(tmp_path: Path, more: dict[str, object], client: str = "127.0.0.1") -> Iterator[tuple[App, Asked]]:
    """The console on a new installation."""
    file = tmp_path / "beeldwacht.toml"
    if not file.exists():
        init.init(tmp_path)
        (tmp_path / "token").write_text(TOKEN + "\n")
    app = App(config.load(file, more))
    one = Console(app)
    try:
        yield app, Asked(build(one), client)
    finally:
        one.close()
        app.close()


PROXY = {"console": {"address": "https://beeldwacht.school.example"}}
WITH_TOKEN = {"metrics": {"token_file": "token"}}


@pytest.mark.parametrize(
    ("more", "client", "headers", "status"),
    [
        ({}, "127.0.0.1", {}, 200),
        ({}, "::1", {}, 200),
        ({}, "192.0.2.7", {}, 401),
        ({}, "127.0.0.1", {"x-forwarded-for": "127.0.0.1"}, 401),
        ({}, "127.0.0.1", {"forwarded": "for=127.0.0.1"}, 401),
        (PROXY, "127.0.0.1", {}, 401),
        ({"console": {"behind_proxy": True}}, "127.0.0.1", {}, 401),
        (WITH_TOKEN, "127.0.0.1", {}, 401),
        (WITH_TOKEN, "127.0.0.1", {"authorization": f"Bearer {TOKEN}x"}, 401),
        (WITH_TOKEN, "127.0.0.1", {"authorization": TOKEN}, 401),
        (WITH_TOKEN | PROXY, "192.0.2.7", {"authorization": f"Bearer {TOKEN}"}, 200),
    ],
)
def test_figures_are_for_this_machine_or_for_who_has_the_token(
    tmp_path: Path, more: dict[str, object], client: str, headers: dict[str, str], status: int
) -> None:
    with console(tmp_path, more, client) as (_, http):
        answer = http.get("/metrics", headers=headers)
        assert answer.status_code == status
        assert ("beeldwacht_items" in answer.text) == (status == 200)
        assert "set-cookie" not in answer.headers and TOKEN not in answer.text


def test_a_probe_is_told_which_part_is_not_well(tmp_path: Path) -> None:
    def asked(http: Asked) -> tuple[int, dict[str, bool]]:
        answer = http.get("/healthz")
        return answer.status_code, answer.json()["parts"]

    with console(tmp_path, {}) as (app, http):
        assert asked(http) == (503, {"database": True, "service": False, "folders": False, "engines": False})
        facts = {"pid": 1, "waiting": 0, "events": True, "problem": f"the inbox of {NAME} cannot be read"}
        app.store.items.beat(datetime.now(UTC), SERVICE_HEARTBEAT, facts)
        assert asked(http) == (503, {"database": True, "service": True, "folders": False, "engines": True})
        unfit = facts | {"problem": "yunet finds 0 of the 3 faces", "unfit": True, "broken_off": 2}
        app.store.items.beat(datetime.now(UTC), SERVICE_HEARTBEAT, unfit)
        assert asked(http) == (503, {"database": True, "service": True, "folders": True, "engines": False})
        told = figures(http.get("/metrics").text)
        assert (told["engines_fit", ""], told["inbox_broken_off_files", ""]) == (0, 2)
        app.store.items.beat(datetime.now(UTC), SERVICE_HEARTBEAT, facts | {"problem": ""})
        assert asked(http)[0] == 200
        app.store.items.beat(datetime.now(UTC) - timedelta(seconds=40), SERVICE_HEARTBEAT, facts | {"problem": ""})
        assert asked(http) == (503, {"database": True, "service": False, "folders": False, "engines": False})
        with app.store.database.write() as tx:
            tx.exec_driver_sql("ALTER TABLE heartbeats RENAME TO elsewhere")
        assert asked(http) == (503, {"database": False})
        assert http.get("/healthz/live").status_code == 200 and http.get("/metrics").status_code == 503
