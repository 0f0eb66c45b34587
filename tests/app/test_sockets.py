import asyncio
from datetime import timedelta

import orjson
import pytest
from websockets.exceptions import InvalidStatus

from app.sockets import CloseCode, SocketLimits
from app.sockets.origins import origin_allowed
from domain.shared.errors import Unavailable
from tests.app.sockets import Client, Served, serving
from tests.live import until

LEGACY = "graphql-ws"


async def expect(client: Client, *messages: dict[str, object]) -> None:
    for message in messages:
        assert await client.hear() == message


def result(operation_id: str, **data: object) -> dict[str, object]:
    return {"id": operation_id, "type": "next", "payload": {"data": data}}


def complete(operation_id: str) -> dict[str, object]:
    return {"id": operation_id, "type": "complete"}


# ── the connection ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_token_comes_in_the_first_message() -> None:
    async with serving() as served, served.client() as client:
        await client.init("ana")
        await client.subscribe("1", "{ who }")
        await expect(client, result("1", who="ana"), complete("1"))
        assert served.told.sockets == 1
    assert served.told.sockets == 0


async def test_the_token_may_come_in_the_header_and_the_message_wins() -> None:
    async with serving() as served:
        async with served.client(headers={"Authorization": "Bearer header"}) as client:
            await client.init()
            await client.subscribe("1", "{ who }")
            await expect(client, result("1", who="header"), complete("1"))
        async with served.client(headers={"Authorization": "Bearer header"}) as client:
            await client.init("message")
            await client.subscribe("1", "{ who }")
            await expect(client, result("1", who="message"), complete("1"))


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("Basic x", CloseCode.FORBIDDEN),
        ("Bearer unavailable", CloseCode.TRY_AGAIN_LATER),
        ("Bearer broken", CloseCode.INTERNAL_ERROR),
    ],
)
async def test_who_is_not_authenticated_is_told_why_and_closed(authorization: str, code: CloseCode) -> None:
    async with serving() as served, served.client() as client:
        await client.say(type="connection_init", payload={"authorization": authorization})
        found, reason = await client.closed()
        assert found == code
        assert "secret" not in reason
        assert served.told.cuts == [code]


@pytest.mark.parametrize("offered", [(LEGACY,), ("soap", LEGACY)])
async def test_no_other_protocol_is_spoken(offered: tuple[str, ...]) -> None:
    async with serving() as served, served.client(subprotocols=offered) as client:
        assert client.connection.subprotocol is None
        await client.say(type="connection_init", payload={"Authorization": "Bearer ana"})
        await client.say(type="start", id="1", payload={"query": "subscription { news }"})
        assert (await client.closed())[0] == CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE
        assert served.world.authentications == []
        assert served.world.open_streams == served.told.sockets == 0


async def test_a_client_without_a_protocol_is_closed_and_one_that_offers_both_gets_the_new_one() -> None:
    async with serving() as served:
        async with served.client(subprotocols=()) as client:
            await client.say(type="connection_init")
            assert (await client.closed())[0] == CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE
        async with served.client(subprotocols=(LEGACY, "graphql-transport-ws")) as client:
            assert client.connection.subprotocol == "graphql-transport-ws"
        assert served.world.authentications == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("nonsense", CloseCode.BAD_REQUEST),
        ("[]", CloseCode.BAD_REQUEST),
        ('{"type":"start"}', CloseCode.BAD_REQUEST),
        ('{"type":"connection_init","payload":3}', CloseCode.BAD_REQUEST),
        ('{"type":"subscribe","id":"1","payload":{"query":"{ who }"}}', CloseCode.UNAUTHORIZED),
    ],
)
async def test_what_the_protocol_does_not_know_ends_the_connection(message: str, code: CloseCode) -> None:
    async with serving() as served, served.client() as client:
        await client.connection.send(message)
        assert (await client.closed())[0] == code


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"query": 3},
        {"query": "{ who }", "variables": []},
        {"query": "{ who }", "operationName": 7},
        {"query": "{ who }", "extensions": "x"},
    ],
)
async def test_a_malformed_subscribe_ends_the_connection(payload: object) -> None:
    async with serving() as served, served.client() as client:
        await client.init()
        await client.say(type="subscribe", id="1", payload=payload)
        assert (await client.closed())[0] == CloseCode.BAD_REQUEST


@pytest.mark.parametrize("operation_id", [None, 1, "", "x" * 300])
async def test_a_malformed_id_ends_the_connection(operation_id: object) -> None:
    async with serving() as served, served.client() as client:
        await client.init()
        await client.say(type="subscribe", id=operation_id, payload={"query": "{ who }"})
        assert (await client.closed())[0] == CloseCode.BAD_REQUEST


async def test_binary_messages_and_large_ones_end_the_connection() -> None:
    async with serving(SocketLimits(message_bytes=200)) as served:
        async with served.client() as client:
            await client.connection.send(b'{"type":"ping"}')
            assert (await client.closed())[0] == CloseCode.BAD_REQUEST
        async with served.client() as client:
            await client.say(type="ping", payload={"x": "y" * 300})
            assert (await client.closed())[0] == CloseCode.TOO_BIG


async def test_a_silent_client_is_closed_when_it_does_not_introduce_itself() -> None:
    async with serving(SocketLimits(init_seconds=0.1)) as served, served.client() as client:
        await client.say(type="ping")
        assert await client.hear() == {"type": "pong"}
        assert (await client.closed())[0] == CloseCode.TIMEOUT


async def test_a_second_introduction_ends_the_connection() -> None:
    async with serving() as served, served.client() as client:
        await client.init()
        await client.say(type="connection_init")
        assert (await client.closed())[0] == CloseCode.TOO_MANY_INITIALISATIONS


async def test_an_id_that_is_running_cannot_be_used_again_and_a_finished_one_can() -> None:
    async with serving() as served, served.client() as client:
        await client.init()
        for _ in range(2):
            await client.subscribe("1", "{ who }")
            await expect(client, result("1", who="nobody"), complete("1"))
        await client.subscribe("1", "subscription { news }")
        await client.subscribe("1", "subscription { news }")
        assert await client.closed() == (CloseCode.SUBSCRIBER_EXISTS, "Subscriber for 1 already exists")


async def test_a_client_that_answers_pings_stays_and_one_that_does_not_goes() -> None:
    async with serving(SocketLimits(keepalive_seconds=0.1)) as served:
        async with served.client() as client:
            await client.init()
            for _ in range(3):
                assert await client.hear() == {"type": "ping"}
                await client.say(type="pong")
        async with served.client() as client:
            await client.init()
            assert (await client.closed())[0] == CloseCode.TIMEOUT


async def test_an_expired_token_closes_the_socket_and_its_subscriptions() -> None:
    async with serving(expires_after=timedelta(seconds=0.2)) as served, served.client() as client:
        await client.init("ana")
        await client.subscribe("1", "subscription { news }")
        await until(lambda: served.world.open_streams == 1)
        served.world.now += timedelta(seconds=1)
        assert await client.closed() == (CloseCode.FORBIDDEN, "Token expired")
        await until(lambda: served.world.open_streams == 0)


async def test_a_token_is_not_expired_before_its_time() -> None:
    async with serving(expires_after=timedelta(seconds=0.1)) as served, served.client() as client:
        await client.init("ana")
        await asyncio.sleep(0.25)  # the clock of the test stands still
        await client.subscribe("1", "{ who }")
        await expect(client, result("1", who="ana"), complete("1"))


# ── operations ──────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


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
