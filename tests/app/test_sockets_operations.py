import asyncio

import pytest

from app.sockets import CloseCode
from domain.shared.errors import Unavailable
from tests.app.sockets import complete, expect, result, serving
from tests.live import until


async def test_queries_mutations_and_subscriptions_run_beside_each_other() -> None:
    async with serving() as served, served.client() as client:
        await client.init("ana")
        await client.subscribe("m", "mutation { write }")
        await client.subscribe("s", "subscription($to: Int!) { count(to: $to) }", variables={"to": 3})
        await expect(client, *(result("s", count=n) for n in range(3)), complete("s"))
        await client.subscribe("q", "query a { who } query b { slow }", operationName="a")
        await expect(client, result("q", who="ana"), complete("q"))
        served.world.gate.set()
        await expect(client, result("m", write="written"), complete("m"))


@pytest.mark.parametrize("query", ["{", "{ nothing }", "subscription { nothing }", "query a { who } query b { who }"])
async def test_what_cannot_be_run_is_an_error_and_the_socket_lives_on(query: str) -> None:
    async with serving() as served, served.client() as client:
        await client.init()
        await client.subscribe("1", query)
        message = await client.hear()
        assert (message["id"], message["type"]) == ("1", "error")
        assert isinstance(message["payload"], list)
        assert message["payload"][0]["message"]
        await client.subscribe("1", "{ who }")
        await expect(client, result("1", who="nobody"), complete("1"))


async def test_wrong_variables_are_an_error() -> None:
    async with serving() as served, served.client() as client:
        await client.init()
        await client.subscribe("1", "subscription($to: Int!) { count(to: $to) }", variables={"to": "three"})
        assert (await client.hear())["type"] == "error"


async def test_the_limits_of_http_are_kept_before_anything_runs() -> None:
    async with serving() as served, served.client() as client:
        await client.init()
        await client.subscribe("1", "{ tooDeep }")
        error = {"message": "too deep", "extensions": {"code": "BAD_USER_INPUT"}}
        await expect(client, {"id": "1", "type": "error", "payload": [error]})


async def test_an_error_that_escapes_is_masked_and_ends_the_operation_alone() -> None:
    async with serving() as served, served.client() as client:
        await client.init()
        await client.subscribe("1", "subscription { news }")
        await until(lambda: served.world.open_streams == 1)
        served.world.published.put_nowait(1)
        served.world.published.put_nowait(RuntimeError("a secret of ours"))
        await expect(client, result("1", news=1))
        error = {"message": "Internal error", "extensions": {"code": "INTERNAL"}}
        payload = {"data": None, "errors": [error]}
        await expect(client, {"id": "1", "type": "next", "payload": payload}, complete("1"))
        assert [str(error) for error in served.world.masked] == ["a secret of ours"]
        await client.subscribe("1", "{ who }")
        await expect(client, result("1", who="nobody"), complete("1"))


async def test_a_broken_field_is_answered_as_over_http() -> None:
    async with serving() as served, served.client() as client:
        await client.init()
        await client.subscribe("1", "{ broken }")
        error = {"message": "Internal error", "extensions": {"code": "INTERNAL"}}
        payload = {"data": {"broken": None}, "errors": [error]}
        await expect(client, {"id": "1", "type": "next", "payload": payload}, complete("1"))


async def test_a_subscription_that_cannot_go_on_closes_the_socket_so_that_the_client_asks_again() -> None:
    async with serving() as served, served.client() as client:
        await client.init()
        await client.subscribe("1", "subscription { news }")
        await until(lambda: served.world.open_streams == 1)
        served.world.published.put_nowait(Unavailable("no events right now"))
        assert await client.closed() == (CloseCode.TRY_AGAIN_LATER, "Try again later")


async def test_a_completed_subscription_is_closed_at_its_source() -> None:
    async with serving() as served, served.client() as client:
        await client.init()
        await client.subscribe("1", "subscription { news }")
        await until(lambda: served.world.open_streams == 1)
        await client.say(type="complete", id="1")
        await until(lambda: served.world.open_streams == 0)
        await client.say(type="complete", id="unknown")
        await client.subscribe("1", "{ who }")
        await expect(client, result("1", who="nobody"), complete("1"))


async def test_a_client_that_leaves_ends_its_subscriptions_and_queries_but_not_its_writes() -> None:
    async with serving() as served:
        async with served.client() as client:
            await client.init()
            await client.subscribe("1", "subscription { news }")
            await client.subscribe("2", "{ slow }")
            await client.subscribe("3", "mutation { write }")
            await until(lambda: served.world.open_streams == 1 and len(served.world.started) == 2)
        await until(lambda: served.world.open_streams == 0 and served.told.sockets == 0)
        served.world.gate.set()
        await until(lambda: served.world.finished == ["write"])
        await asyncio.sleep(0.05)
        assert served.world.finished == ["write"]


async def test_a_write_that_was_given_up_is_run_to_its_end_and_not_answered() -> None:
    async with serving() as served, served.client() as client:
        await client.init()
        await client.subscribe("1", "mutation { write }")
        await until(lambda: served.world.started == ["write"])
        await client.say(type="complete", id="1")
        await client.subscribe("2", "{ who }")
        await expect(client, result("2", who="nobody"), complete("2"))
        served.world.gate.set()
        await until(lambda: served.world.finished == ["write"])
        await client.subscribe("3", "{ who }")
        await expect(client, result("3", who="nobody"), complete("3"))
