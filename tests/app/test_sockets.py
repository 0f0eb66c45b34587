import asyncio
from datetime import timedelta

import pytest

from app.sockets import CloseCode, SocketLimits
from tests.app.sockets import complete, expect, result, serving
from tests.live import until

LEGACY = "graphql-ws"


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
    async with serving(SocketLimits(keepalive_seconds=0.4)) as served:
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
