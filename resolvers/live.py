"""Live push: which stream, whose, since when."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Final, TypeAlias
from uuid import UUID

import strawberry

from domain.coupons.model import CouponKey
from domain.merchants.rules import manages
from domain.orders.model import RedemptionKey
from domain.shared.errors import BadUserInput, Forbidden
from domain.shared.events import POINTS, REDEMPTIONS, WALLET, MissedEvents, StoredEvent
from domain.shared.ids import CouponId, EntryId, MemberId, MerchantId, RedemptionId, TemplateId
from resolvers.context import Info, RequestContext
from resolvers.points import transaction_by_id
from schema.coupon_templates import load_template
from schema.coupons import load_coupon
from schema.live import PointsEvent, RedemptionEvent, StockEvent, WalletEvent
from schema.node_ids import NodeType, expect_id
from schema.orders import load_redemption
from schema.scalars import SafeInt

_SINCE: Final = (
    "The last sequence that the client has seen: what it missed comes first. Too much of it, or a sequence that there "
    "is not, is one event with snapshotRequired. None: what is new alone."
)
Since: TypeAlias = Annotated[SafeInt | None, strawberry.argument(description=_SINCE)]


@strawberry.type
class LiveSubscription:
    @strawberry.subscription(description="Each change of the viewer's wallet, after its commit.")
    async def wallet_changed(self, info: Info, since: Since = None) -> AsyncGenerator[WalletEvent, None]:
        """The wallet's stream."""
        context = info.context
        member_id = context.member_id
        async with aclosing(_events(context, owner_id=member_id, stream=WALLET, since=since)) as events:
            async for event in events:
                if isinstance(event, MissedEvents):
                    yield WalletEvent.missed(event)
                    continue
                coupon = await load_coupon(context, CouponKey(member_id, CouponId(event.subject_id)))
                yield WalletEvent.of(event, coupon=coupon)

    @strawberry.subscription(description="Each movement of the viewer's points, after its commit.")
    async def points_changed(self, info: Info, since: Since = None) -> AsyncGenerator[PointsEvent, None]:
        """The points' stream."""
        context = info.context
        member_id = context.member_id
        async with aclosing(_events(context, owner_id=member_id, stream=POINTS, since=since)) as events:
            async for event in events:
                if isinstance(event, MissedEvents):
                    account = await context.load.points_accounts.load(member_id)
                    yield PointsEvent.missed(event, available=account.available)
                    continue
                transaction = await transaction_by_id(info, member_id, EntryId(event.subject_id))
                available = event.facts["available"]
                assert isinstance(available, int), "a points event carries the balance after it"
                yield PointsEvent.of(event, transaction=transaction, available=available)

    @strawberry.subscription(
        description="What is left of a template's stock: now, and when it has changed; a few times a second at most, "
        "the newest wins."
    )
    async def stock_changed(
        self,
        info: Info,
        coupon_template_id: Annotated[strawberry.ID, strawberry.argument(description="The id of a CouponTemplate.")],
    ) -> AsyncGenerator[StockEvent, None]:
        """A stock."""
        context = info.context
        ref = expect_id(coupon_template_id, NodeType.CouponTemplate, argument="couponTemplateId")
        template_id = TemplateId(ref.id)
        if await load_template(context, template_id) is None:
            raise BadUserInput("couponTemplateId names no coupon template", path=["couponTemplateId"])
        async with aclosing(context.stocks.listen(template_id)) as stocks:
            async for left in stocks:
                context.forget()
                template = await load_template(context, template_id)
                assert template is not None, "a template that was seen stays"
                yield StockEvent(coupon_template=template, remaining=SafeInt(left.remaining), occurred_at=left.read_at)

    @strawberry.subscription(
        description="Each redemption at a merchant, for its staff. A till hears those of its own stores, whose numbers "
        "then have gaps."
    )
    async def merchant_redemptions(
        self,
        info: Info,
        merchant_id: Annotated[strawberry.ID, strawberry.argument(description="The id of a Merchant.")],
        since: Since = None,
    ) -> AsyncGenerator[RedemptionEvent, None]:
        """The merchant's stream."""
        context = info.context
        owner = MerchantId(expect_id(merchant_id, NodeType.Merchant, argument="merchantId").id)
        if not manages(context.scope, owner):
            raise Forbidden("a merchant's redemptions are shown to its staff alone")
        async with aclosing(_events(context, owner_id=owner, stream=REDEMPTIONS, since=since)) as events:
            async for event in events:
                if isinstance(event, MissedEvents):
                    yield RedemptionEvent.missed(event)
                    continue
                member_id = MemberId(UUID(str(event.facts["member_id"])))
                key = RedemptionKey(member_id, RedemptionId(event.subject_id))
                redemption = await load_redemption(context, key)
                if redemption is not None:
                    yield RedemptionEvent.of(event, redemption=redemption)


async def _events(
    context: RequestContext, *, owner_id: UUID, stream: str, since: int | None
) -> AsyncGenerator[StoredEvent | MissedEvents, None]:
    """The events of a stream; at each, what was read for the one before is forgotten."""
    if since is not None and since < 0:
        raise BadUserInput("since is not negative", path=["since"])
    async with aclosing(context.live.listen(owner_id=owner_id, stream=stream, since=since)) as events:
        async for event in events:
            context.forget()
            yield event
