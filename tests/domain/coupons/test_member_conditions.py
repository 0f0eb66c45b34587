"""Conditions on the member and the store: what they are held against, their proof, and the step that would help."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from domain.coupons.cart import Cart, Channel, Scope
from domain.coupons.conditions import read_conditions
from domain.coupons.eligibility import Hint, Predicate, Unlock
from domain.coupons.facts import MemberFacts, Owner, Unasked
from domain.coupons.offer import Offer
from domain.coupons.terms import TermsError
from domain.members.tiers import DEFAULT_PROGRAMME
from domain.shared.ids import StoreId
from domain.shared.money import Money
from tests.domain.coupons.carts import NOW, cart, offer, priced

SHANGHAI = ZoneInfo("Asia/Shanghai")
SUNDAY_NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
BRONZE, SILVER, GOLD, PLATINUM = DEFAULT_PROGRAMME.tiers
STORE = StoreId(UUID(int=7))
ANNA = MemberFacts(tier=SILVER, tags=frozenset({"VIP", "churn risk"}), orders=2, birth_month=3)


def prove(
    tree: object, owner: Owner | None = ANNA, *, what: Cart | None = None, at: datetime = SUNDAY_NOON
) -> Predicate:
    """The proof of one condition, without the group around all of them."""
    held = what or cart(1000)
    return read_conditions(tree, zone=SHANGHAI).prove(held, lines=held.lines, at=at, owner=owner).children[0]


def conditioned(tree: object, owner: Owner | None = ANNA, **terms: int) -> Offer:
    """A coupon of ¥1, or 满20减1 where a threshold is given, with these conditions."""
    kind = "THRESHOLD_AMOUNT_OFF" if terms else "AMOUNT_OFF"
    made = offer(1, kind, amount_minor=100, **terms)
    return replace(made, conditions=read_conditions(tree, zone=SHANGHAI), owner=owner)


def unlock_of(tree: object, *, what: Cart | None = None, owner: Owner = ANNA, **terms: int) -> str | None:
    """What the member is told that would help."""
    refused = priced(what or cart(1000), [conditioned(tree, owner, **terms)]).not_applied[0].eligibility
    return None if refused.unlock is None else refused.unlock.text.zh_cn


@pytest.mark.parametrize(
    ("tree", "expected", "required", "actual"),
    [
        ({"memberTier": {"atLeast": "SILVER"}}, True, "≥ SILVER", "SILVER"),
        ({"memberTier": {"atLeast": "BRONZE"}}, True, "≥ BRONZE", "SILVER"),
        ({"memberTier": {"atLeast": 2}}, False, "≥ GOLD", "SILVER"),
        ({"memberTags": ["staff", "VIP"]}, True, "staff | VIP", "VIP"),
        ({"memberTags": ["staff"]}, False, "staff", "none of these"),
        ({"firstOrder": True}, False, "order 1", "order 3"),
        ({"orderNumber": {"atLeast": 3, "atMost": 3}}, True, "≥ 3, ≤ 3", "3"),
        ({"orderNumber": {"atLeast": 4}}, False, "≥ 4", "3"),
        ({"orderNumber": {"atMost": 2}}, False, "≤ 2", "3"),
        ({"birthdayMonth": True}, True, "born in month 3", "that month"),
    ],
)
def test_each_condition_on_the_member_holds_by_its_rule(
    tree: object, *, expected: bool, required: str, actual: str
) -> None:
    proof = prove(tree)
    assert (proof.passed, proof.required, proof.actual) == (expected, required, actual)
    assert prove({"none": [tree]}).passed is not expected


def test_a_first_order_is_that_of_a_member_without_any() -> None:
    assert prove({"firstOrder": True}, replace(ANNA, orders=0)).passed
    assert prove({"orderNumber": {"atMost": 1}}, replace(ANNA, orders=0)).passed


@pytest.mark.parametrize(
    ("birth_month", "at", "passed", "actual"),
    [
        (None, SUNDAY_NOON, False, "no birthday known"),
        (4, SUNDAY_NOON, False, "another month"),
        # 16:00 UTC on 28 February is midnight, and March, in Shanghai.
        (3, datetime(2026, 2, 28, 16, 0, tzinfo=UTC), True, "that month"),
        (3, datetime(2026, 2, 28, 15, 59, tzinfo=UTC), False, "another month"),
    ],
)
def test_the_month_is_that_of_the_programme_and_the_proof_does_not_tell_the_birthday(
    birth_month: int | None, at: datetime, *, passed: bool, actual: str
) -> None:
    proof = prove({"birthdayMonth": True}, replace(ANNA, birth_month=birth_month), at=at)
    assert (proof.passed, proof.actual) == (passed, actual)


@pytest.mark.parametrize(("local", "passed"), [((2027, 2, 1), True), ((2027, 2, 28), True), ((2027, 3, 1), False)])
def test_who_is_born_on_29_february_has_the_whole_of_february_in_a_common_year(
    local: tuple[int, int, int], *, passed: bool
) -> None:
    at = datetime(*local, 12, tzinfo=SHANGHAI).astimezone(UTC)
    assert prove({"birthdayMonth": True}, replace(ANNA, birth_month=2), at=at).passed is passed


def test_a_proof_shows_no_tag_that_was_not_asked_for() -> None:
    assert "churn" not in str(prove({"memberTags": ["VIP", "staff"]}))


def test_the_store_is_that_of_the_cart() -> None:
    tree = {"store": [str(STORE)]}
    in_store = replace(cart(1000), store_id=STORE, channel=Channel.IN_STORE)
    assert prove(tree, None, what=in_store).passed
    elsewhere = prove(tree, None, what=replace(in_store, store_id=StoreId(UUID(int=8))))
    assert (elsewhere.passed, elsewhere.required, elsewhere.actual) == (False, str(STORE), str(UUID(int=8)))
    assert prove(tree, None).actual == "none"


def test_what_was_decided_when_the_order_was_paid_is_not_held_against_the_member_again() -> None:
    gold = {"memberTier": {"atLeast": "GOLD"}}
    tree = {"all": [gold, {"none": [{"memberTags": ["staff"]}]}, {"cartQuantity": {"atLeast": 1}}]}
    proof = prove(tree, Unasked.AS_DECIDED)
    assert proof.passed
    assert [child.actual for child in proof.children] == ["as decided", "0/1", "1"]
    assert not prove({"all": [gold, {"cartQuantity": {"atLeast": 2}}]}, Unasked.AS_DECIDED).passed


def test_nothing_that_needs_a_hidden_member_holds() -> None:
    assert not prove({"memberTags": ["VIP"]}, Unasked.HIDDEN).passed
    assert not prove({"none": [{"memberTags": ["staff"]}]}, Unasked.HIDDEN).passed


def test_a_condition_on_a_member_of_whom_nothing_was_read_is_a_bug_and_never_passes_silently() -> None:
    with pytest.raises(AssertionError):
        priced(cart(1000), [conditioned({"firstOrder": True}, owner=None)])


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ({"memberTier": {"atLeast": "GOLD"}}, "升级到黄金会员即可使用"),
        ({"orderNumber": {"atLeast": 5}}, "再完成 2 笔订单后可用"),
        ({"store": [str(STORE)]}, "到指定门店购买即可使用"),
        ({"channel": ["IN_STORE"]}, "门店购买即可使用"),
        ({"cartQuantity": {"atLeast": 3}}, "再买 2 件即可使用"),
        ({"cartAmountMinor": {"atLeast": 1500}}, "再买 ¥5.00 即减 ¥1.00"),
        ({"weekday": ["MONDAY", "TUESDAY"]}, "周一可用"),
        ({"timeOfDay": {"from": "18:00", "until": "20:00"}}, "18:00 起可用"),
        ({"memberTags": ["staff"]}, None),
        ({"firstOrder": True}, None),
        ({"orderNumber": {"atMost": 2}}, None),
        ({"none": [{"memberTags": ["VIP"]}]}, None),
        # The cheapest of several ways; two different steps are not one.
        ({"any": [{"memberTier": {"atLeast": "GOLD"}}, {"cartQuantity": {"atLeast": 2}}]}, "再买 1 件即可使用"),
        ({"any": [{"cartAmountMinor": {"atLeast": 1800}}, {"channel": ["IN_STORE"]}]}, "门店购买即可使用"),
        ({"all": [{"memberTier": {"atLeast": "GOLD"}}, {"cartQuantity": {"atLeast": 2}}]}, None),
        (
            {"all": [{"cartAmountMinor": {"atLeast": 1200}}, {"cartAmountMinor": {"atLeast": 1500}}]},
            "再买 ¥5.00 即减 ¥1.00",
        ),
        # Buying more would break another condition.
        ({"all": [{"cartAmountMinor": {"atLeast": 1500}}, {"cartQuantity": {"atMost": 1}}]}, None),
        ({"all": [{"cartAmountMinor": {"atLeast": 1200}}, {"cartAmountMinor": {"atMost": 1100}}]}, None),
    ],
)
def test_the_one_step_that_would_help_is_told(tree: object, told: str | None) -> None:
    assert unlock_of(tree) == told


def test_a_birthday_is_waited_for_or_made_known() -> None:
    april, unknown = replace(ANNA, birth_month=4), replace(ANNA, birth_month=None)
    assert unlock_of({"birthdayMonth": True}, owner=april) == "生日当月可用"
    assert unlock_of({"birthdayMonth": True}, owner=unknown) == "登记生日后，有效期内的生日当月可用"


def test_one_purchase_mends_a_threshold_and_an_amount_at_once() -> None:
    tree = {"cartAmountMinor": {"atLeast": 2500}}
    refused = priced(cart(1000), [conditioned(tree, threshold_minor=2000)]).not_applied[0].eligibility
    assert refused.unlock == Unlock(more=Money(1500, "CNY"), saving=Money(100, "CNY"))
    assert refused.shortfall_minor == 1000
    grown = priced(cart(1000, 1500), [conditioned(tree, threshold_minor=2000)])
    assert grown.discount_minor == 100, "and it does"
    assert unlock_of({"cartAmountMinor": {"atMost": 1500}}, threshold_minor=2000) is None
    assert unlock_of({"channel": ["IN_STORE"]}, threshold_minor=2000) is None, "that would be two steps"


def ranges(name: str, most: int) -> st.SearchStrategy[dict[str, dict[str, int]]]:
    """Conditions of this name, from so much up, to so much more or without an end."""
    bounds = st.tuples(st.integers(0, most), st.none() | st.integers(0, most // 2))
    return bounds.map(
        lambda found: {name: {"atLeast": found[0]} | ({} if found[1] is None else {"atMost": sum(found)})}  # type: ignore[arg-type]
    )


AMOUNTS = ranges("cartAmountMinor", 200) | ranges("cartQuantity", 4)
LEAVES = AMOUNTS | st.sampled_from([{"channel": ["IN_STORE"]}, {"firstOrder": True}, {"memberTags": ["VIP"]}])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda rule, children: {rule: children},
        st.sampled_from(["all", "any", "none"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)


@given(tree=TREES, amount=st.integers(1, 30), threshold=st.integers(1, 40))
def test_who_buys_what_the_unlock_says_saves_what_it_says(tree: object, amount: int, threshold: int) -> None:
    try:
        coupon = conditioned(tree, threshold_minor=threshold + 100)
    except TermsError:  # deeper than trees may be
        return
    pricing = priced(cart(amount + 100), [coupon])
    if not pricing.not_applied or not isinstance(unlock := pricing.not_applied[0].eligibility.unlock, Unlock):
        return
    event("an unlock")
    assert priced(cart(amount + 100, unlock.more.minor), [coupon]).discount_minor == unlock.saving.minor


def test_where_the_scope_alone_is_in_the_way_the_way_there_is_told() -> None:
    plain = offer(1, "AMOUNT_OFF", amount_minor=100)
    for tree, scope in (
        ({"channel": ["IN_STORE"]}, Scope(channels=frozenset({Channel.IN_STORE}))),
        ({"store": [str(STORE)]}, Scope(store_ids=frozenset({STORE}))),
    ):
        refused = priced(cart(1000), [replace(plain, scope=scope)]).not_applied[0].eligibility
        assert isinstance(refused.unlock, Hint)
        assert refused.unlock.text.zh_cn == unlock_of(tree)


def test_the_moment_of_the_tests_is_a_sunday_in_march() -> None:
    assert NOW == SUNDAY_NOON
    assert SUNDAY_NOON.astimezone(SHANGHAI).strftime("%A %B %H:%M") == "Sunday March 12:00"
