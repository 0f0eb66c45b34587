"""Claims in another way: a plain JSON route over the same sets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.settings import load_settings
from app.wiring import Core, open_core
from domain.coupons.model import code_of
from domain.coupons.use_cases import ClaimCoupon
from domain.shared.errors import CallerError, Refusal
from domain.shared.idempotency import Once, input_hash
from domain.shared.ids import TemplateId

MUTATION: Final = "claimCoupon"


def json_route() -> Starlette:
    """`POST /claim`: the hand-written endpoint, authenticated as Laurel is, over Laurel's claims in sets."""
    settings = load_settings()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_core(settings) as core:
            app.state.core = core
            yield

    return Starlette(routes=[Route("/claim", _claim, methods=["POST"])], lifespan=lifespan)


async def _claim(request: Request) -> Response:
    core: Core = request.app.state.core
    try:
        principal = await core.callers.authenticate(request.headers.get("authorization"))
        if principal is None or principal.member_id is None:
            return _answer({"code": "UNAUTHENTICATED"}, status=401)
        asked = orjson.loads(await request.body())
        given = {"coupon_template_id": asked["couponTemplateId"]}
        command = ClaimCoupon(
            template_id=TemplateId(UUID(asked["couponTemplateId"])),
            member_id=principal.member_id,
            scope=principal.scope,
            once=Once(principal.caller_id, MUTATION, asked["idempotencyKey"], input_hash(given)),
        )
        done = await core.claims.claim(command)
    except (CallerError, Refusal) as refused:
        return _answer({"code": type(refused).__name__}, status=400)
    coupon_id = done.result.coupon_id
    return _answer({"coupon": {"id": str(coupon_id), "code": code_of(coupon_id)}, "replayed": done.replayed})


def _answer(content: object, *, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
