"""The same write many times at once under one key, where whoever comes second is refused by what the first one did."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from domain.merchants.use_cases import CreateMerchant, CreateStore, create_merchant, create_store
from domain.shared.errors import BadUserInput
from domain.shared.principal import Scope
from tests.coupon_world import NAMES, World, merchant, once, world

AT_ONCE = 12


@pytest.fixture
async def laurel(database_url: str) -> AsyncIterator[World]:
    async with world(database_url, size=AT_ONCE) as made:
        yield made


async def test_a_merchant_that_is_made_many_times_at_once_under_one_key_is_one_and_its_own_name_is_not_taken(
    laurel: World,
) -> None:
    command = CreateMerchant("Tea", "tea", once(NAMES, mutation="createMerchant"))
    asked = [create_merchant(command, begin=lambda: laurel.database.begin(Scope.system())) for _ in range(AT_ONCE)]
    answers = await asyncio.gather(*asked)
    assert len({answer.result for answer in answers}) == 1
    assert Counter(answer.replayed for answer in answers) == {False: 1, True: AT_ONCE - 1}
    assert await laurel.value("SELECT count(*) FROM merchants") == 1
    other = CreateMerchant("Tea", "tea", once(NAMES, mutation="createMerchant"))
    with pytest.raises(BadUserInput, match="externalRef"):
        await create_merchant(other, begin=lambda: laurel.database.begin(Scope.system()))


async def test_so_is_a_store(laurel: World) -> None:
    await laurel.add_merchant(1)
    command = CreateStore(merchant(1), "North", "north", once(NAMES, mutation="createStore"))
    asked = [create_store(command, begin=lambda: laurel.database.begin(Scope.system())) for _ in range(AT_ONCE)]
    answers = await asyncio.gather(*asked)
    assert Counter(answer.replayed for answer in answers) == {False: 1, True: AT_ONCE - 1}
    assert await laurel.value("SELECT count(*) FROM stores") == 1
