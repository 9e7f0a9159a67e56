"""The client's side of OpenID Connect: where to send people, and whether what comes back is true."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc import jwk, jwt
from joserfc.errors import JoseError

from pipeline.config import Oidc
from pipeline.console.auth import digest, roles_of
from pipeline.errors import BeeldwachtError, StartupError
from pipeline.store.accounts import AccountRole

_SECONDS = 10.0
_KEPT = 600.0
_MOST = 1000
_LEEWAY = 60
_PAUSE = 30.0
"""After a server that did not answer: who comes within it is told at once, and holds no thread."""
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Signatures with the server's public key only: `none` and shared secrets are not believed."""


class OidcError(BeeldwachtError):
    """The school's server did not vouch for anybody whom the console knows a role for."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the server says this is. `subject` holds the issuer too; `next` is the page that was asked for."""

    subject: str
    name: str
    roles: list[AccountRole]
    next: str


@dataclass(frozen=True, slots=True)
class _Begun:
    state: str
    nonce: str
    verifier: str
    next: str
    at: float


class OidcClient:
    """One configured server. Its addresses and keys are read when they are first needed."""

    def __init__(
        self, settings: Oidc, clock: Callable[[], datetime], seconds: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises StartupError when the secret is not given."""
        self._s = settings
        self._clock = clock
        self._seconds = seconds
        self._secret = os.environ.get(settings.secret_variable, "")
        if not self._secret:
            raise StartupError(
                f"The variable {settings.secret_variable} is not set.",
                "Put the secret of the OIDC client there, or take [console.oidc] out.",
            )
        self._begun: dict[str, _Begun] = {}
        self._metadata: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._failed_at = -_PAUSE

    def begin(self, cookie: str, back: str, target: str) -> str:
        """The address to send a browser to. What is expected back is bound to its cookie."""
        endpoint = self._discovered()["authorization_endpoint"]
        begun = _Begun(
            secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), target, self._seconds()
        )
        with self._lock:
            for key in [k for k, b in self._begun.items() if self._seconds() - b.at > _KEPT]:
                del self._begun[key]
            if len(self._begun) >= _MOST:
                raise OidcError("Too many people are signing in.", "Try again in ten minutes.")
            self._begun[digest(cookie)] = begun
        with self._client(back) as client:
            url, _ = client.create_authorization_url(
                endpoint,
                state=begun.state,
                nonce=begun.nonce,
                code_verifier=begun.verifier,
            )
        return str(url)

    def finish(self, cookie: str, address: str, back: str) -> Identity:
        """Who came back. Raises OidcError when anything about it is not as it must be."""
        with self._lock:
            begun = self._begun.pop(digest(cookie), None)
        given = parse_qs(urlsplit(address).query)
        state = given.get("state", [""])[0]
        if begun is None or self._seconds() - begun.at > _KEPT or not secrets.compare_digest(state, begun.state):
            raise OidcError("This sign-in was not begun here, or too long ago.", "Begin again.")
        if "error" in given or not given.get("code"):
            raise OidcError("The school's server did not sign you in.", "Begin again.")
        from authlib.integrations.base_client import OAuthError  # noqa: PLC0415 - slow to load, and seldom needed

        try:
            with self._client(back) as client:
                token = client.fetch_token(
                    self._discovered()["token_endpoint"],
                    code=given["code"][0],
                    code_verifier=begun.verifier,
                    grant_type="authorization_code",
                )
            claims = self._verified(str(token["id_token"]), begun.nonce)
        except (OAuthError, httpx.HTTPError, JoseError, KeyError, ValueError) as e:
            raise OidcError("What the school's server said could not be verified.", "Tell the administrator.") from e
        return self._identity(claims, begun.next)

    def _verified(self, id_token: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token: its signature, issuer, audience, times and nonce (OpenID Connect Core 3.1.3.7)."""
        keys = jwk.KeySet.import_key_set(self._read(self._discovered()["jwks_uri"]))
        token = jwt.decode(id_token, keys, algorithms=_ALGORITHMS)
        jwt.JWTClaimsRegistry(
            now=int(self._clock().timestamp()),
            leeway=_LEEWAY,
            iss={"essential": True, "value": self._discovered()["issuer"]},
            aud={"essential": True, "value": self._s.client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(token.claims)
        if isinstance(token.claims["aud"], list) and token.claims.get("azp", self._s.client_id) != self._s.client_id:
            raise ValueError("the token was made for another client")
        return dict(token.claims)

    def _identity(self, claims: dict[str, Any], target: str) -> Identity:
        groups = claims.get(self._s.groups_claim, [])
        groups = [groups] if isinstance(groups, str) else groups
        roles = {r for g in groups if isinstance(g, str) for r in self._s.groups.get(g, ())}
        if not roles:
            raise OidcError("None of your groups may use the console.", "Ask an administrator.")
        name = str(claims.get(self._s.name_claim) or claims["sub"])
        return Identity(f"{self._s.issuer}#{claims['sub']}", name, roles_of(sorted(roles)), target)

    def _discovered(self) -> dict[str, Any]:
        """What the server says about itself; it must be who it is asked as. One at a time asks, the others wait."""
        with self._asking:
            if not self._metadata:
                if self._seconds() - self._failed_at < _PAUSE:
                    raise OidcError("The school's server cannot be reached.", "Try again, or use a password.")
                self._failed_at = self._seconds()
                found = self._read(f"{self._s.issuer.rstrip('/')}/.well-known/openid-configuration")
                if found.get("issuer") != self._s.issuer:
                    raise OidcError("The school's server has another name.", "Correct issuer in [console.oidc].")
                self._metadata = found
            return self._metadata

    def _read(self, url: str) -> Any:
        try:
            answer = httpx.get(url, timeout=_SECONDS)
            answer.raise_for_status()
            return answer.json()
        except (httpx.HTTPError, ValueError) as e:
            raise OidcError("The school's server cannot be reached.", "Try again, or use a password.") from e

    def _client(self, back: str) -> Any:
        from authlib.integrations.httpx_client import OAuth2Client  # noqa: PLC0415

        return OAuth2Client(
            self._s.client_id,
            self._secret,
            scope=self._s.scope,
            redirect_uri=back,
            code_challenge_method="S256",
            timeout=_SECONDS,
        )
