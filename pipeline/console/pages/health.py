"""For machines that look after this one: is it well, and figures for Prometheus. No names, no sign-in, no cookie."""

from __future__ import annotations

import hmac
import logging
from ipaddress import ip_address

from starlette.responses import JSONResponse, PlainTextResponse, Response

from pipeline.console.request import Call
from pipeline.errors import StoreError
from pipeline.monitoring import gathering, health, metrics, monitor
from pipeline.monitoring.alarms import from_json
from pipeline.monitoring.notifiers import secret

logger = logging.getLogger(__name__)


def live(_: Call) -> Response:
    """Whether this process answers."""
    return JSONResponse({"status": "ok"})


def healthz(c: Call) -> Response:
    """Whether the database answers and the service works: 200, or 503 with the parts that do not."""
    try:
        context = health.checks(c.console.clock(), gathering.last_beat(c.console.store))
    except StoreError as e:
        logger.error("healthz: %s", e)
        context = {"database": False}
    well = all(context.values())
    return JSONResponse({"status": "ok" if well else "failing", "parts": context}, 200 if well else 503)


def figures(c: Call) -> Response:
    """/metrics, for who has the token; without one for this machine, as long as no proxy speaks for others."""
    if not _may(c):
        return PlainTextResponse("The token is needed.\n", 401, {"www-authenticate": "Bearer"})
    try:
        facts = gathering.gather(c.console.store, c.console.app.settings, c.console.clock())
        last = c.console.store.items.heartbeat(monitor.ALARMS)
    except StoreError as e:
        logger.error("metrics: %s", e)
        return PlainTextResponse("The database does not answer.\n", 503)
    memories = [from_json(m) for m in last[1]["places"].values()] if last else []
    told = {name: True for m in memories for name, known in m.alarms.items() if known.told}
    return Response(metrics.render(facts, told), media_type=metrics.CONTENT_TYPE)


def _may(c: Call) -> bool:
    settings = c.console.app.settings
    if settings.metrics.token_file:
        expected = f"Bearer {secret(settings.metrics.token_file, settings.root)}"
        return hmac.compare_digest(c.request.headers.get("authorization", "").encode(), expected.encode())
    proxy = settings.console.behind_proxy or bool(settings.console.address)
    forwarded = {"x-forwarded-for", "forwarded", "via"} & set(c.request.headers.keys())
    client = c.request.client
    return not (proxy or forwarded) and client is not None and ip_address(client.host).is_loopback
