"""Lists of the catalogue: without a statement for those who see what all see, and the same as those that are read."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio

from domain.shared.principal import MerchantRole, Principal
from persistence.catalogue import edition
from persistence.catalogue.follower import Catalogue
from tests.queries import queries
from tests.resolvers.test_read_path import CLOSES, EXECUTOR, Reader, Street, add_campaign, add_template, street
from tests.world import OPERATOR, SERVICE, of_a_reader, open_world, staff, uuid_of

__all__ = ["street"]

LISTS: Final = {
    "campaigns": "id name goal state startsAt merchant { id name }",
    "couponTemplates": "id name kind headline campaign { id name state } merchant { name }",
    "rewards": "id name kind pointsPrice couponTemplate { id name }",
}


@pytest_asyncio.fixture
async def reader(database_url: str) -> AsyncIterator[Reader]:
    async with open_world(database_url) as opened:
        yield Reader(opened, Catalogue(clock=opened.clock, trust_seconds=60))


def document(field: str) -> str:
    type_ = {"campaigns": "CampaignFilter", "couponTemplates": "CouponTemplateFilter"}.get(field)
    given, filter_ = (f", $filter: {type_}", ", filter: $filter") if type_ else ("", "")
    return f"""query List($first: Int, $after: String{given}) {{ {field}(first: $first, after: $after{filter_}) {{
        edges {{ cursor node {{ {LISTS[field]} }} }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
        }} }}"""


async def same(reader: Reader, field: str, viewer: Principal | None, **given: Any) -> Any:
    """The page, which is the same listed and read; listed it costs nothing."""
    read = await reader.bytes(document(field), viewer, listed=False, **given)
    with queries(0):
        assert await reader.bytes(document(field), viewer, **given) == read
    return (await reader.ask(document(field), viewer, **given))[field]


@pytest_asyncio.fixture
async def mall(street: Street) -> Street:
    """With rewards of two prices, campaigns of other starts and goals, drafts, and what has ended or not begun."""
    world = street.reader.world
    for place, price in enumerate((300, 100, 300, 200, 100)):
        given: dict[str, Any] = {"name": f"r{place}", "kind": "GOODS", "pointsPrice": price, "stock": 5}
        made = await world.do("createReward", OPERATOR, **given)
        assert made["__typename"] == "CreateRewardSuccess", made
    given = {"name": "of a coupon", "kind": "COUPON", "pointsPrice": 50, "stock": 5}
    await world.do("createReward", OPERATOR, couponTemplateId=street.templates[0], **given)
    for goal, starts, state in (
        ("ACQUISITION", "2026-03-01T00:00:00Z", "SCHEDULED"),
        ("RETENTION", "2026-12-01T00:00:00Z", "SCHEDULED"),
        ("ACQUISITION", "2026-02-01T00:00:00.000001Z", None),
        ("ACQUISITION", "2026-02-01T00:00:00Z", "ENDED"),
    ):
        given = {"name": "Other", "goal": goal, "startsAt": starts, "endsAt": CLOSES}
        campaign = str((await world.do("createCampaign", OPERATOR, "campaign { id }", **given))["campaign"]["id"])
        if state == "ENDED":
            await world.do("changeCampaignState", OPERATOR, campaignId=campaign, state="SCHEDULED")
        if state is not None:
            await world.do("changeCampaignState", OPERATOR, campaignId=campaign, state=state)
    await add_template(world, street.merchants[0], None, publish=False)
    await add_template(world, street.merchants[0], None)
    await street.reader.look()
    return street


@pytest.mark.parametrize("field", LISTS)
@pytest.mark.parametrize("first", [1, 2, 3, 100])
async def test_each_page_of_a_list_is_as_it_would_be_read(mall: Street, field: str, first: int) -> None:
    after, seen = None, []
    for _ in range(100):
        page = await same(mall.reader, field, mall.member, first=first, after=after)
        seen += [edge["node"]["id"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len(seen) == len(set(seen)) == {"campaigns": 9, "couponTemplates": 13, "rewards": 6}[field]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"states": ["RUNNING"]},
        {"states": ["SCHEDULED", "ENDED"], "goal": "ACQUISITION"},
        {"states": []},
        {"states": ["DRAFT"]},
        {"goal": "RETENTION"},
        {"merchantId": 1},
        {"merchantId": 0, "goal": "ACQUISITION"},
    ],
)
async def test_filters_of_campaigns_want_what_the_statement_wants(mall: Street, given: dict[str, Any]) -> None:
    asked = {**given, **({"merchantId": mall.merchants[given["merchantId"]]} if "merchantId" in given else {})}
    for viewer in (None, mall.member):
        await same(mall.reader, "campaigns", viewer, filter=asked)
        await same(mall.reader, "campaigns", viewer, filter=asked, first=1)


@pytest.mark.parametrize("of", [{}, {"merchantId": 0}, {"campaignId": 3}, {"merchantId": 0, "campaignId": 3}])
async def test_filters_of_templates_want_what_the_statement_wants(mall: Street, of: dict[str, int]) -> None:
    ids = {"merchantId": mall.merchants, "campaignId": mall.campaigns}
    asked = {name: ids[name][place] for name, place in of.items()}
    await same(mall.reader, "couponTemplates", None, filter=asked)
    await same(mall.reader, "couponTemplates", mall.member, filter=asked, first=1)


async def test_a_campaign_whose_hour_has_come_is_listed_in_its_state_of_now(mall: Street) -> None:
    before = await same(mall.reader, "campaigns", None, filter={"states": ["RUNNING"]})
    mall.reader.world.clock.advance(days=365)
    after = await same(mall.reader, "campaigns", None, filter={"states": ["RUNNING"]})
    assert len(after["edges"]) < len(before["edges"])


async def test_what_is_in_stock_is_read(mall: Street) -> None:
    asked = {"claimableNow": True}
    with queries(1) as names:
        await mall.reader.ask(document("couponTemplates"), mall.member, filter=asked)
    assert names == ["coupon_templates_page"]


@pytest.mark.parametrize("field", LISTS)
async def test_those_who_manage_read_and_see_at_once_what_they_wrote(mall: Street, field: str) -> None:
    """Their drafts are not in the catalogue, which may be a second behind."""
    reader, merchant = mall.reader, mall.merchants[0]
    written = {
        "campaigns": await add_campaign(reader.world, merchant, state=None),
        "couponTemplates": await add_template(reader.world, merchant, None, publish=False),
        "rewards": None,
    }[field]
    for viewer in (OPERATOR, SERVICE, staff(uuid_of(merchant))):
        with queries(2) as names:
            page = (await reader.ask(document(field), viewer, first=100))[field]
        assert names
        assert written is None or written in [edge["node"]["id"] for edge in page["edges"]]
    for onlooker in (None, mall.member, staff(uuid_of(merchant), role=MerchantRole.TILL)):
        page = await same(reader, field, onlooker, first=100)
        assert written not in [edge["node"]["id"] for edge in page["edges"]]


@pytest.mark.parametrize("field", LISTS)
async def test_a_catalogue_that_is_empty_or_silent_or_too_large_is_not_listed_from(
    mall: Street, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = mall.reader
    whole = await reader.bytes(document(field), None, first=100)
    never_looked, silent = Catalogue(clock=reader.world.clock), Catalogue(clock=reader.world.clock, trust_seconds=0.0)
    async with reader.world.database.pool.acquire() as connection:
        await silent.look(connection)
    for catalogue in (never_looked, silent):
        with queries(10) as names:
            assert await Reader(reader.world, catalogue).bytes(document(field), None, first=100) == whole
        assert names
    monkeypatch.setattr(edition, "MOST_IN_ORDER", 3)
    with queries(1) as names:
        assert await reader.bytes(document(field), None, first=100) == whole
    assert names


@pytest.mark.parametrize("field", LISTS)
async def test_a_cursor_of_another_list_is_refused_whether_listed_or_read(mall: Street, field: str) -> None:
    cursor = "WyJub25zZW5zZSJd"
    reader = mall.reader
    for listed in (True, False):
        context = reader.world.context(None)
        if listed:
            context.catalogue_now = of_a_reader(reader.catalogue.current)
        result = await EXECUTOR.execute(EXECUTOR.prepare(document(field)), {"after": cursor}, context)
        assert result.errors
        assert "not a cursor of this list" in str(result.errors[0])
