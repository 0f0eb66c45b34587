"""The catalogue of a process is up to a second old: it is shown, and decides no write."""

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from domain.shared.principal import Role
from resolvers.access import Guard, Rule
from resolvers.context import NO_CATALOGUE
from tests.resolvers.test_read_path import Reader, add_campaign, add_template, reader
from tests.resolvers.test_rewards import reward, rich
from tests.world import OPERATOR, key, of_a_reader

__all__ = ["reader"]
ROOT = Path(__file__).parents[2]
# Who may import the catalogue of a process, or a part of it.
KNOW_THE_CATALOGUE = {
    "app/wiring.py": "makes it, and hands it to the contexts of requests",
    "persistence/schema.py": "its table is one of the tables",
}
CLAIM = """mutation ($input: ClaimCouponInput!) { claimCoupon(input: $input) { __typename
    ... on Problem { code } ... on ClaimCouponSuccess { coupon { template { campaign { state } } } } } }"""
EXCHANGE = """mutation ($input: ExchangePointsInput!) { exchangePoints(input: $input) { __typename
    ... on Problem { code } ... on ExchangePointsSuccess { account { available } } } }"""


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_use_cases_and_writes_know_no_catalogue_of_a_process() -> None:
    """Neither a use-case nor a transaction can look at it: it is not there to be imported."""
    found = {
        str(path.relative_to(ROOT))
        for layer in ("app", "domain", "persistence", "resolvers", "schema")
        for path in (ROOT / layer).rglob("*.py")
        if path.parent != ROOT / "persistence" / "catalogue"
        and any(name.startswith("persistence.catalogue") for name in imported(path))
    }
    assert found == set(KNOW_THE_CATALOGUE)


def test_what_decides_knows_nothing_of_what_is_listed() -> None:
    """What the catalogue lists bears a type of its own (`Listed`), which no use-case and no write takes."""
    found = {
        str(path.relative_to(ROOT))
        for layer in ("domain", "persistence")
        for path in (ROOT / layer).rglob("*.py")
        if any(name.startswith("domain.shared.listed") for name in imported(path))
    }
    assert {name for name in found if not name.startswith("persistence/catalogue/")} == set()


async def test_a_mutation_that_looks_before_it_is_decided_is_found() -> None:
    info: Any = SimpleNamespace(
        context=SimpleNamespace(
            principal=SimpleNamespace(roles=frozenset(Role)), leave_catalogue=lambda: None, forget=lambda: None
        )
    )

    async def look(*_: object, **__: object) -> object:
        return of_a_reader(lambda: NO_CATALOGUE)()

    rule = Rule(frozenset(Role))
    with pytest.raises(AssertionError, match="decides no write"):
        await Guard(rule, writes=True, writes_catalogue=False).resolve_async(look, None, info)
    assert await Guard(rule, writes=False, writes_catalogue=False).resolve_async(look, None, info) is not None


@pytest.mark.parametrize(("listed", "stored"), [("RUNNING", "PAUSED"), ("PAUSED", "RUNNING")])
async def test_a_claim_is_decided_by_what_is_stored_whatever_is_listed(
    reader: Reader, listed: str, stored: str
) -> None:
    world = reader.world
    member, merchant = await world.member(), await world.merchant()
    campaign = await add_campaign(world, merchant, state="RUNNING")
    template = await add_template(world, merchant, campaign)
    pool = world.database.pool
    await pool.execute("UPDATE campaigns SET state = $1", listed)
    await reader.look()
    await pool.execute("UPDATE campaigns SET state = $1", stored)
    given = {"couponTemplateId": template, "idempotencyKey": key()}
    answer = (await reader.ask(CLAIM, member, input=given))["claimCoupon"]
    if stored == "RUNNING":
        assert answer["coupon"]["template"]["campaign"]["state"] == listed, "which is shown as it is listed"
    else:
        assert answer["__typename"] != "ClaimCouponSuccess"
    assert await pool.fetchval("SELECT count(*) FROM coupons") == int(stored == "RUNNING")


@pytest.mark.parametrize(("listed", "stored", "left"), [(10, 100, None), (100, 10, 40)])
async def test_an_exchange_is_paid_at_the_price_that_is_stored_whatever_is_listed(
    reader: Reader, listed: int, stored: int, left: int | None
) -> None:
    world = reader.world
    member, mug = await rich(world, 50), await reward(world, pointsPrice=listed)
    await reader.look()
    await world.database.pool.execute("UPDATE rewards SET points_price = $1", stored)
    shown = await reader.ask("{ rewards { nodes { pointsPrice } } }", member)
    assert shown["rewards"]["nodes"] == [{"pointsPrice": listed}]
    given = {"rewardId": mug, "quantity": 1, "idempotencyKey": key()}
    answer = (await reader.ask(EXCHANGE, member, input=given))["exchangePoints"]
    assert answer == (
        {"__typename": "InsufficientPointsProblem", "code": "INSUFFICIENT_POINTS"}
        if left is None
        else {"__typename": "ExchangePointsSuccess", "account": {"available": left}}
    )


async def test_a_template_is_made_under_the_limit_of_its_campaign_as_it_is_stored(reader: Reader) -> None:
    world = reader.world
    merchant = await world.merchant()
    campaign = await add_campaign(world, merchant, state="RUNNING")
    await reader.look()
    await world.database.pool.execute("UPDATE campaigns SET limit_per_member = 3")
    template = await add_template(world, merchant, campaign)
    shown = await world.ask(
        "query ($id: ID!) { node(id: $id) { ... on CouponTemplate { campaign { limitPerMember } } } }",
        OPERATOR,
        id=template,
    )
    assert shown["node"]["campaign"]["limitPerMember"] == 3
    assert await world.database.pool.fetchval("SELECT limit_per_member_in_campaign FROM coupon_templates") == 3
