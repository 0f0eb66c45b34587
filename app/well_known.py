"""What anybody may fetch under /.well-known: the keys with which a till without a network verifies tokens."""

import base64
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.auth.redemption import SignedRedemptionTokens

KEYS_PATH: Final = "/.well-known/laurel-redemption-keys.json"
# A key is published long before it signs (docs/operations.md), so that a copy of an hour ago will do.
_CACHE: Final = "public, max-age=3600"


def redemption_keys_route(tokens: SignedRedemptionTokens) -> Route:
    """The public keys as a JSON Web Key Set (RFC 7517, RFC 8037)."""
    keys = [
        {"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": name, "x": _base64url(key)}
        for name, key in tokens.public_keys().items()
    ]

    async def answer(_request: Request) -> Response:
        return JSONResponse({"keys": keys}, headers={"cache-control": _CACHE, "access-control-allow-origin": "*"})

    return Route(KEYS_PATH, answer, methods=["GET"])


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
