"""Conditions of use: what they are held against, their proof, their words, and what is refused with which path."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.coupons.cart import Cart, Channel, Scope
from domain.coupons.conditions import MAX_DEPTH, MAX_NODES, PREDICATES, Conditions, read_conditions, stored_conditions
from domain.coupons.offer import Offer
from domain.coupons.pricing import PricingPolicy, price
from domain.coupons.reading_conditions import PlainNames
from domain.coupons.terms import TermsError
from domain.shared.ids import StoreId
from tests.domain.coupons.carts import cart, offer, priced

SHANGHAI = ZoneInfo("Asia/Shanghai")
SUNDAY_NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)

# A condition of each name, and what a reader is told of it in both languages.
EXAMPLES: dict[str, list[tuple[Any, list[str], list[str]]]] = {
    "cartAmountMinor": [
        (
            {"atLeast": 10_000, "atMost": 50_050},
            ["不少于 ¥100", "不超过 ¥500.50"],
            ["at least ¥100", "at most ¥500.50"],
        ),
        ({"atMost": 300}, ["不超过 ¥3"], ["at most ¥3"]),
    ],
    "cartQuantity": [
        ({"atLeast": 2, "atMost": 9}, ["不少于 2", "不超过 9"], ["at least 2", "at most 9 units"]),
        ({"atLeast": 3}, ["不少于 3"], ["at least 3 units"]),
    ],
    "channel": [
        (["ONLINE"], ["线上"], ["online"]),
        (["ONLINE", "IN_STORE"], ["线上或门店"], ["online or in store"]),
    ],
    "weekday": [(["SATURDAY", "SUNDAY"], ["周六、周日"], ["Saturday, Sunday"])],
    "store": [([str(UUID(int=7)), str(UUID(int=8))], ["2 家门店"], ["2 named stores"])],
    "memberTier": [
        ({"atLeast": "GOLD"}, ["黄金会员及以上"], ["the tier Gold or above"]),
        ({"atLeast": 1}, ["白银会员及以上"], ["the tier Silver or above"]),
    ],
    "memberTags": [(["VIP", "staff"], ["VIP, staff"], ["marked VIP or staff"])],
    "firstOrder": [
        (
            True,
            ["会员首单", "不含已取消和全部退货", "已锁定"],
            ["the member's first order", "cancelled orders and those that were returned whole do not", "hold coupons"],
        )
    ],
    "orderNumber": [({"atLeast": 3, "atMost": 5}, ["不少于 3", "不超过 5"], ["at least 3 and at most 5"])],
    "birthdayMonth": [(True, ["会员生日当月"], ["the month of the member's birthday"])],
    "timeOfDay": [
        ({"from": "11:00", "until": "14:30"}, ["11:00 至 14:30（不含）"], ["from 11:00 until before 14:30"]),
        ({"from": "22:00", "until": "02:00"}, ["次日 02:00"], ["02:00 of the next day"]),
    ],
}
CASES = [(name, *case) for name, cases in EXAMPLES.items() for case in cases]


def conditions(tree: object) -> Conditions:
    """Conditions of Shanghai."""
    return read_conditions(tree, zone=SHANGHAI)


def holds(tree: object, what: Cart, *, at: datetime = SUNDAY_NOON) -> bool:
    """Whether they hold for all of a cart."""
    return conditions(tree).prove(what, lines=what.lines, at=at).passed


def conditioned(tree: object, number: int = 1) -> Offer:
    """A coupon of ¥1 with these conditions."""
    return replace(offer(number, "AMOUNT_OFF", amount_minor=100), conditions=conditions(tree))


def test_every_predicate_has_examples() -> None:
    assert set(EXAMPLES) == set(PREDICATES)


@pytest.mark.parametrize(("name", "value", "zh_cn", "en"), CASES)
@pytest.mark.parametrize("group", ["all", "any", "none", None])
def test_what_is_enforced_is_published_in_both_languages(
    name: str, value: object, zh_cn: list[str], en: list[str], group: str | None
) -> None:
    leaf = {name: value}
    text = conditions(leaf if group is None else {group: [leaf]}).text("CNY")
    assert all(part in text.zh_cn for part in [*zh_cn, "Asia/Shanghai"]), text.zh_cn
    assert all(part in text.en for part in [*en, "Asia/Shanghai"]), text.en
    if group is not None:
        assert {"all": "同时满足", "any": "满足任一", "none": "均不属于"}[group] in text.zh_cn
        assert f"{group} of" in text.en


@pytest.mark.parametrize(("name", "value", "zh_cn", "en"), CASES)
def test_conditions_survive_a_round_trip_through_the_database(
    name: str, value: object, zh_cn: list[str], en: list[str]
) -> None:
    del zh_cn, en
    made = conditions({"any": [{name: value}, {"none": [{name: value}]}]})
    assert stored_conditions(json.loads(json.dumps(made.to_json()))) == made, "a tier is stored by its code"
    assert stored_conditions(None) is None


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"cartAmountMinor": {"atLeast": 3000}}, True),
        ({"cartAmountMinor": {"atLeast": 3001}}, False),
        ({"cartAmountMinor": {"atMost": 3000}}, True),
        ({"cartAmountMinor": {"atMost": 2999}}, False),
        ({"cartQuantity": {"atLeast": 2}}, True),
        ({"cartQuantity": {"atLeast": 3}}, False),
        ({"cartQuantity": {"atMost": 1}}, False),
        ({"channel": ["ONLINE"]}, True),
        ({"channel": ["IN_STORE"]}, False),
        ({"weekday": ["SUNDAY"]}, True),
        ({"weekday": ["MONDAY", "SATURDAY"]}, False),
        ({"timeOfDay": {"from": "12:00", "until": "13:00"}}, True),
        ({"timeOfDay": {"from": "11:00", "until": "12:00"}}, False),
        ({"timeOfDay": {"from": "12:01", "until": "12:00"}}, False),
        ({"timeOfDay": {"from": "23:00", "until": "12:01"}}, True),
        ({"timeOfDay": {"from": "12:00", "until": "02:00"}}, True),
    ],
)
def test_each_predicate_holds_within_its_bounds(tree: object, *, expected: bool) -> None:
    assert holds(tree, cart(1000, 2000)) is expected
    assert holds({"none": [tree]}, cart(1000, 2000)) is not expected


def test_days_and_hours_are_those_of_the_zone() -> None:
    # 16:00 UTC on Sunday is midnight, and Monday, in Shanghai.
    at = datetime(2026, 3, 1, 16, 0, tzinfo=UTC)
    assert holds({"weekday": ["MONDAY"]}, cart(1), at=at)
    assert holds({"timeOfDay": {"from": "00:00", "until": "00:01"}}, cart(1), at=at)


@given(passed=st.lists(st.booleans(), min_size=1, max_size=5))
def test_groups_hold_by_their_rule(passed: list[bool]) -> None:
    leaves = [{"cartQuantity": {"atLeast": 1 if one else 2}} for one in passed]
    assert holds({"all": leaves}, cart(1)) is all(passed)
    assert holds({"any": leaves}, cart(1)) is any(passed)
    assert holds({"none": leaves}, cart(1)) is not any(passed)


def test_a_coupon_whose_conditions_do_not_hold_is_not_applied_and_proves_it() -> None:
    tree = {"all": [{"cartQuantity": {"atLeast": 2}}, {"any": [{"channel": ["IN_STORE"]}]}]}
    refused = priced(cart(1000), [conditioned(tree)]).not_applied[0].eligibility
    (proof,) = (p for p in refused.because.children if p.name == "conditions")
    group = proof.children[0]
    assert (group.name, group.passed, group.required, group.actual) == ("all", False, "2/2", "0/2")
    quantity, anything = group.children
    assert (quantity.name, quantity.required, quantity.actual) == ("cartQuantity", "≥ 2", "1")
    assert (anything.children[0].required, anything.children[0].actual) == ("IN_STORE", "ONLINE")
    in_store = replace(cart(1000, 1000), channel=Channel.IN_STORE)
    assert priced(in_store, [conditioned(tree)]).discount_minor == 100


def test_the_instant_of_pricing_decides_on_hours() -> None:
    lunch = conditioned({"timeOfDay": {"from": "11:00", "until": "14:00"}})
    for hour_utc, off in ((2, 0), (3, 100), (5, 100), (6, 0)):
        at = datetime(2026, 3, 1, hour_utc, tzinfo=UTC)
        assert price(cart(1000), [lunch], policy=PricingPolicy(), at=at).discount_minor == off


def test_amounts_are_those_of_the_goods_in_scope_before_any_discount() -> None:
    coupon = replace(
        conditioned({"cartAmountMinor": {"atLeast": 1000}}, number=2), scope=Scope(product_refs=frozenset({"p1"}))
    )
    assert priced(cart(1000), [offer(1, "AMOUNT_OFF", amount_minor=1), coupon]).not_applied[0].offer is coupon
    assert priced(cart(1000), [coupon]).discount_minor == 100
    assert priced(cart(999, 5000), [coupon]).discount_minor == 0


def test_where_conditions_are_in_the_way_no_purchase_is_offered_as_the_remedy() -> None:
    waiting = replace(
        offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=2000, amount_minor=100),
        conditions=conditions({"channel": ["IN_STORE"]}),
    )
    refused = priced(cart(1000), [waiting]).not_applied[0].eligibility
    assert (refused.shortfall_minor, refused.unlock) == (1000, None)


def deep(levels: int) -> object:
    """Groups within groups."""
    tree: object = {"channel": ["ONLINE"]}
    for _ in range(levels):
        tree = {"all": [tree]}
    return tree


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        (None, ""),
        ([], ""),
        ({}, ""),
        ({"channel": ["ONLINE"], "weekday": ["MONDAY"]}, ""),
        ({"moonPhase": "full"}, "moonPhase"),
        ({"all": []}, "all"),
        ({"all": {"channel": ["ONLINE"]}}, "all"),
        ({"any": [{"channel": ["ONLINE"]}, {"moonPhase": 1}]}, "any.1.moonPhase"),
        ({"none": [{"all": [{"channel": []}]}]}, "none.0.all.0.channel"),
        ({"channel": "ONLINE"}, "channel"),
        ({"channel": ["ONLINE", "ONLINE"]}, "channel"),
        ({"channel": ["ONLINE", "POST"]}, "channel.1"),
        ({"channel": [["ONLINE"]]}, "channel.0"),
        ({"weekday": ["monday"]}, "weekday.0"),
        ({"weekday": [1]}, "weekday.0"),
        ({"cartQuantity": {}}, "cartQuantity"),
        ({"cartQuantity": 3}, "cartQuantity"),
        ({"cartQuantity": {"atLeast": "3"}}, "cartQuantity.atLeast"),
        ({"cartQuantity": {"atLeast": True}}, "cartQuantity.atLeast"),
        ({"cartQuantity": {"atLeast": 1.5}}, "cartQuantity.atLeast"),
        ({"cartQuantity": {"atLeast": -1}}, "cartQuantity.atLeast"),
        ({"cartQuantity": {"atLeast": 3, "atMost": 2}}, "cartQuantity.atMost"),
        ({"cartQuantity": {"exactly": 2}}, "cartQuantity.exactly"),
        ({"cartAmountMinor": {"atMost": 2**53}}, "cartAmountMinor.atMost"),
        ({"store": []}, "store"),
        ({"store": "S1"}, "store"),
        ({"store": [str(UUID(int=7)), "S1"]}, "store.1"),
        ({"store": [str(UUID(int=7))] * 2}, "store"),
        ({"memberTier": "GOLD"}, "memberTier"),
        ({"memberTier": {}}, "memberTier.atLeast"),
        ({"memberTier": {"atLeast": "WOOD"}}, "memberTier.atLeast"),
        ({"memberTier": {"atLeast": 9}}, "memberTier.atLeast"),
        ({"memberTier": {"atLeast": True}}, "memberTier.atLeast"),
        ({"memberTier": {"atMost": "GOLD"}}, "memberTier.atMost"),
        ({"memberTags": []}, "memberTags"),
        ({"memberTags": "VIP"}, "memberTags"),
        ({"memberTags": ["VIP", 1]}, "memberTags.1"),
        ({"memberTags": [" VIP"]}, "memberTags.0"),
        ({"memberTags": ["VIP", "VIP"]}, "memberTags"),
        ({"memberTags": [f"t{n}" for n in range(21)]}, "memberTags"),
        ({"firstOrder": False}, "firstOrder"),
        ({"firstOrder": 1}, "firstOrder"),
        ({"orderNumber": 3}, "orderNumber"),
        ({"orderNumber": {"atLeast": 0}}, "orderNumber.atLeast"),
        ({"birthdayMonth": 3}, "birthdayMonth"),
        ({"timeOfDay": "11:00"}, "timeOfDay"),
        ({"timeOfDay": {"from": "11:00"}}, "timeOfDay.until"),
        ({"timeOfDay": {"from": "24:00", "until": "01:00"}}, "timeOfDay.from"),
        ({"timeOfDay": {"from": "9:00", "until": "10:00"}}, "timeOfDay.from"),
        ({"timeOfDay": {"from": "11:00", "until": "11:00"}}, "timeOfDay.until"),
        (deep(MAX_DEPTH + 1), ".0.".join(["all"] * (MAX_DEPTH + 1))),
        ({"all": [{"channel": ["ONLINE"]}] * MAX_NODES}, f"all.{MAX_NODES - 1}"),
    ],
)
def test_what_is_no_condition_is_refused_with_its_path(tree: object, path: str) -> None:
    with pytest.raises(TermsError) as refused:
        conditions(tree)
    assert ".".join(refused.value.path) == path
    assert refused.value.reason


def test_trees_up_to_the_limits_are_read() -> None:
    assert holds(deep(MAX_DEPTH), cart(1))
    assert holds({"all": [{"channel": ["ONLINE"]}] * (MAX_NODES - 1)}, cart(1))


def documented() -> list[object]:
    """Every example of the manual: those of the table, and the larger ones."""
    manual = (Path(__file__).parents[3] / "docs/coupons.md").read_text()
    section = manual.split("## Conditions of use")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\{.*?\})` \|", section, re.MULTILINE)
    return [json.loads(text) for text in [*rows, *re.findall(r"```json\n(.*?)```", section, re.DOTALL)]]


class AnyStore(PlainNames):
    """Takes every text for the id of a store."""

    def store(self, given: object) -> StoreId | None:  # type: ignore[explicit-override]
        return StoreId(UUID(int=7)) if isinstance(given, str) else None


@pytest.mark.parametrize("tree", documented(), ids=json.dumps)
def test_each_example_of_the_manual_is_a_condition(tree: object) -> None:
    made = read_conditions(tree, zone=SHANGHAI, names=AnyStore())
    stored = made.to_json()
    assert stored_conditions(json.loads(json.dumps(stored))) == made
    assert made.text("CNY").zh_cn


def test_the_manual_has_an_example_of_every_condition() -> None:
    written = json.dumps(documented())
    assert [name for name in (*PREDICATES, "all", "any", "none") if f'"{name}":' not in written] == []
