"""The same write is known again by what the client said, not by what the server made of it."""

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


async def test_another_input_under_the_same_key_is_refused_and_moves_nothing(world: World) -> None:
    member, once = await rich(world), key()
    mug = await reward(world)
    await world.do("exchangePoints", member, rewardId=mug, idempotencyKey=once)
    other = await world.do("exchangePoints", member, rewardId=mug, quantity=2, idempotencyKey=once)
    assert other["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert await world.database.pool.fetchval("SELECT remaining FROM reward_stock") == 2
