"""A street of merchants with a member who shops there, asked through the schema."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from domain.shared.principal import MerchantRole, Principal
from domain.shared.programme import Programme
from tests.coupon_world import CLOSES_AT, OPENS_AT, PROGRAMME
from tests.world import OPERATOR, World, open_world, staff, uuid_of

QUOTE = """
    lines { id quantity payable { minorUnits } allocations { amount { minorUnits } coupon { id } } }
    subtotal { minorUnits } discount { minorUnits } shipping { minorUnits } payable { amount }
    applied { amount { minorUnits } coupon { id headline state } shares { funder amount { minorUnits } }
              eligibility { eligible } }
    notApplied { eligibility { eligible shortfall { amount } unlock } coupon { id } conflictsWith { id } }
    pointsEarned validUntil
"""
REDEEMED = (
    "redemptions { id orderRef redeemedAt reversedAt discount { minorUnits } shares { funder amount { minorUnits } }"
    " coupon { id headline state history { nodes { change } } } store { name } } quote {" + QUOTE + "}"
)
FACTS = """
    ... on CouponNotUsableProblem { state }
    ... on CouponExpiredProblem { couponExpiredAt: expiredAt }
    ... on RedemptionCodeExpiredProblem { codeExpiredAt: expiredAt }
    ... on NotEligibleProblem { eligibility { eligible shortfall { amount } unlock because { name passed } } }
    ... on BudgetExhaustedProblem { required { amount } }
    ... on InvalidStateChangeProblem { current wanted }
    ... on NotFoundProblem { noun }
"""
RECORD_FACTS = "... on InvalidStateChangeProblem { current wanted } ... on NotFoundProblem { noun }"


@dataclass(frozen=True, slots=True)
class Street:
    """Two merchants, the first with two stores, and a member with a coupon of the platform: 满100减20."""

    world: World
    member: Principal
    merchant: str
    other: str
    store: str
    second_store: str

    @property
    def till(self) -> Principal:
        return staff(uuid_of(self.merchant), uuid_of(self.store), role=MerchantRole.TILL)

    @property
    def owner(self) -> Principal:
        return staff(uuid_of(self.merchant))

    async def coupon(self, member: Principal | None = None, **changed: Any) -> str:
        given = {
            "name": "满100减20",
            "kind": "THRESHOLD_AMOUNT_OFF",
            "terms": {"thresholdMinor": 10000, "amountMinor": 2000},
            "currencyCode": "CNY",
            "stock": 10,
            "claimOpensAt": OPENS_AT.isoformat(),
            "claimClosesAt": CLOSES_AT.isoformat(),
            "validity": {"daysAfterClaim": 7},
        } | changed
        made = await self.world.do("createCouponTemplate", OPERATOR, "couponTemplate { id }", **given)
        template = made["couponTemplate"]["id"]
        await self.world.do("publishCouponTemplate", OPERATOR, couponTemplateId=template)
        claimed = await self.world.do("claimCoupon", member or self.member, "coupon { id }", couponTemplateId=template)
        return str(claimed["coupon"]["id"])

    async def token(self, coupon: str, member: Principal | None = None) -> str:
        found = await self.world.ask(
            "query($id: ID!) { node(id: $id) { ... on Coupon { redemptionCode { token } } } }",
            member or self.member,
            id=coupon,
        )
        return str(found["node"]["redemptionCode"]["token"])

    def cart(self, *amounts: str, of: str | None = None) -> dict[str, Any]:
        lines = [
            {
                "id": f"l{n}",
                "productRef": f"p{n}",
                "merchantId": of or self.merchant,
                "quantity": 1,
                "unitPrice": {"amount": amount, "currencyCode": "CNY"},
            }
            for n, amount in enumerate(amounts or ("120.00",))
        ]
        return {"currencyCode": "CNY", "lines": lines}

    async def redeem(self, who: Principal, coupon: str, **changed: Any) -> Mapping[str, Any]:
        given = {"orderRef": "A1", "cart": self.cart(), "storeId": self.store} | changed
        given.setdefault("redemptionToken", await self.token(coupon))
        return await self.world.do("redeemCoupons", who, REDEEMED + "}" + FACTS + "... on Problem { code", **given)

    async def record(self, who: Principal, state: str, **changed: Any) -> Mapping[str, Any]:
        member = (await self.world.ask("{ me { id } }", self.member))["me"]["id"]
        given = {"orderRef": "A1", "memberId": member, "state": state} | changed
        if state == "PAID":
            given.setdefault("cart", self.cart())
        return await self.world.do(
            "recordOrder",
            who,
            "orderRef state pointsPending pointsEarned }" + RECORD_FACTS + "... on Problem { code",
            **given,
        )


@pytest.fixture
async def street(database_url: str) -> AsyncIterator[Street]:
    async with open_street(database_url) as opened:
        yield opened


@asynccontextmanager
async def open_street(database_url: str, *, programme: Programme = PROGRAMME) -> AsyncIterator[Street]:
    async with open_world(database_url, programme=programme) as world:
        merchant, other = await world.merchant("tea"), await world.merchant("books")
        stores = [
            (await world.do("createStore", OPERATOR, "store { id }", merchantId=merchant, name=n, externalRef=n))[
                "store"
            ]["id"]
            for n in ("North", "South")
        ]
        yield Street(world, await world.member(), merchant, other, *stores)
