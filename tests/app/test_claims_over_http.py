"""Claims through a real socket: too many at once are turned away, and a client that hangs up harms nobody.

Nor does one that sends the same write again and again while it is under way.
"""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from app.asgi import Process, open_process
from app.auth import TokenClaims
from app.keys import token_issuer
from app.process import server_of
from app.settings import Settings
from domain.coupons.desk import ClaimDesk
from domain.shared.ids import TemplateId
from domain.shared.principal import Scope
from schema.node_ids import NodeType, node_id
from tests.coupon_world import world

CLAIM = """mutation ($input: ClaimCouponInput!) { claimCoupon(input: $input) { __typename
    ... on ClaimCouponSuccess { replayed coupon { id } } ... on Problem { code } } }"""
CHECK_IN = "mutation ($input: CheckInInput!) { checkIn(input: $input) { ... on CheckInSuccess { replayed } } }"


OPENS_AT, CLOSES_AT = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Server:
    """One server process of its own port, in this process: its parts are in reach."""

    settings: Settings
    process: Process
    port: int
    template_id: TemplateId

    def request(self, member: str, *, key: str) -> tuple[dict[str, str], dict[str, Any]]:
        token = token_issuer(self.settings).issue(TokenClaims.of_member(member))
        template = node_id(NodeType.CouponTemplate, self.template_id)
        given = {"couponTemplateId": template, "idempotencyKey": key}
        return {"Authorization": f"Bearer {token}"}, {"query": CLAIM, "variables": {"input": given}}

    async def claim(self, client: httpx.AsyncClient, member: str, *, key: str | None = None) -> str | bool:
        """`replayed` of a success, or the code that it was refused with."""
        headers, body = self.request(member, key=key or member)
        answer = (await client.post(f"http://127.0.0.1:{self.port}/graphql", json=body, headers=headers)).json()
        if "errors" in answer:
            return str(answer["errors"][0]["extensions"]["code"])
        claimed = answer["data"]["claimCoupon"]
        found: str | bool = claimed.get("code", claimed.get("replayed"))
        return found

    async def check_in(self, client: httpx.AsyncClient, member: str, *, key: str) -> bool:
        """Whether it was a replay."""
        headers, _ = self.request(member, key=key)
        body = {"query": CHECK_IN, "variables": {"input": {"idempotencyKey": key}}}
        answer = (await client.post(f"http://127.0.0.1:{self.port}/graphql", json=body, headers=headers)).json()
        return bool(answer["data"]["checkIn"]["replayed"])

    def claim_and_hang_up(self, member: str) -> None:
        headers, content = self.request(member, key=member)
        body = json.dumps(content).encode()
        lines = [
            "POST /graphql HTTP/1.1",
            "Host: laurel.test",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)


@pytest_asyncio.fixture
async def server(tmp_path: Path, database_url: str, redis_url: str) -> AsyncIterator[Server]:
    settings = Settings(
        data_dir=tmp_path, database_url=SecretStr(database_url), redis_url=SecretStr(redis_url), run_worker=False
    )
    async with world(database_url) as made:
        template_id = await made.published(stock=100, claim_opens_at=OPENS_AT, claim_closes_at=CLOSES_AT)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        async with open_process(settings) as process:
            running = server_of(process, settings=settings)
            serving = asyncio.create_task(running.serve(sockets=[listener]))
            try:
                await until(lambda: running.started)
                yield Server(settings, process, listener.getsockname()[1], template_id)
            finally:
                running.should_exit = True
                await serving


@asynccontextmanager
async def held(server: Server, database_url: str) -> AsyncIterator[None]:
    """Nobody can take from the stock as long as the block lasts."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT FROM coupon_template_stock WHERE template_id = $1 FOR UPDATE", server.template_id
            )
            yield
    finally:
        await connection.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for belongs to the server
            await asyncio.sleep(0.01)


async def value(database_url: str, sql: str) -> Any:
    connection = await asyncpg.connect(database_url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_a_claim_that_finds_the_queue_full_is_unavailable_and_may_come_again(
    server: Server, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = server.process.core
    small = ClaimDesk(begin=lambda: core.database.begin_set(Scope.system()), max_waiting=2)
    monkeypatch.setattr(core.claims, "_desk", small._desk)
    async with httpx.AsyncClient(timeout=30) as client:
        for number in range(8):  # known, so that only the claim is waited for
            await server.claim(client, f"member-{number}", key="x" * 300)
        async with held(server, database_url):
            first = asyncio.create_task(server.claim(client, "member-0"))
            await until(lambda: small._desk._sets._unanswered == 1 and small._desk._sets.waiting == 0)
            rest = [asyncio.create_task(server.claim(client, f"member-{number}")) for number in range(1, 8)]
            await until(lambda: sum(task.done() for task in rest) == 5)
            assert [task.result() for task in rest if task.done()] == ["UNAVAILABLE"] * 5
        outcomes = await asyncio.gather(first, *rest)
        assert Counter(outcomes) == {False: 3, "UNAVAILABLE": 5}
        again = [await server.claim(client, f"member-{number}") for number in range(8)]
        assert Counter(again) == {True: 3, False: 5}, "what was turned away left nothing behind"
    assert await value(database_url, "SELECT count(*) FROM coupons") == 8


async def test_a_client_that_hangs_up_is_decided_once_and_the_others_of_its_set_are_answered(
    server: Server, database_url: str
) -> None:
    sets = server.process.core.claims._desk._sets
    async with httpx.AsyncClient(timeout=30) as client:
        async with held(server, database_url):
            staying = [asyncio.create_task(server.claim(client, f"staying-{number}")) for number in range(5)]
            await until(lambda: sets._unanswered == 5)
            for number in range(5):
                server.claim_and_hang_up(f"gone-{number}")
            await until(lambda: sets._unanswered == 10)
        assert await asyncio.gather(*staying) == [False] * 5
        await until(lambda: sets._unanswered == 0)
        assert await value(database_url, "SELECT count(*) FROM coupons") == 10
        assert [await server.claim(client, f"gone-{number}") for number in range(5)] == [True] * 5
    assert await value(database_url, "SELECT count(*) FROM coupons") == 10
    assert await value(database_url, "SELECT remaining FROM coupon_template_stock") == 90


async def test_one_that_sends_the_same_write_again_and_again_takes_one_connection_of_the_pool(
    server: Server, database_url: str
) -> None:
    pool: Any = server.process.core.pool
    connection = await asyncpg.connect(database_url)
    async with httpx.AsyncClient(timeout=30) as client:
        await server.claim(client, "impatient")  # known, so that only the check-in is waited for
        async with connection.transaction():
            await connection.execute("LOCK TABLE check_ins IN EXCLUSIVE MODE")
            first = asyncio.create_task(server.check_in(client, "impatient", key="mine"))
            await until(lambda: len(pool._lent) == 1)
            again = [asyncio.create_task(server.check_in(client, "impatient", key="mine")) for _ in range(30)]
            assert await server.claim(client, "somebody else") is False
            assert len(pool._lent) == 1
        assert (await first, await asyncio.gather(*again)) == (False, [True] * 30)
    await connection.close()
    assert await value(database_url, "SELECT count(*) FROM check_ins") == 1
