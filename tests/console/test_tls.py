"""Passwords and originals do not travel in the clear: the console beyond this machine needs TLS."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from pipeline.config import Console, Oidc
from tests.console.site import Site
from tests.support.school import School


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "0.0.0.0"},  # noqa: S104 - refused, that is the test
        {"host": "192.0.2.1", "address": "http://school.example"},
        {"tls_certificate": Path("a.crt")},
        {"oidc": {"issuer": "http://login.school.example", "client_id": "x", "groups": {"g": ["officer"]}}},
        {"oidc": {"issuer": "https://login.school.example"}},
        {"oidc": {"issuer": "https://l.example", "client_id": "x", "groups": {"g": ["king"]}}},
    ],
)
def test_a_configuration_in_the_clear_stops_the_start(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Console.model_validate(wrong)


def test_behind_a_proxy_or_with_a_certificate_cookies_are_for_https_only() -> None:
    assert Console(host="192.0.2.1", address="https://beeldwacht.school.example").secure
    assert not Console().secure and Oidc().issuer == ""


def certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    (folder / "c.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "c.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def test_the_console_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    school = School(tmp_path / "s", matching=False)
    certificate(school.home)
    one = Site(
        school, "serve", {"BEELDWACHT_CONSOLE__TLS_CERTIFICATE": "c.crt", "BEELDWACHT_CONSOLE__TLS_KEY": "c.key"}
    )
    try:
        assert one.address.startswith("https://")
        trusted = ssl.create_default_context(cafile=str(school.home / "c.crt"))
        answer = httpx.get(f"{one.address}/login", verify=trusted)
        assert answer.status_code == 200 and "max-age" in answer.headers["strict-transport-security"]
        assert re.search(r"__Host-bw_before=.*; Path=/; .*Secure", answer.headers["set-cookie"])
        with pytest.raises(httpx.TransportError):
            httpx.get(one.address.replace("https", "http") + "/login")
    finally:
        one.close()
