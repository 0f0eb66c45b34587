"""A phone shows a coupon's code, tills scan it: real HTTP, several server processes, one use."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from app.auth import TokenClaims
from app.graphiql.documents import TILL
from domain.shared.ids import MerchantId
from domain.shared.principal import MerchantRole
from schema.node_ids import read_node_id
from tests.e2e.test_flash_sale import ask, published
from tests.laurel import Laurel, running_laurel

ROUNDS = 10
CLAIM = """mutation ($input: ClaimCouponInput!) { claimCoupon(input: $input) {
    ... on ClaimCouponSuccess { coupon { id redemptionCode { token } } } ... on Problem { code } } }"""
REDEEM = "mutation Redeem(" + TILL.partition("mutation Redeem(")[2]


@pytest.fixture(scope="module")
def laurel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laurel]:
    with running_laurel(tmp_path_factory.mktemp("laurel"), workers=3) as running:
        yield running


async def made(client: httpx.AsyncClient, laurel: Laurel, what: str, **given: Any) -> str:
    kind = what[0].upper() + what[1:]
    document = (
        f"mutation ($input: Create{kind}Input!) {{ create{kind}(input: $input) {{"
        f" ... on Create{kind}Success {{ {what} {{ id }} }} }} }}"
    )
    answered = await ask(
        client, laurel, TokenClaims.of_operator(), document, {**given, "idempotencyKey": given["externalRef"]}
    )
    return str(answered[what]["id"])


async def test_a_code_scanned_by_two_tills_at_once_is_used_once(laurel: Laurel) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        template_id = await published(client, laurel, stock=1000)
        merchant = await made(client, laurel, "merchant", name="Tea", externalRef="tea")
        stores = [
            await made(client, laurel, "store", name=n, externalRef=n, merchantId=merchant) for n in ("north", "south")
        ]
        ref = read_node_id(merchant)
        assert ref is not None
        till = TokenClaims.of_merchant(MerchantId(ref.id), role=MerchantRole.TILL)
        line = {
            "id": "1",
            "productRef": "oolong",
            "merchantId": merchant,
            "quantity": 2,
            "unitPrice": {"amount": "60.00", "currencyCode": "CNY"},
        }
        cart = {"currencyCode": "CNY", "lines": [line]}

        async def redeem(token: str, *, store: str, number: str) -> Any:
            variables = {
                "orderRef": number,
                "redemptionToken": token,
                "cart": cart,
                "storeId": store,
                "idempotencyKey": f"{number} in {store}",
            }
            answer = await client.post(
                laurel.url, json={"query": REDEEM, "variables": variables}, headers=laurel.bearer(till)
            )
            assert answer.status_code == 200, answer.text
            assert "errors" not in answer.json(), answer.text
            return answer.json()["data"]["redeemCoupons"]

        outcomes: Counter[str] = Counter()
        for number in range(ROUNDS):
            member = TokenClaims.of_member(f"member-{number}")
            given = {"couponTemplateId": template_id, "idempotencyKey": "c"}
            claimed = await ask(client, laurel, member, CLAIM, given)
            token = claimed["coupon"]["redemptionCode"]["token"]
            answers = await asyncio.gather(
                *(redeem(token, store=store, number=f"{number}-{place}") for place, store in enumerate(stores))
            )
            outcomes.update(answer.get("code", "done") for answer in answers)
            done = next(answer for answer in answers if "quote" in answer)
            assert done["quote"]["payable"] == {"amount": "100.00", "currencyCode": "CNY"}
            assert done["redemptions"][0]["coupon"]["headline"] == "满100减20"
        assert outcomes == {"done": ROUNDS, "COUPON_NOT_USABLE": ROUNDS}
    database = await asyncpg.connect(laurel.database_url)
    try:
        assert await database.fetchval("SELECT count(*) FROM redemptions WHERE reversed_at IS NULL") == ROUNDS
        assert await database.fetchval("SELECT count(*) FROM orders") == ROUNDS
    finally:
        await database.close()
