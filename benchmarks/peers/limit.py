"""The limit: one hand-written endpoint that answers one question, its JSON built by PostgreSQL in one statement."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from typing_extensions import override

from app.auth.verifier import Verifier, bearer_token
from app.keys import token_verifier
from app.settings import load_settings
from domain.shared.errors import Unauthenticated

if TYPE_CHECKING:
    from asyncpg import Pool, Record

    _Connection = asyncpg.Connection[Record]
else:
    _Connection = asyncpg.Connection

WALLET = """SELECT json_build_object('data', json_build_object('me', (
  SELECT json_build_object('id', m.member_id, 'locale', m.locale, 'joinedAt', m.joined_at, 'wallet',
    json_build_object('coupons', json_build_object('edges', coalesce((
      SELECT json_agg(json_build_object('node', json_build_object(
        'id', c.id, 'state', c.state, 'validUntil', c.valid_until,
        'template', json_build_object('name', t.name,
          'campaign', json_build_object('name', p.name,
            'merchant', json_build_object('id', r.id, 'name', r.name)))))
        ORDER BY c.claimed_at DESC, c.id DESC)
      FROM (SELECT id, valid_until, claimed_at, template_id,
          CASE WHEN state = 'CLAIMED' AND valid_until <= now() THEN 'EXPIRED' ELSE state END AS state
        FROM coupons WHERE member_id = m.member_id ORDER BY claimed_at DESC, id DESC LIMIT $2) c
      JOIN coupon_templates t ON t.id = c.template_id
      JOIN campaigns p ON p.id = t.campaign_id
      JOIN merchants r ON r.id = p.merchant_id), '[]'::json))))
  FROM members m WHERE m.external_ref = $1)))::text"""
PAGE = 20


class NoReset(_Connection):
    """A connection that needs no statement to be given back: this server leaves nothing behind in its session."""

    @override
    def get_reset_query(self) -> str:
        """Nothing to reset."""
        return ""


def make_app() -> Starlette:
    """The application."""
    settings = load_settings()
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        verifier = token_verifier(settings)
        await verifier.start()
        async with asyncpg.create_pool(
            url, min_size=settings.database_pool, max_size=settings.database_pool, connection_class=NoReset
        ) as pool:
            app.state.pool, app.state.verifier = pool, verifier
            yield
        await verifier.aclose()

    return Starlette(routes=[Route("/graphql", _wallet, methods=["POST"])], lifespan=lifespan)


async def _wallet(request: Request) -> Response:
    pool: Pool[Record] = request.app.state.pool
    verifier: Verifier = request.app.state.verifier
    try:
        principal = await verifier.verify(bearer_token(request.headers.get("authorization", "")))
    except Unauthenticated:
        return Response(b'{"errors":[{"message":"unauthenticated"}]}', 401, media_type="application/json")
    first = orjson.loads(await request.body()).get("variables", {}).get("first", PAGE)
    async with pool.acquire() as connection:
        answer = await connection.fetchval(WALLET, principal.subject, first)
    return Response(answer, media_type="application/json")
