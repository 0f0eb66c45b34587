"""What the tests of orders do with the world of the coupons: carts, redemptions, budgets, invariants."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest

from app.auth.redemption import SignedRedemptionTokens
from domain.campaigns.model import RemainderPolicy
from domain.coupons.cart import Cart, CartLine
from domain.coupons.model import CouponClaimed
from domain.orders.lapsing import sweeper_of_campaigns
from domain.orders.model import CouponsRedeemed, OrderRecorded, OrderState
from domain.orders.refund_model import RefundCause
from domain.orders.rules import Seller
from domain.orders.use_cases import RecordOrder, RedeemCoupons, record_order, redeem_coupons
from domain.points.policy import DEFAULT_POLICY, PointsPolicy
from domain.shared.errors import Refusal
from domain.shared.idempotency import Done
from domain.shared.ids import CampaignId, MerchantId, StoreId
from domain.shared.principal import Scope
from persistence.campaigns.rows import deal
from persistence.campaigns.tables import BUDGET_SHARDS
from persistence.coupons.invariants import CHECKS as COUPON_CHECKS
from persistence.invariants import SqlInvariants
from persistence.orders.history_invariants import CHECKS as HISTORY_CHECKS
from persistence.orders.invariants import CHECKS as ORDER_CHECKS
from persistence.points.invariants import CHECKS as POINTS_CHECKS
from tests.coupon_world import CLOSES_AT, NAMES, OPENS_AT, SetClock, World, member, merchant, once, world

TOKENS = SignedRedemptionTokens([b"3" * 32])
SERVICE = Seller(Scope.system())
_refs = itertools.count(1001)


def store(number: int) -> StoreId:
    return StoreId(uuid5(NAMES, f"store {number}"))


def campaign(number: int = 1) -> CampaignId:
    return CampaignId(uuid5(NAMES, f"campaign {number}"))


def till(merchant_number: int = 1, *stores: StoreId) -> Seller:
    return Seller(Scope(everything=False, member_id=None, merchant_ids=(merchant(merchant_number),)), frozenset(stores))


def cart(*prices: int, of: MerchantId | None = None, **changed: Any) -> Cart:
    lines = tuple(CartLine(f"l{n}", f"p{n}", of or merchant(1), 1, price) for n, price in enumerate(prices or (12000,)))
    return Cart(currency="CNY", lines=lines, **changed)


@dataclass(frozen=True, slots=True)
class Shop:
    """Orders in the world of the coupons."""

    world: World

    async def add_store(self, number: int, *, of: int = 1) -> StoreId:
        await self.world.database.pool.execute(
            "INSERT INTO stores (id, merchant_id, external_ref, name, created_at) VALUES ($1, $2, $3, $3, now())",
            store(number),
            merchant(of),
            f"store {number}",
        )
        return store(number)

    async def add_member(self, number: int) -> None:
        await self.world.database.pool.execute(
            "INSERT INTO members (member_id, external_ref, locale, joined_at) VALUES ($1, $2, 'en', now())",
            member(number),
            f"member {number}",
        )

    async def add_campaign(
        self,
        *,
        budget_minor: int | None,
        currency: str = "CNY",
        number: int = 1,
        remainder: RemainderPolicy = RemainderPolicy.REJECT,
        **funders: int,
    ) -> CampaignId:
        await self.world.database.pool.execute(
            "INSERT INTO campaigns"
            " (id, name, goal, state, starts_at, ends_at, budget_minor, budget_currency, funder_budgets,"
            " budget_remainder, created_at)"
            " VALUES ($1, 'c', 'RETENTION', 'RUNNING', $2, $3, $4, $5, $6, $7, now())",
            campaign(number),
            OPENS_AT,
            CLOSES_AT,
            budget_minor,
            None if budget_minor is None else currency,
            funders or None,
            remainder.value,
        )
        if budget_minor is not None:
            await self.world.database.pool.executemany(
                "INSERT INTO budget_accounts VALUES ($1, $2, $3, NULL, $4, 0, 0)",
                [
                    (campaign(number), funder, shard, left)
                    for funder, limit in {"ALL": budget_minor, **funders}.items()
                    for shard, left in enumerate(deal(limit, shards=BUDGET_SHARDS))
                ],
            )
        return campaign(number)

    async def budget(self, funder: str = "ALL") -> tuple[int, int, int]:
        """What of the first campaign's account is left, held and spent."""
        row = (
            await self.world.rows(
                "SELECT sum(free_minor)::bigint, sum(reserved_minor)::bigint, sum(redeemed_minor)::bigint"
                " FROM budget_accounts WHERE campaign_id = $1 AND funder = $2",
                campaign(),
                funder,
            )
        )[0]
        return row[0], row[1], row[2]

    async def coupon(self, number: int = 1, **changed: Any) -> CouponClaimed:
        return await self.world.claimed(await self.world.published(limit_per_member=None, **changed), number)

    def token(self, coupon: CouponClaimed, *, seconds: float = 60) -> str:
        return TOKENS.sign(coupon.member_id, coupon.coupon_id, self.world.clock.at + timedelta(seconds=seconds))

    async def sweep(self, campaign_id: CampaignId) -> int:
        """What the system lends to those who find a budget held by what has run out."""
        return await sweeper_of_campaigns(begin=lambda: self.world.database.begin(Scope.system()))(campaign_id)

    async def redeem(
        self,
        coupon: CouponClaimed,
        *,
        given: Cart | None = None,
        ref: str | None = None,
        seller: Seller = SERVICE,
        store_id: StoreId | None = None,
        token: str | None = None,
        key: str | None = None,
        caller: UUID = NAMES,
    ) -> Done[CouponsRedeemed] | Refusal:
        command = RedeemCoupons(
            order_ref=ref or f"order {next(_refs)}",
            token=self.token(coupon) if token is None else token,
            cart=given or cart(),
            store_id=store_id,
            seller=seller,
            once=once(caller, key=key, mutation="redeemCoupons"),
        )
        try:
            return await redeem_coupons(command, begin=self.world.database.begin, tokens=TOKENS, sweep=self.sweep)
        except Refusal as refusal:
            return refusal

    async def redeemed(self, coupon: CouponClaimed, **how: Any) -> Done[CouponsRedeemed]:
        outcome = await self.redeem(coupon, **how)
        assert isinstance(outcome, Done), outcome
        return outcome

    async def record(
        self,
        ref: str,
        state: OrderState,
        *,
        number: int = 1,
        given: Cart | None = None,
        seller: Seller = SERVICE,
        policy: PointsPolicy = DEFAULT_POLICY,
        key: str | None = None,
        cause: RefundCause = RefundCause.CUSTOMER,
    ) -> Done[OrderRecorded] | Refusal:
        command = RecordOrder(
            order_ref=ref,
            member_id=member(number),
            state=state,
            cart=(given or cart()) if state is OrderState.PAID else None,
            seller=seller,
            once=once(NAMES, key=key, mutation="recordOrder"),
            cause=cause,
        )
        try:
            return await record_order(command, begin=self.world.database.begin, policy=policy)
        except Refusal as refusal:
            return refusal

    async def recorded(self, ref: str, state: OrderState, **how: Any) -> OrderRecorded:
        outcome = await self.record(ref, state, **how)
        assert isinstance(outcome, Done), outcome
        return outcome.result

    async def state(self, coupon: CouponClaimed) -> str:
        return str(await self.world.value("SELECT state FROM coupons WHERE id = $1", coupon.coupon_id))

    async def consistent(self) -> None:
        """Everything that must always hold, holds."""
        for checks in (ORDER_CHECKS, HISTORY_CHECKS, COUPON_CHECKS, POINTS_CHECKS):
            assert await SqlInvariants(self.world.database, checks=checks).violations(limit=5) == []

    async def pending(self) -> int:
        return int(await self.world.value("SELECT coalesce(sum(pending), 0) FROM points_accounts"))

    async def available(self) -> int:
        return int(await self.world.value("SELECT coalesce(sum(available), 0) FROM points_accounts"))

    async def events(self, stream: str) -> list[str]:
        told = "SELECT kind FROM events WHERE stream = $1 ORDER BY owner_id, sequence"
        return [row["kind"] for row in await self.world.rows(told, stream)]


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with world(database_url) as made:
        opened = Shop(made)
        for number in (1, 2):
            await made.add_merchant(number)
            await opened.add_member(number)
        yield opened
        await opened.consistent()


@asynccontextmanager
async def shops_at_once(database_url: str, *, size: int, members: int) -> AsyncIterator[list[Shop]]:
    """Four shops on one database, each with a pool of `size` as a server process has; what they did is consistent."""
    clock = SetClock()
    async with AsyncExitStack() as stack:
        made = [Shop(await stack.enter_async_context(world(database_url, size=size, clock=clock))) for _ in range(4)]
        await made[0].world.add_merchant(1)
        for number in range(1, members + 1):
            await made[0].add_member(number)
        yield made
        await made[0].consistent()
