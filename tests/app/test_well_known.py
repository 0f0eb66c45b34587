"""The keys that tills fetch while they have a network."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.applications import Starlette

from app.auth import SignedRedemptionTokens
from app.well_known import KEYS_PATH, redemption_keys_route
from domain.shared.ids import CouponId, MemberId

OLD, NEW = b"o" * 32, b"n" * 32
SOON = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(minutes=1)


async def test_anybody_may_fetch_the_keys_and_verify_with_them() -> None:
    tokens = SignedRedemptionTokens([NEW, OLD])
    app = Starlette(routes=[redemption_keys_route(tokens)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://laurel") as client:
        answer = await client.get(KEYS_PATH)
        assert (await client.post(KEYS_PATH)).status_code == 405
    assert answer.headers["cache-control"].startswith("public, max-age=")
    keys = {key["kid"]: key for key in answer.json()["keys"]}
    assert all(set(key) == {"kty", "crv", "use", "kid", "x"} for key in keys.values()), "nothing that is secret"
    for seed in (OLD, NEW):
        shown = SignedRedemptionTokens([seed]).sign(MemberId(UUID(int=1)), CouponId(UUID(int=2)), SOON)
        content = base64.urlsafe_b64decode(shown.removeprefix("lrt1.") + "=")
        public = jwt.PyJWK(keys[content[:4].hex()], algorithm="EdDSA").key
        assert isinstance(public, Ed25519PublicKey)
        public.verify(content[-64:], b"laurel redemption token v1\x00" + content[:-64])
