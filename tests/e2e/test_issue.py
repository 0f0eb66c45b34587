"""Ten thousand coupons issued over HTTP, watched, killed in the middle with kill -9, and finished under the key."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from app.auth import TokenClaims
from schema.node_ids import NodeType, node_id
from tests.e2e.test_flash_sale import ask, published
from tests.laurel import Laurel, running_laurel, wait_until_ready

ROWS = 10_000
OPERATOR = TokenClaims.of_operator()
ISSUE = """mutation ($input: IssueCouponsInput!) { issueCoupons(input: $input) { __typename
    ... on IssueCouponsSuccess { replayed outcomes { memberId coupon { id } problem { code } } }
    ... on Problem { code message } } }"""
PROGRESS = "query ($key: ID!) { operation(idempotencyKey: $key) { mutation progress { done total } } }"


@pytest.fixture
def laurel(tmp_path: Path) -> Iterator[Laurel]:
    with running_laurel(tmp_path, workers=2) as running:
        yield running


async def progress(client: httpx.AsyncClient, laurel: Laurel) -> tuple[int, int] | None:
    """How far the batch is, as `operation` tells."""
    body = {"query": PROGRESS, "variables": {"key": "ten-thousand"}}
    answer = (await client.post(laurel.url, json=body, headers=laurel.bearer(OPERATOR))).json()
    operation = answer["data"]["operation"]
    return None if operation is None else (operation["progress"]["done"], operation["progress"]["total"])


def kill_server_processes(laurel: Laurel) -> int:
    """`kill -9` of all that `serve` has started; it starts others."""
    children = Path(f"/proc/{laurel.process.pid}/task/{laurel.process.pid}/children").read_text().split()
    for pid in children:
        os.kill(int(pid), signal.SIGKILL)
    return len(children)


async def test_a_batch_of_ten_thousand_survives_a_kill_and_answers_every_row_once(laurel: Laurel) -> None:
    connection = await asyncpg.connect(laurel.database_url)
    async with httpx.AsyncClient(timeout=60) as client:
        template_id = await published(client, laurel, stock=ROWS - 10)
        members = await connection.fetch(
            "INSERT INTO members (member_id, external_ref, locale, joined_at)"
            " SELECT uuidv7(), 'm' || n, 'en', now() FROM generate_series(1, $1) AS n RETURNING member_id",
            ROWS,
        )
        given = {
            "couponTemplateId": template_id,
            "memberIds": [node_id(NodeType.Member, row["member_id"]) for row in members],
            "reason": "补偿",
            "idempotencyKey": "ten-thousand",
        }
        seen = await _killed_in_the_middle(client, laurel, given)
        assert 0 < seen < ROWS
        wait_until_ready(f"{laurel.base}/readyz", process=laurel.process)
        before = await connection.fetchval("SELECT count(*) FROM coupons")
        assert seen <= before < ROWS
        issued = await ask(client, laurel, OPERATOR, ISSUE, given)
        again = await ask(client, laurel, OPERATOR, ISSUE, given)
        assert (issued["replayed"], again["replayed"]) == (False, True)
        assert issued["outcomes"] == again["outcomes"]
        assert await progress(client, laurel) == (ROWS, ROWS)
    assert [outcome["memberId"] for outcome in issued["outcomes"]] == given["memberIds"]
    coupons = {outcome["coupon"]["id"] for outcome in issued["outcomes"] if outcome["coupon"]}
    problems = [outcome["problem"]["code"] for outcome in issued["outcomes"] if outcome["problem"]]
    assert (len(coupons), problems) == (ROWS - 10, ["SOLD_OUT"] * 10)
    assert await connection.fetchval("SELECT count(*) FROM coupons") == ROWS - 10
    assert await connection.fetchval("SELECT count(DISTINCT member_id) FROM coupons") == ROWS - 10
    assert await connection.fetchval("SELECT remaining FROM coupon_template_stock") == 0
    await connection.close()


async def _killed_in_the_middle(client: httpx.AsyncClient, laurel: Laurel, given: dict[str, Any]) -> int:
    """Sends the batch, watches how far it is, and kills the server between a tenth and the end; what was seen."""
    sent = asyncio.create_task(ask(client, laurel, OPERATOR, ISSUE, given))
    async with asyncio.timeout(60):
        while True:
            assert not sent.done(), "it was to be killed before it ends"
            told = await progress(client, laurel)
            if told is not None and told[0] >= ROWS // 10:
                break
            await asyncio.sleep(0.01)
    assert told[1] == ROWS
    assert kill_server_processes(laurel) >= 2
    with pytest.raises(httpx.TransportError):
        await sent
    return told[0]
