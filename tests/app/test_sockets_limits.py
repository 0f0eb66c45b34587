import asyncio

import orjson
import pytest
from websockets.exceptions import InvalidStatus

from app.sockets import CloseCode, SocketLimits
from app.sockets.origins import origin_allowed
from tests.app.sockets import Served, complete, expect, result, serving
from tests.live import until


async def test_operations_over_the_limit_of_a_socket_are_refused_one_by_one() -> None:
    async with serving(SocketLimits(operations_per_socket=2)) as served, served.client() as client:
        await client.init()
        await client.subscribe("1", "subscription { news }")
        await client.subscribe("2", "subscription { news }")
        await client.subscribe("3", "{ who }")
        message = await client.hear()
        assert (message["id"], message["type"]) == ("3", "error")
        assert b"RATE_LIMITED" in orjson.dumps(message)
        await client.say(type="complete", id="1")
        await client.subscribe("3", "{ who }")
        await expect(client, result("3", who="nobody"), complete("3"))


async def test_sockets_over_the_limit_of_a_process_are_refused() -> None:
    async with serving(SocketLimits(sockets=1)) as served:
        async with served.client() as client:
            await client.init()
            with pytest.raises(InvalidStatus) as refused:
                async with served.client():
                    pass
            assert refused.value.response.status_code == 503
        await until(lambda: served.told.sockets == 0)
        async with served.client() as client:
            await client.init()


async def test_sockets_over_the_limit_of_a_caller_are_closed_and_other_callers_are_not() -> None:
    async with serving(SocketLimits(sockets_per_caller=1)) as served, served.client() as first:
        await first.init("ana")
        async with served.client() as second:
            await second.say(type="connection_init", payload={"Authorization": "Bearer ana"})
            assert (await second.closed())[0] == CloseCode.TRY_AGAIN_LATER
        async with served.client() as other:
            await other.init("bea")
        await first.connection.close()
        await until(lambda: served.told.sockets == 0)
        async with served.client() as again:
            await again.init("ana")
        await until(lambda: served.told.sockets == 0)
        assert not served.sockets._by_caller


async def test_a_client_that_does_not_read_is_given_up_and_holds_nothing() -> None:
    async with serving(SocketLimits(send_seconds=0.3)) as served, served.client() as client:
        await client.init()
        client.connection.transport.pause_reading()
        await client.subscribe("1", "subscription { flood }")
        await until(lambda: served.world.open_streams == 1)
        await until(lambda: served.world.open_streams == 0 and served.told.sockets == 0)
        assert served.told.cuts == [CloseCode.TRY_AGAIN_LATER]
        client.connection.transport.abort()


async def test_a_client_that_does_not_read_holds_up_nobody_else() -> None:
    async with serving() as served, served.client() as stuck, served.client() as client:
        await stuck.init()
        await client.init()
        stuck.connection.transport.pause_reading()
        await stuck.subscribe("1", "subscription { flood }")
        await until(lambda: served.world.open_streams == 1)
        for turn in range(20):
            await client.subscribe(str(turn), "{ who }")
            await expect(client, result(str(turn), who="nobody"), complete(str(turn)))
        stuck.connection.transport.abort()


# ── origins ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "shop.example", True),
        ("https://shop.example", "shop.example", True),
        ("http://localhost:8000", "localhost:8000", True),
        ("https://SHOP.example", "shop.example", True),
        ("https://app.example", "shop.example", True),
        ("https://evil.example", "shop.example", False),
        ("https://shop.example.evil", "shop.example", False),
        ("http://shop.example:81", "shop.example", False),
        ("http://localhost:8001", "localhost:8000", False),
        ("null", "shop.example", False),
        ("file://", "", False),
        ("https://", None, False),
        ("https://[", "shop.example", False),
        ("https://shop.example:x", "shop.example", False),
    ],
)
def test_a_page_of_another_origin_may_not_open_a_socket(origin: str | None, host: str | None, allowed: bool) -> None:
    assert origin_allowed(origin, host=host, allowed={"https://app.example"}) is allowed


async def test_a_page_of_another_origin_is_refused_at_the_door() -> None:
    async with serving() as served:
        with pytest.raises(InvalidStatus) as refused:
            async with served.client(headers={"Origin": "https://evil.example"}):
                pass
        assert refused.value.response.status_code == 403
        async with served.client(headers={"Origin": f"http://127.0.0.1:{served.port}"}) as client:
            await client.init()


# ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def drained(served: Served, *, seconds: float = 5) -> "asyncio.Future[None]":
    draining = asyncio.ensure_future(served.sockets.drain(seconds=seconds))
    await until(lambda: served.sockets.draining)
    return draining


async def test_the_end_of_the_process_answers_what_runs_and_sends_subscribers_elsewhere() -> None:
    async with serving() as served, served.client() as client, served.client() as idle:
        await client.init()
        await idle.init()
        await client.subscribe("s", "subscription { news }")
        await client.subscribe("q", "{ slow }")
        await client.subscribe("m", "mutation { write }")
        await until(lambda: served.world.open_streams == 1 and len(served.world.started) == 2)
        draining = await drained(served)
        served.world.published.put_nowait(7)
        await expect(client, result("s", news=7))
        await client.subscribe("late", "{ who }")
        with pytest.raises(InvalidStatus) as refused:
            async with served.client():
                pass
        assert refused.value.response.status_code == 503
        served.world.gate.set()
        heard = [await client.hear() for _ in range(4)]
        assert {m["id"] for m in heard} == {"q", "m"}
        assert await client.closed() == (CloseCode.GOING_AWAY, "Going away")
        assert (await idle.closed())[0] == CloseCode.GOING_AWAY
        await draining
        await until(lambda: served.told.sockets == 0 and served.world.open_streams == 0)


async def test_the_end_of_the_process_does_not_wait_for_ever() -> None:
    async with serving() as served, served.client() as client:
        await client.init()
        await client.subscribe("q", "{ slow }")
        await until(lambda: served.world.started == ["slow"])
        await (await drained(served, seconds=0.1))
        assert (await client.closed())[0] == CloseCode.GOING_AWAY
