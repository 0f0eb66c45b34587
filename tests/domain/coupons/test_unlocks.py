"""The one step that would help: it is tried before it is told, and of those that help the cheapest is told."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.coupons import trials
from domain.coupons.cart import Cart, Channel, Scope
from domain.coupons.conditions import read_conditions
from domain.coupons.decision import Circumstances
from domain.coupons.facts import MemberFacts
from domain.coupons.kinds import KINDS
from domain.coupons.lanes import Lane
from domain.coupons.offer import CouponState, Offer, Stacking, ThresholdBase
from domain.coupons.pricing import price
from domain.coupons.solver.rejections import rejections
from domain.coupons.trials import MAX_TRIALS, MIN_TRIALS, Outcome, Trials
from domain.members.tiers import DEFAULT_PROGRAMME
from tests.domain.coupons.carts import NOW, POLICY, applied_ids, cart, offer, priced
from tests.domain.coupons.steps import minor

SHANGHAI, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")
IN_STORE: Mapping[str, Any] = {"channel": ["IN_STORE"]}
ANNA = MemberFacts(DEFAULT_PROGRAMME.tiers[0], frozenset(), orders=0, birth_month=12)
HALF = replace(offer(1, "PERCENT_OFF", payable_basis_points=5000), stacking=Stacking(lane=Lane.ITEM))
FROM_100 = offer(2, "THRESHOLD_AMOUNT_OFF", threshold_minor=10_000, amount_minor=2000)


def hours(starts: str, ends: str) -> dict[str, Any]:
    """A condition on the time of day."""
    return {"timeOfDay": {"from": starts, "until": ends}}


def told(coupon: Offer, what: Cart, *beside: Offer, at: datetime = NOW) -> tuple[str, str] | None:
    """What is told of a coupon that does not act, in both languages."""
    refused = {one.offer: one for one in price(what, [coupon, *beside], policy=POLICY, at=at).not_applied}[coupon]
    unlock = refused.eligibility.unlock
    return None if unlock is None else (unlock.text.zh_cn, unlock.text.en)


def conditioned(tree: object, plain: Offer | None = None, *, zone: ZoneInfo = SHANGHAI) -> Offer:
    """¥1 off, or another coupon, on these conditions."""
    coupon = plain or offer(1, "AMOUNT_OFF", amount_minor=100)
    return replace(coupon, conditions=read_conditions(tree, zone=zone), owner=ANNA)


# ── what is bought, with other coupons on the same goods ────────────────────────────────────────────────────────────


def test_golden_what_is_bought_is_at_half_price_too() -> None:
    assert told(FROM_100, cart(18_000), HALF) == ("再买 ¥20.00 即减 ¥20.00", "Spend ¥20.00 more to save ¥20.00")
    assert applied_ids(priced(cart(18_000, 2000), [HALF, FROM_100])) == [1, 2]
    assert applied_ids(priced(cart(18_000, 1999), [HALF, FROM_100])) == [1]


def test_the_shortfall_says_what_the_threshold_lacks_and_the_unlock_what_is_to_be_bought_for_it() -> None:
    refused = priced(cart(18_000), [HALF, FROM_100]).not_applied[0].eligibility
    assert refused.shortfall_minor == 1000


@pytest.mark.parametrize("payable", [100, 3333, 5000, 9999])
@pytest.mark.parametrize("base", list(ThresholdBase))
def test_the_purchase_is_the_least_after_any_percentage(payable: int, base: ThresholdBase) -> None:
    first = replace(HALF, terms=KINDS["PERCENT_OFF"].terms_from_json({"payableBasisPoints": payable}))
    second = replace(FROM_100, threshold_base=base)
    refused = priced(cart(5000), [first, second]).not_applied[0].eligibility
    more = refused.unlock.more.minor  # type: ignore[union-attr] # of a threshold it is an Unlock
    assert 2 in applied_ids(priced(cart(5000, more), [first, second]))
    assert 2 not in applied_ids(priced(cart(5000, more - 1), [first, second]))


def test_an_earlier_amount_that_the_goods_do_not_use_up_eats_into_what_is_bought() -> None:
    eats = replace(offer(1, "AMOUNT_OFF", amount_minor=5000), stacking=Stacking(lane=Lane.ITEM))
    # ¥10 of the ¥50 are used: ¥40 more are, before anything counts.
    assert told(FROM_100, cart(1000), eats) == ("再买 ¥140.00 即减 ¥20.00", "Spend ¥140.00 more to save ¥20.00")


def test_the_purchase_is_enough_whichever_goods_of_the_scope_are_bought() -> None:
    # Of p1 half is left, of anything else all: who is told of ¥10 might buy the wrong thing.
    half_of_p1 = replace(HALF, scope=Scope(product_refs=frozenset({"p1"})))
    assert told(FROM_100, cart(18_000), half_of_p1) == ("再买 ¥20.00 即减 ¥20.00", "Spend ¥20.00 more to save ¥20.00")


def test_where_the_goods_decide_what_is_saved_the_least_is_told() -> None:
    tenth = offer(2, "PERCENT_OFF", payable_basis_points=9000, threshold_minor=10_000)
    half_of_p1 = replace(HALF, scope=Scope(product_refs=frozenset({"p1"})))
    initial = replace(tenth, threshold_base=ThresholdBase.INITIAL)
    # ¥10 of p1 leave ¥50 of ¥100 to take a tenth of, ¥10 of anything else ¥55.
    assert told(initial, cart(9000), half_of_p1) == (
        "再买 ¥10.00 至少减 ¥5.00",
        "Spend ¥10.00 more to save at least ¥5.00",
    )


def test_no_purchase_is_told_that_would_take_another_coupon_away() -> None:
    small = conditioned({"cartAmountMinor": {"atMost": 9000}}, HALF)
    assert told(FROM_100, cart(8000), small) is None


def test_a_coupon_that_the_same_purchase_makes_act_first_is_reckoned_with() -> None:
    first = replace(FROM_100, coupon_id=HALF.coupon_id, template_id=HALF.template_id, stacking=HALF.stacking)
    second = replace(FROM_100, terms=KINDS["THRESHOLD_AMOUNT_OFF"].terms_from_json(
        {"thresholdMinor": 10_500, "amountMinor": 100}
    ))  # fmt: skip
    # At ¥105 the first takes ¥20 off, and ¥85 are left.
    assert told(second, cart(9000), first) == ("再买 ¥35.00 即减 ¥1.00", "Spend ¥35.00 more to save ¥1.00")


# ── steps that only seem to help ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("tree", "plain", "days"),
    [
        pytest.param({"weekday": ["SATURDAY"]}, None, 1, id="the coupon is over by Saturday"),
        pytest.param({"birthdayMonth": True}, None, 5, id="the coupon is over before December"),
        pytest.param({"weekday": ["MONDAY"]}, offer(1, "FREE_SHIPPING"), 300, id="there is no fee to take off"),
        pytest.param({"all": [{"firstOrder": True}, {"orderNumber": {"atLeast": 2}}]}, None, 300, id="both at once"),
        pytest.param({"channel": ["IN_STORE"]}, offer(1, "FIXED_PRICE", price_minor=5000), 300, id="dearer than it is"),
    ],
)
def test_a_step_after_which_the_coupon_would_not_act_is_not_told(tree: object, plain: Offer | None, days: int) -> None:
    coupon = replace(conditioned(tree, plain), valid_until=NOW + timedelta(days=days))
    assert told(coupon, cart(1000)) is None


def test_a_place_that_a_scope_names_is_not_told_where_the_coupon_would_take_nothing_off_there() -> None:
    dear = replace(offer(1, "FIXED_PRICE", price_minor=5000), scope=Scope(channels=frozenset({Channel.IN_STORE})))
    assert told(dear, cart(1000)) is None


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        # In a store the one condition would hold, and the other no more.
        (
            {"all": [{"any": [IN_STORE, {"cartAmountMinor": {"atLeast": 1500}}]}, {"channel": ["ONLINE"]}]},
            "再买 ¥5.00 即减 ¥1.00",
        ),
        # Two units cost ¥10 more and not ¥9,990.
        ({"any": [{"cartAmountMinor": {"atLeast": 1_000_000}}, {"cartQuantity": {"atLeast": 2}}]}, "再买 1 件即可使用"),
        # One unit more as cheap as this is within the amount.
        (
            {
                "all": [
                    {"any": [{"cartAmountMinor": {"atLeast": 1500}}, {"cartQuantity": {"atLeast": 2}}]},
                    {"cartAmountMinor": {"atMost": 1200}},
                ]
            },
            "再买 1 件（单价不高于 ¥2.00）即可使用",
        ),
        ({"none": [{"cartQuantity": {"atMost": 2}}]}, "再买 2 件即可使用"),
        ({"none": [{"channel": ["ONLINE"]}]}, "门店购买即可使用"),
        ({"any": [hours("13:00", "14:00"), {"cartAmountMinor": {"atLeast": 1001}}]}, "再买 ¥0.01 即减 ¥1.00"),
    ],
)  # fmt: skip
def test_of_the_steps_that_help_the_cheapest_is_told(tree: object, expected: str) -> None:
    found = told(conditioned(tree), cart(1000))
    assert found is not None
    assert found[0] == expected


def test_one_unit_more_may_mend_an_amount_and_a_quantity() -> None:
    coupon = conditioned(
        {"cartQuantity": {"atLeast": 2}}, offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=2000, amount_minor=100)
    )
    assert told(coupon, cart(1000)) == ("再买 ¥10.00 即减 ¥1.00", "Spend ¥10.00 more to save ¥1.00")
    three = replace(coupon, conditions=read_conditions({"cartQuantity": {"atLeast": 3}}, zone=SHANGHAI))
    assert told(three, cart(1000)) == (
        "再买 2 件（单价不低于 ¥5.00）即可使用",
        "Add 2 more eligible units at ¥5.00 or more each to use it",
    )


def test_units_may_mend_a_kind_and_a_condition() -> None:
    coupon = conditioned({"cartQuantity": {"atLeast": 5}}, offer(1, "BUY_X_GET_Y", buy_quantity=2, get_quantity=1))
    assert told(coupon, cart(1000)) == ("再买 4 件即可使用", "Add 4 more eligible units to use it")


# ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────────────────

SUNDAY_FROM_9 = {"all": [{"weekday": ["SUNDAY"]}, hours("09:00", "11:00")]}
FRIDAY_NIGHT: Mapping[str, Any] = {"all": [{"weekday": ["FRIDAY"]}, hours("22:00", "02:00")]}
EITHER: Mapping[str, Any] = {
    "any": [{"weekday": ["MONDAY"]}, hours("22:00", "23:00")]
}  # fmt: skip


@pytest.mark.parametrize(
    ("tree", "local", "zh_cn", "en"),
    [
        # It is Sunday noon: the next 09:00 is Monday's, the next Sunday's is a week away.
        (SUNDAY_FROM_9, "2026-03-01T12:00", "2026-03-08 09:00 起可用", "Can be used from 2026-03-08 09:00"),
        (SUNDAY_FROM_9, "2026-03-05T12:00", "周日 09:00 起可用", "Can be used on Sunday from 09:00"),
        (SUNDAY_FROM_9, "2026-03-08T08:59", "09:00 起可用", "Can be used from 09:00"),
        # Monday is a minute away, 22:00 nearly a day.
        (EITHER, "2026-03-01T23:59", "周一 00:00 起可用", "Can be used on Monday from 00:00"),
        (EITHER, "2026-03-01T21:00", "22:00 起可用", "Can be used from 22:00"),
        (hours("09:00", "11:00"), "2026-03-01T11:00", "明天 09:00 起可用", "Can be used from 09:00 tomorrow"),
        # A weekday is that of the hour itself: of these hours Friday has 00:00 to 02:00, and 22:00 to midnight.
        (FRIDAY_NIGHT, "2026-03-07T01:00", "周五 00:00 起可用", "Can be used on Friday from 00:00"),
        ({"none": [{"weekday": ["SUNDAY"]}]}, "2026-03-01T12:00", "周一可用", "Can be used on Monday"),
        ({"birthdayMonth": True}, "2026-03-01T12:00", "生日当月可用", "Can be used in the month of your birthday"),
        (
            {"all": [{"birthdayMonth": True}, {"weekday": ["SATURDAY"]}, hours("09:00", "11:00")]},
            "2026-03-01T12:00",
            "生日当月的周六 09:00 起可用",
            "Can be used in the month of your birthday, on Saturday from 09:00",
        ),
    ],
)  # fmt: skip
def test_the_first_instant_at_which_it_acts_is_told(tree: object, local: str, zh_cn: str, en: str) -> None:
    at = datetime.fromisoformat(local).replace(tzinfo=SHANGHAI).astimezone(UTC)
    assert told(conditioned(tree), cart(1000), at=at) == (zh_cn, en)


def test_where_clocks_skip_the_hour_the_next_day_is_told() -> None:
    # On 8 March 2026 New York's clocks go from 02:00 to 03:00.
    coupon = conditioned(hours("02:00", "03:00"), zone=NEW_YORK)
    before = datetime(2026, 3, 8, 1, 59, tzinfo=NEW_YORK).astimezone(UTC)
    assert told(coupon, cart(1000), at=before) == ("明天 02:00 起可用", "Can be used from 02:00 tomorrow")
    assert applied_ids(price(cart(1000), [coupon], policy=POLICY, at=before + timedelta(minutes=1))) == []


def test_where_clocks_repeat_the_hour_the_second_is_told_after_the_first() -> None:
    # On 1 November 2026 New York's clocks go from 02:00 back to 01:00.
    coupon = conditioned(hours("01:00", "01:30"), zone=NEW_YORK)
    between = datetime(2026, 11, 1, 5, 45, tzinfo=UTC)
    assert told(coupon, cart(1000), at=between) == ("01:00 起可用", "Can be used from 01:00")
    assert applied_ids(price(cart(1000), [coupon], policy=POLICY, at=datetime(2026, 11, 1, 6, 0, tzinfo=UTC))) == [1]


# ── what it costs ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_tried_before_somebody_asks_and_then_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = count_trials(monkeypatch)
    (refused,) = priced(cart(18_000), [HALF, FROM_100]).not_applied
    assert (refused.eligibility.eligible, refused.eligibility.shortfall_minor, len(tried)) == (False, 1000, 0)
    assert refused.eligibility.unlock is refused.eligibility.unlock
    # As it is, ¥10 more, ¥20 more, a minor unit less.
    assert len(tried) == 4
    circumstances = Circumstances(NOW, frozenset({CouponState.CLAIMED}))
    wallet = [
        HALF,
        *(replace(FROM_100, coupon_id=offer(n, "AMOUNT_OFF", amount_minor=1).coupon_id) for n in range(9, 19)),
    ]
    found = rejections(cart(18_000), wallet, best=[HALF], policy=POLICY, circumstances=circumstances)
    assert [one.eligibility.eligible for one in found] == [False] * 10
    assert len(tried) == 4


def test_of_one_coupon_no_more_is_tried_than_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = count_trials(monkeypatch)
    tree = {"all": [{"cartAmountMinor": {"atLeast": bound, "atMost": 10 * bound}} for bound in range(2000, 2049)]}
    coupon = conditioned(
        tree, replace(offer(2, "FIXED_PRICE", price_minor=990), scope=Scope(product_refs=frozenset("p")))
    )
    told(coupon, cart(1000), HALF)
    assert len(tried) <= MAX_TRIALS + 1


def test_of_a_coupon_beside_many_less_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    together = Stacking(lane=Lane.ITEM, tags=frozenset("t"), combines_with_tags=frozenset("t"))
    many = [
        replace(offer(100 + number, "PERCENT_OFF", payable_basis_points=9990), stacking=together)
        for number in range(60)
    ]
    tried = count_trials(monkeypatch)
    found = told(FROM_100, cart(9000), *many)
    assert len(tried) <= MIN_TRIALS + 1
    assert found is not None
    more = minor(found[0].split()[1].removeprefix("¥"))
    assert FROM_100 in [one.offer for one in priced(cart(9000, more), [*many, FROM_100]).applied], "and yet it is true"


def count_trials(monkeypatch: pytest.MonkeyPatch) -> list[Cart]:
    """The carts that are tried from now on."""
    tried: list[Cart] = []
    run = Trials._run

    def counted(self: Trials, what: Cart, **otherwise: Any) -> Outcome:
        tried.append(what)
        return run(self, what, **otherwise)

    monkeypatch.setattr(trials.Trials, "_run", counted)
    return tried
