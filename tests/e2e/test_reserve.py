"""An order's coupons are reserved by a phone and paid by the order system: real HTTP, several server processes."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from app.auth import TokenClaims
from tests.e2e.test_flash_sale import ask, published
from tests.e2e.test_redeem import made
from tests.laurel import Laurel, running_laurel

ROUNDS = 10
CLAIM = """mutation ($input: ClaimCouponInput!) { claimCoupon(input: $input) {
    ... on ClaimCouponSuccess { coupon { id } } ... on Problem { code } } }"""
RESERVE = """mutation ($input: ReserveCouponsInput!) { reserveCoupons(input: $input) {
    ... on ReserveCouponsSuccess { reservation { id state expiresAt } quote { payable { amount } } }
    ... on Problem { code } } }"""
RELEASE = """mutation ($input: ReleaseReservationInput!) { releaseReservation(input: $input) {
    ... on ReleaseReservationSuccess { coupons { state } } ... on Problem { code } } }"""
PAY = """mutation ($input: RedeemCouponsInput!) { redeemCoupons(input: $input) {
    ... on RedeemCouponsSuccess { lateCapture replayed quote { payable { amount } } redemptions { id } }
    ... on Problem { code } } }"""
STATE = """query ($id: ID!) { node(id: $id) { ... on Coupon { state } } }"""
SERVICE = TokenClaims.of_service()


@pytest.fixture(scope="module")
def laurel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laurel]:
    with running_laurel(tmp_path_factory.mktemp("laurel"), workers=3) as running:
        yield running


def cart_of(merchant: str) -> Mapping[str, Any]:
    line = {
        "id": "1",
        "productRef": "oolong",
        "merchantId": merchant,
        "quantity": 2,
        "unitPrice": {"amount": "60.00", "currencyCode": "CNY"},
    }
    return {"currencyCode": "CNY", "lines": [line]}


async def state_of(client: httpx.AsyncClient, laurel: Laurel, member: TokenClaims, coupon: str) -> str:
    asked = {"query": STATE, "variables": {"id": coupon}}
    answer = await client.post(laurel.url, json=asked, headers=laurel.bearer(member))
    return str(answer.json()["data"]["node"]["state"])


async def test_a_reservation_is_paid_once_or_released_and_late_while_nobody_took_it(laurel: Laurel) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        template_id = await published(client, laurel, stock=1000)
        merchant = await made(client, laurel, "merchant", name="Tea", externalRef="tea")

        async def reserved(number: int, *, ttl: int = 900) -> tuple[TokenClaims, str, str]:
            member = TokenClaims.of_member(f"member-{number}")
            given = {"couponTemplateId": template_id, "idempotencyKey": "c"}
            coupon = (await ask(client, laurel, member, CLAIM, given))["coupon"]["id"]
            asked = {"orderRef": f"A{number}", "cart": cart_of(merchant), "couponIds": [coupon], "ttlSeconds": ttl}
            held = await ask(client, laurel, member, RESERVE, {**asked, "idempotencyKey": "r"})
            assert held["quote"]["payable"] == {"amount": "100.00"}
            return member, coupon, held["reservation"]["id"]

        async def pay(number: int, reservation: str, *, key: str) -> Any:
            asked = {"orderRef": f"A{number}", "reservationId": reservation, "idempotencyKey": key}
            return await ask(client, laurel, SERVICE, PAY, asked)

        late_member, late_coupon, late = await reserved(1000, ttl=10)
        ends: Counter[str] = Counter()
        for number in range(ROUNDS):
            member, coupon, reservation = await reserved(number)
            *payments, freed = await asyncio.gather(
                *(pay(number, reservation, key=f"{number} {attempt}") for attempt in range(3)),
                ask(client, laurel, member, RELEASE, {"reservationId": reservation, "idempotencyKey": "f"}),
            )
            end = await state_of(client, laurel, member, coupon)
            ends[end] += 1
            if end == "REDEEMED":
                assert Counter(payment["replayed"] for payment in payments) == {False: 1, True: 2}
                assert freed == {"code": "INVALID_STATE_CHANGE"}
            else:
                assert (end, payments) == ("CLAIMED", [{"code": "INVALID_STATE_CHANGE"}] * 3)
                assert freed == {"coupons": [{"state": "CLAIMED"}]}
        assert sum(ends.values()) == ROUNDS
        for _ in range(60):
            if await state_of(client, laurel, late_member, late_coupon) == "CLAIMED":
                break
            await asyncio.sleep(0.5)
        done = await pay(1000, late, key="late")
        assert (done["lateCapture"], done["replayed"]) == (True, False)
        assert await state_of(client, laurel, late_member, late_coupon) == "REDEEMED"
