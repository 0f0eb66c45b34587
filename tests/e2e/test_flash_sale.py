"""Many members, one template, four server processes, real HTTP: what is promised is what is in the database."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from app.auth import TokenClaims
from tests.laurel import Laurel, running_laurel

STOCK = 100
MEMBERS = 2000
CONNECTIONS = 100
CLAIM = """mutation ($input: ClaimCouponInput!) { claimCoupon(input: $input) { __typename
    ... on ClaimCouponSuccess { replayed coupon { id code } } ... on Problem { code } } }"""
TEMPLATE = {
    "name": "满100减20",
    "kind": "THRESHOLD_AMOUNT_OFF",
    "terms": {"thresholdMinor": 10000, "amountMinor": 2000},
    "currencyCode": "CNY",
    "limitPerMember": 1,
    "claimOpensAt": "2020-01-01T00:00:00Z",
    "claimClosesAt": "2100-01-01T00:00:00Z",
    "validity": {"daysAfterClaim": 7},
}


@pytest.fixture(scope="module")
def laurel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laurel]:
    with running_laurel(tmp_path_factory.mktemp("laurel"), workers=4) as running:
        yield running


async def ask(client: httpx.AsyncClient, laurel: Laurel, claims: TokenClaims, query: str, given: Any) -> Any:
    answer = await client.post(
        laurel.url, json={"query": query, "variables": {"input": given}}, headers=laurel.bearer(claims)
    )
    body = answer.json()
    assert answer.status_code == 200, body
    assert "errors" not in body, body
    return next(iter(body["data"].values()))


async def published(client: httpx.AsyncClient, laurel: Laurel, *, stock: int) -> str:
    operator = TokenClaims.of_operator()
    make = """mutation ($input: CreateCouponTemplateInput!) { createCouponTemplate(input: $input) {
        ... on CreateCouponTemplateSuccess { couponTemplate { id } } } }"""
    publish = "mutation ($input: PublishCouponTemplateInput!) { publishCouponTemplate(input: $input) { __typename } }"
    key = f"template-{stock}"
    made = await ask(client, laurel, operator, make, {**TEMPLATE, "stock": stock, "idempotencyKey": key})
    template_id = str(made["couponTemplate"]["id"])
    await ask(client, laurel, operator, publish, {"couponTemplateId": template_id, "idempotencyKey": f"p{stock}"})
    return template_id


async def in_flight(requests: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """As many at once as there are connections: the client's own pool is slow with a queue of thousands."""
    waiting, answers = iter(requests), []

    async def connection() -> None:
        for request in waiting:
            answer = await request
            answers.append(answer)

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return answers


async def test_two_thousand_members_claim_a_hundred_coupons(laurel: Laurel) -> None:
    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:
        template_id = await published(client, laurel, stock=STOCK)

        async def claim(number: int) -> Any:
            given = {"couponTemplateId": template_id, "idempotencyKey": f"claim-{number}"}
            return await ask(client, laurel, TokenClaims.of_member(f"member-{number}"), CLAIM, given)

        answers = await in_flight(claim(n) for n in range(MEMBERS))
    outcomes = Counter(a.get("code", a["__typename"]) for a in answers)
    assert outcomes == {"ClaimCouponSuccess": STOCK, "SOLD_OUT": MEMBERS - STOCK}
    codes = {a["coupon"]["code"] for a in answers if "coupon" in a}
    connection = await asyncpg.connect(laurel.database_url)
    try:
        stored = await connection.fetch("SELECT code, member_id FROM coupons")
        assert {r["code"] for r in stored} == codes
        assert len({r["member_id"] for r in stored}) == STOCK
        assert await connection.fetchval("SELECT remaining FROM coupon_template_stock") == 0
        assert await connection.fetchval("SELECT count(*) FROM members") == MEMBERS
    finally:
        await connection.close()


async def test_one_key_sent_a_hundred_times_at_once_gives_one_coupon_and_one_answer(laurel: Laurel) -> None:
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=CONNECTIONS), timeout=60) as client:
        template_id = await published(client, laurel, stock=50)
        given = {"couponTemplateId": template_id, "idempotencyKey": "the-one"}
        member = TokenClaims.of_member("impatient")
        answers = await in_flight(ask(client, laurel, member, CLAIM, given) for _ in range(100))
    assert len({a["coupon"]["id"] for a in answers}) == 1
    assert Counter(a["replayed"] for a in answers) == {False: 1, True: 99}
