"""Bringing alarms to people: a POST to a webhook, or a mail. One try each; the watchman tries again."""

from __future__ import annotations

import json
import smtplib
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Protocol

import httpx

from pipeline.config import Alarms
from pipeline.domain.types import JsonObject
from pipeline.errors import BeeldwachtError, ConfigError
from pipeline.monitoring.alarms import Notice

_SECONDS = 20.0


class NotDelivered(BeeldwachtError):
    """A place did not take the message now."""


class Place(Protocol):
    """Where messages go. `name` is what its memory is kept under."""

    name: str

    def deliver(self, notices: Sequence[Notice], now: datetime) -> None:
        """Bring these. Raises NotDelivered."""
        ...


def places(settings: Alarms, root: Path, school: str, language: str) -> tuple[Place, ...]:
    """Every place that the configuration names. Raises ConfigError when a file with a secret cannot be read."""
    found: list[Place] = []
    if settings.webhook:
        token = secret(settings.webhook_token_file, root)
        found.append(Webhook(settings.webhook, token, school, language))
    if settings.mail_to:
        found.append(Mail(settings, secret(settings.smtp_password_file, root), school, language))
    return tuple(found)


def secret(file: Path | None, root: Path) -> str:
    """The first line of a file that holds a secret; empty without a file. Raises ConfigError."""
    if file is None:
        return ""
    path = file if file.is_absolute() else root / file
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path}: the secret cannot be read ({e}).", "Give the service the right to read it.") from e
    if not lines or not lines[0].strip():
        raise ConfigError(f"{path}: holds no secret.", "Write it on the first line.")
    return lines[0].strip()


def text(notices: Sequence[Notice], school: str, language: str) -> str:
    """The message as people read it: a line for each."""
    return "\n".join([f"Beeldwacht, {school}", *(f"- {n.text(language)}" for n in notices)])


class Webhook:
    """A POST of JSON. `text` is what chat services show; `alarms` is for programs."""

    def __init__(self, address: str, token: str, school: str, language: str) -> None:
        self.name = "webhook"
        self._address = address
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._school = school
        self._language = language

    def deliver(self, notices: Sequence[Notice], now: datetime) -> None:
        """See `Place`. Anything but a 2xx is a failure, a redirection too: it would carry the token elsewhere."""
        body: JsonObject = {
            "text": text(notices, self._school, self._language),
            "school": self._school,
            "at": now.isoformat(),
            "alarms": [
                {
                    "alarm": n.alarm,
                    "state": n.state,
                    "since": n.since.isoformat(),
                    "count": n.count,
                    "items": list(n.items),
                }
                for n in notices
            ],
        }
        try:
            answer = httpx.post(
                self._address,
                content=json.dumps(body),
                timeout=_SECONDS,
                follow_redirects=False,
                headers={"content-type": "application/json", **self._headers},
            )
        except (httpx.HTTPError, ssl.SSLError, OSError) as e:
            raise NotDelivered(f"The webhook did not answer ({type(e).__name__}).", "Check [alarms] webhook.") from e
        if not answer.is_success:
            raise NotDelivered(f"The webhook answered {answer.status_code}.", "Check [alarms] webhook and its token.")


class Mail:
    """One mail to everybody in `mail_to`."""

    def __init__(self, settings: Alarms, password: str, school: str, language: str) -> None:
        self.name = "mail"
        self._settings = settings
        self._password = password
        self._school = school
        self._language = language

    def deliver(self, notices: Sequence[Notice], now: datetime) -> None:
        """See `Place`. A recipient that is refused is a failure, also when others got it."""
        s, message = self._settings, EmailMessage()
        sender = s.mail_from or f"beeldwacht@{s.mail_to[0].rpartition('@')[2]}"
        message["From"], message["To"] = sender, ", ".join(s.mail_to)
        message["Date"], message["Message-ID"] = format_datetime(now), make_msgid(domain=sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message["Subject"] = "Beeldwacht: " + "; ".join(n.title(self._language) for n in notices)
        message.set_content(text(notices, self._school, self._language) + "\n")
        try:
            with self._connected() as server:
                if s.smtp_user:
                    server.login(s.smtp_user, self._password)
                if refused := server.send_message(message):
                    raise NotDelivered(
                        f"The mail server refused {len(refused)} of the recipients.", "Check [alarms] mail_to."
                    )
        except (smtplib.SMTPException, ssl.SSLError, OSError) as e:
            raise NotDelivered(f"The mail was not taken ({type(e).__name__}).", "Check [alarms] smtp_*.") from e

    def _connected(self) -> smtplib.SMTP:
        s = self._settings
        if s.smtp_security == "tls":
            return smtplib.SMTP_SSL(s.smtp_host, s.smtp_port, timeout=_SECONDS, context=ssl.create_default_context())
        server = smtplib.SMTP(s.smtp_host, s.smtp_port, timeout=_SECONDS)
        if s.smtp_security == "starttls":
            try:
                server.starttls(context=ssl.create_default_context())
            except BaseException:
                server.close()
                raise
        return server
