"""An OpenID Connect server for the tests, as a process of its own: `python -m tests.console.provider PORT`.

Authorization code flow with PKCE, RS256, discovery, keys (OpenID Connect Core 1.0, RFC 7636). The person at the browser
says who they are; some of them make the server lie, to see whether the console believes it.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import sys
import time
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwk, jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "beeldwacht", "a secret of the tests"
PEOPLE: dict[str, dict[str, Any]] = {
    "officer": {"groups": ["Privacy officers", "All staff"]},
    "teacher": {"groups": ["All staff"]},
    "visitor": {"groups": ["Visitors"]},
    "takeover": {"groups": ["Privacy officers"], "preferred_username": "local.admin"},
    "other-nonce": {"groups": ["Privacy officers"], "nonce": "another"},
    "other-audience": {"groups": ["Privacy officers"], "aud": "another"},
    "other-issuer": {"groups": ["Privacy officers"], "iss": "http://127.0.0.1:1"},
    "too-old": {"groups": ["Privacy officers"], "exp": 1000},
    "other-key": {"groups": ["Privacy officers"]},
    "unsigned": {"groups": ["Privacy officers"]},
    "shared-secret": {"groups": ["Privacy officers"]},
}


def app(issuer: str) -> Starlette:
    """The server."""
    key, wrong = (jwk.RSAKey.generate_key(2048, {"kid": "1"}) for _ in range(2))
    codes: dict[str, dict[str, str]] = {}

    def discovery(_: Request) -> Response:
        return JSONResponse(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    def keys(_: Request) -> Response:
        return JSONResponse({"keys": [key.as_dict(private=False)]})

    def authorize(request: Request) -> Response:
        q = dict(request.query_params)
        if q.get("client_id") != CLIENT or q.get("response_type") != "code" or q.get("code_challenge_method") != "S256":
            return JSONResponse({"error": "invalid_request"}, 400)
        if "user" not in q:
            return Response("Who are you?", media_type="text/plain")
        code = secrets.token_urlsafe(16)
        codes[code] = q
        return RedirectResponse(f"{q['redirect_uri']}?{urlencode({'code': code, 'state': q['state']})}", 302)

    async def token(request: Request) -> Response:
        form = await request.form()
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = codes.pop(str(form.get("code")), None)
        verifier = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        if request.headers.get("authorization") != f"Basic {basic}" or asked is None:
            return JSONResponse({"error": "invalid_client"}, 401)
        if asked["code_challenge"] != challenge or asked["redirect_uri"] != form.get("redirect_uri"):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now, user = int(time.time()), asked["user"]
        claims = {
            "iss": issuer,
            "sub": f"id-of-{user}",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "preferred_username": user,
            **PEOPLE[user],
        }
        if user == "unsigned":
            parts = [
                base64.urlsafe_b64encode(x).rstrip(b"=").decode()
                for x in (b'{"alg":"none"}', str(claims).replace("'", '"').encode(), b"")
            ]
            id_token = ".".join(parts)
        elif user == "shared-secret":
            secret = jwk.OctKey.import_key(key.as_pem(private=False))
            id_token = jwt.encode({"alg": "HS256"}, claims, secret, algorithms=["HS256"])
        else:
            id_token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, wrong if user == "other-key" else key)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": id_token})

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", discovery),
            Route("/keys", keys),
            Route("/authorize", authorize),
            Route("/token", token, methods=["POST"]),
        ]
    )


if __name__ == "__main__":
    port = int(sys.argv[1])
    uvicorn.run(app(f"http://127.0.0.1:{port}"), host="127.0.0.1", port=port, log_level="error")
