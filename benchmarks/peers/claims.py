"""Claims in two other ways: a plain JSON route over the same sets, and Laurel itself with a transaction per claim."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final
from uuid import UUID

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Send
from starlette.types import Scope as HttpScope
from typing_extensions import override

from app.asgi import open_process
from app.logs import configure_logs
from app.settings import load_settings
from app.wiring import Core, open_core
from domain.coupons.desk import ClaimDesk
from domain.coupons.model import CouponClaimed, code_of
from domain.coupons.use_cases import Begin, ClaimCoupon, claim_coupons
from domain.shared.errors import CallerError, Refusal
from domain.shared.idempotency import Done, Once, input_hash
from domain.shared.ids import TemplateId
from domain.shared.principal import Scope

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


class PerRequestDesk(ClaimDesk):
    """Claims as they are usually written: SELECT … FOR UPDATE and a transaction for each."""

    def __init__(self, *, begin: Begin) -> None:
        super().__init__(begin=begin)
        self._each = begin

    @override
    async def claim(self, command: ClaimCoupon) -> Done[CouponClaimed]:
        """The outcome of one claim."""
        outcome = (await claim_coupons([command], begin=self._each))[0]
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome


def per_request() -> Starlette:
    """Laurel's own front end over claims that are decided one by one."""
    settings = load_settings()
    configure_logs(settings)
    served: list[Starlette] = []

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            process = await stack.enter_async_context(open_process(settings))
            database = process.core.database
            desk = PerRequestDesk(begin=lambda: database.begin(Scope.system()))
            # The one part that differs; everything else is as `serve` makes it.
            object.__setattr__(process.core, "claims", desk)
            served.append(process.app)
            yield

    async def serve(scope: HttpScope, receive: Receive, send: Send) -> None:
        await served[0](scope, receive, send)

    return Starlette(routes=[Mount("/", app=serve)], lifespan=lifespan)
