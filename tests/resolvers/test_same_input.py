"""The same write is known again by what the client said, not by what the server made of it."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import strawberry

from domain.shared.errors import BadUserInput
from domain.shared.events import JSON
from domain.shared.idempotency import input_hash
from resolvers.once import once
from tests.resolvers.test_rewards import EXCHANGED, reward, rich, template
from tests.world import World, key


async def test_wallets_109_the_same_input_is_the_same_write_whatever_ids_it_made(world: World) -> None:
    # There the hash covered ids that were generated anew on each attempt, so that no retry was ever recognised.
    member, once = await rich(world), key()
    gift = await reward(world, kind="COUPON", couponTemplateId=await template(world))
    first = await world.do("exchangePoints", member, EXCHANGED, rewardId=gift, idempotencyKey=once)
    again = await world.do("exchangePoints", member, EXCHANGED, rewardId=gift, idempotencyKey=once)
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert [coupon["id"] for coupon in again["coupons"]] == [coupon["id"] for coupon in first["coupons"]]


async def test_an_argument_that_is_left_out_is_the_same_as_its_default(world: World) -> None:
    member, once = await rich(world), key()
    mug = await reward(world)
    await world.do("exchangePoints", member, rewardId=mug, idempotencyKey=once)
    again = await world.do("exchangePoints", member, rewardId=mug, quantity=1, idempotencyKey=once)
    assert again["replayed"] is True


@strawberry.input
class Before:
    idempotency_key: str
    name: str
    quantity: int | None = 1
    note: str | None = None


@strawberry.input
class Since(Before):
    gift: bool = False
    store_id: str | None = None
    tags: list[str] | None = strawberry.UNSET


def hash_of(given: object) -> bytes:
    caller = SimpleNamespace(caller_id=UUID(int=1))
    info = SimpleNamespace(context=SimpleNamespace(caller=caller, repeats=None), field_name="buy")
    return once(info, given).input_hash  # type: ignore[arg-type]


def test_what_cannot_be_hashed_is_named_by_its_path() -> None:
    with pytest.raises(BadUserInput) as refused:
        hash_of(Since(idempotency_key="k", name="mug", tags=["a", "\ud800"]))
    assert refused.value.path == ("input", "tags", "1")
    with pytest.raises(BadUserInput) as refused:
        hash_of(Since(idempotency_key="k", name="mug", store_id="\udfff"))
    assert refused.value.path == ("input", "storeId")


def test_a_retry_is_known_again_by_a_server_that_has_learnt_of_further_optional_inputs() -> None:
    given: dict[str, Any] = {"idempotency_key": "k", "name": "mug", "quantity": 2, "note": None}
    assert hash_of(Since(**given)) == hash_of(Before(**given))
    changes: list[dict[str, Any]] = [
        {"gift": True}, {"store_id": "s"}, {"tags": []}, {"quantity": 1}, {"quantity": None}, {"note": "for you"},
    ]  # fmt: skip
    hashes = {hash_of(Since(**{**given, **change})) for change in [{}, *changes]}
    assert len(hashes) == 1 + len(changes), "what was given is another input"


async def test_what_an_earlier_version_kept_is_answered_again(world: World) -> None:
    member, once = await rich(world), key()
    mug = await reward(world)
    await world.do("exchangePoints", member, rewardId=mug, idempotencyKey=once)
    # As it was kept then: over all inputs, those that were left out too.
    content: dict[str, JSON] = {"quantity": 1, "reward_id": mug}
    kept = await world.database.pool.execute(
        "UPDATE idempotency SET input_hash = $1 WHERE key = $2", input_hash(content), once
    )
    assert kept == "UPDATE 1"
    again = await world.do("exchangePoints", member, rewardId=mug, idempotencyKey=once)
    assert again["replayed"] is True
    other = await world.do("exchangePoints", member, rewardId=mug, quantity=2, idempotencyKey=once)
    assert other["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_another_input_under_the_same_key_is_refused_and_moves_nothing(world: World) -> None:
    member, once = await rich(world), key()
    mug = await reward(world)
    await world.do("exchangePoints", member, rewardId=mug, idempotencyKey=once)
    other = await world.do("exchangePoints", member, rewardId=mug, quantity=2, idempotencyKey=once)
    assert other["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert await world.database.pool.fetchval("SELECT remaining FROM reward_stock") == 2
