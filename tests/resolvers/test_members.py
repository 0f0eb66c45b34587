"""Members: registered once, completed, masked, encrypted; nobody reads another's."""

import asyncio

from tests.world import OPERATOR, SERVICE, World, key

REGISTERED = "member { id displayName phone locale }"


async def test_a_member_is_registered_and_its_phone_is_masked(world: World) -> None:
    done = await world.do(
        "registerMember", SERVICE, REGISTERED, externalRef="m1", displayName="李雷", phone="138 1234 5678"
    )
    assert done["replayed"] is False
    assert done["member"]["displayName"] == "李雷"
    assert done["member"]["phone"] == "138****5678"


async def test_registering_again_completes_the_member_and_never_doubles_it(world: World) -> None:
    first = await world.do("registerMember", SERVICE, REGISTERED, externalRef="m1", displayName="李雷")
    second = await world.do("registerMember", SERVICE, REGISTERED, externalRef="m1", phone="+8613812345678")
    assert second["member"]["id"] == first["member"]["id"]
    assert second["member"]["displayName"] == "李雷"
    assert second["member"]["phone"] == "138****5678"


async def test_the_same_key_gives_the_first_answer_and_another_input_is_refused(world: World) -> None:
    once = key()
    first = await world.do("registerMember", SERVICE, REGISTERED, externalRef="m1", idempotencyKey=once)
    again = await world.do("registerMember", SERVICE, REGISTERED, externalRef="m1", idempotencyKey=once)
    other = await world.do("registerMember", SERVICE, REGISTERED, externalRef="m2", idempotencyKey=once)
    assert again == {**first, "replayed": True}
    assert other["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_a_hundred_registrations_at_once_under_one_key_make_one_member(world: World) -> None:
    once = key()
    answers = await asyncio.gather(
        *(world.do("registerMember", SERVICE, REGISTERED, externalRef="m1", idempotencyKey=once) for _ in range(100))
    )
    assert len({a["member"]["id"] for a in answers}) == 1
    assert [a["replayed"] for a in answers].count(False) == 1
    assert await world.database.pool.fetchval("SELECT count(*) FROM members") == 1


async def test_an_unknown_member_of_a_valid_token_is_registered_once_however_many_arrive(world: World) -> None:
    members = await asyncio.gather(*(world.member("newcomer") for _ in range(20)))
    assert len({m.member_id for m in members}) == 1


async def test_personal_columns_are_ciphertext_and_the_phone_is_found_by_its_blind_index(world: World) -> None:
    await world.do("registerMember", SERVICE, externalRef="m1", displayName="李雷", phone="13812345678")
    row = await world.database.pool.fetchrow("SELECT * FROM members")
    assert row is not None
    stored = b"".join(v for v in row.values() if isinstance(v, bytes))
    assert "李雷".encode() not in stored
    assert b"13812345678" not in stored
    index = world.database.personal_data.blind_index("+8613812345678", table="members", column="phone")
    assert row["phone_index"] == index


async def test_me_is_the_member_of_the_token_and_null_for_everybody_else(world: World) -> None:
    member = await world.member()
    document = "{ me { id locale tier { tier { name rank } metric next { name } toNext keepUntil } } }"
    mine = (await world.ask(document, member))["me"]
    assert mine["tier"] == {
        "tier": {"name": "Bronze", "rank": 0},
        "metric": 0,
        "next": {"name": "Silver"},
        "toNext": 1000,
        "keepUntil": None,
    }
    assert (await world.ask(document, OPERATOR))["me"] is None
    assert (await world.ask(document))["me"] is None


async def test_another_member_is_not_found_and_looks_like_one_that_does_not_exist(world: World) -> None:
    mine, other = await world.member("a"), await world.member("b")
    other_id = (await world.ask("{ me { id } }", other))["me"]["id"]
    document = "query ($id: ID!) { node(id: $id) { id } }"
    assert (await world.ask(document, mine, id=other_id))["node"] is None
    assert (await world.ask(document, mine, id="AQAAAAAAAAAAAAAAAAAAAAA"))["node"] is None
    assert (await world.ask(document, other, id=other_id))["node"] == {"id": other_id}
    assert await world.codes("query ($id: ID!) { member(id: $id) { id } }", mine, id=other_id) == ["FORBIDDEN"]


async def test_bad_input_names_its_argument(world: World) -> None:
    for given, code in (
        ({"externalRef": " "}, "externalRef"),
        ({"externalRef": "m", "phone": "12"}, "phone"),
        ({"externalRef": "m", "locale": "xx"}, "locale"),
        ({"externalRef": "m", "idempotencyKey": "k" * 65}, "idempotencyKey"),
    ):
        document = "mutation ($input: RegisterMemberInput!) { registerMember(input: $input) { __typename } }"
        answered = await world.answer(document, SERVICE, input={"idempotencyKey": key(), **given})
        assert answered.errors is not None
        error = answered.errors[0].original_error
        assert getattr(error, "code", None) == "BAD_USER_INPUT"
        assert code in str(error)
    assert await world.database.pool.fetchval("SELECT count(*) FROM members") == 0
