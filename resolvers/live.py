"""Live push: which stream, whose. The place for `since` is `listen`, which can begin at any sequence."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import strawberry

from domain.coupons.model import CouponKey
from domain.shared.events import POINTS, WALLET
from domain.shared.ids import CouponId, EntryId
from resolvers.context import Info
from resolvers.points import transaction_by_id
from schema.coupons import load_coupon
from schema.live import PointsEvent, WalletEvent


@strawberry.type
class LiveSubscription:
    @strawberry.subscription(description="Each change of the viewer's wallet, after its commit.")
    async def wallet_changed(self, info: Info) -> AsyncGenerator[WalletEvent, None]:
        """The wallet's stream."""
        context = info.context
        member_id = context.member_id
        async with aclosing(context.live.listen(owner_id=member_id, stream=WALLET)) as events:
            async for event in events:
                context.forget()
                coupon = await load_coupon(context, CouponKey(member_id, CouponId(event.subject_id)))
                yield WalletEvent.of(event, coupon=coupon)

    @strawberry.subscription(description="Each movement of the viewer's points, after its commit.")
    async def points_changed(self, info: Info) -> AsyncGenerator[PointsEvent, None]:
        """The points' stream."""
        context = info.context
        member_id = context.member_id
        async with aclosing(context.live.listen(owner_id=member_id, stream=POINTS)) as events:
            async for event in events:
                context.forget()
                transaction = await transaction_by_id(info, member_id, EntryId(event.subject_id))
                available = event.facts["available"]
                assert isinstance(available, int), "a points event carries the balance after it"
                yield PointsEvent.of(event, transaction=transaction, available=available)
