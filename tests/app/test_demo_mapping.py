"""How the source's year is mapped: pure functions."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from app.demo.offers import HistoricOffer, history
from app.demo.people import person
from app.demo.points import PaidOrder, PointsRules, PointsYear
from app.demo.shops import GROCERY, SERVICES, SHOPS, shop_of
from app.demo.source import SourceCampaign, SourceCoupon, SourceLine, SourceProduct, SourceRedemption
from app.demo.used import Part, baskets_of, uses_of
from app.demo.when import REST_DAYS, SOURCE_LAST_DAY, SOURCE_OPENED, Shift, identity
from domain.coupons.kinds import KINDS
from domain.coupons.offer import Funder
from persistence.demo.rows import MemberRows

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)
SHIFT = Shift.of_first_load(NOW, zone=SHANGHAI)
DAY = date(2017, 3, 10)
MEMBER = UUID(int=1)


@pytest.mark.parametrize("days", range(8))
def test_the_year_ends_eight_to_fourteen_days_before_the_load_and_keeps_its_weekdays(days: int) -> None:
    now = NOW + timedelta(days=days)
    shift = Shift.of_first_load(now, zone=SHANGHAI)
    last = shift.day(SOURCE_LAST_DAY)
    assert REST_DAYS <= (now.astimezone(SHANGHAI).date() - last).days < REST_DAYS + 7
    assert last.weekday() == SOURCE_LAST_DAY.weekday()


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Pacific/Auckland", "UTC"])
def test_a_later_load_finds_the_shift_of_the_first(zone: str) -> None:
    first = Shift.of_first_load(NOW, zone=ZoneInfo(zone))
    assert Shift.of_later_load(first.opened_at, zone=ZoneInfo(zone)) == first
    assert first.day(SOURCE_OPENED) < first.day(date(2016, 11, 14)), "before the first campaign"


def test_a_local_time_stays_a_local_time() -> None:
    at = SHIFT.instant(datetime(2017, 3, 10, 17, 30))  # noqa: DTZ001 - local in the source
    assert at.astimezone(SHANGHAI).time().isoformat() == "17:30:00"
    assert at.astimezone(SHANGHAI).date() == SHIFT.day(DAY)


def test_an_identity_follows_from_instant_and_key_and_is_a_uuid_of_version_7() -> None:
    made = identity(NOW, "order", 7)
    assert made == identity(NOW, "order", 7)
    assert made != identity(NOW, "order", 8)
    assert (made.version, made.variant) == (7, UUID(int=made.int).variant)
    assert made.int >> 80 == int(NOW.timestamp() * 1000)
    assert made < identity(NOW + timedelta(milliseconds=1), "order", 7)


def test_every_department_has_one_merchant_and_what_has_none_is_at_the_service_desk() -> None:
    departments = [department for shop in SHOPS for department in shop.departments]
    assert len(departments) == len(set(departments))
    assert shop_of("GROCERY") is GROCERY
    assert shop_of("TOYS") is shop_of(None) is SERVICES
    assert len({shop.id for shop in SHOPS}) == len(SHOPS)


def test_a_person_is_the_same_in_every_load_and_of_the_age_that_the_source_knows() -> None:
    assert person(5, age="25-34", shift=SHIFT) == person(5, age="25-34", shift=SHIFT)
    born = [person(n, age="25-34", shift=SHIFT).birthday for n in range(200)]
    ages = {(SHIFT.opened_at.date() - day).days / 365.25 for day in born if day}
    assert len(ages) > 50
    assert min(ages) >= 25
    assert max(ages) < 36
    assert person(5, age=None, shift=SHIFT).birthday is None
    assert person(1, age=None, shift=SHIFT).joined_at < person(2, age=None, shift=SHIFT).joined_at


def test_every_basket_is_one_of_its_own_however_many_at_once() -> None:
    lines = [line(basket=1), line(basket=1, product=2), line(basket=2)]
    assert [(b.number, len(b.lines)) for b in baskets_of(lines)] == [(1, 2), (2, 1)]


def test_a_coupon_took_off_what_its_products_lines_say() -> None:
    found = parts([line(product=1, coupon=100, match=50), line(product=2, coupon=30)], products=[1])
    assert found == [(Part(0, 100, 50),)]


def test_of_a_days_baskets_it_is_the_one_whose_lines_show_the_coupon() -> None:
    lines = [line(basket=1, product=1, paid=900), line(basket=2, product=1, coupon=100)]
    (use,) = uses(lines, products=[1])
    assert use.basket.number == 2


def test_no_discount_is_counted_for_two_coupons() -> None:
    lines = [line(product=1, coupon=100), line(product=2, coupon=70)]
    redeemed = [redemption(upc=1), redemption(upc=2)]
    first, second = uses_of(redeemed, baskets=baskets_of(lines), offers={(1, 1): offer([1]), (1, 2): offer([1])})
    assert first.parts == (Part(0, 100, 0),)
    assert second.parts == (Part(1, 70, 0),), "the other discount of the basket, which nothing else explains"


def test_where_nothing_was_seen_the_templates_amount_is_taken_off_its_dearest_product() -> None:
    lines = [line(product=9, paid=900), line(product=1, paid=200), line(product=1, paid=300)]
    assert parts(lines, products=[1]) == [(Part(2, offer([1]).amount_minor, 0),)]


def test_a_template_says_what_was_seen_and_who_bore_it() -> None:
    made = offer([1], median=75, coupon_total=300, match_total=100)
    assert made.template.kind == "AMOUNT_OFF"
    assert made.terms == '{"amountMinor":75}'
    assert [(s.funder, s.basis_points) for s in made.template.funders] == [
        (Funder.PLATFORM, 7500),
        (Funder.MERCHANT, 2500),
    ]
    assert made.template.scope.product_refs == {"1"}
    assert made.template.scope.merchant_ids == {GROCERY.id}


@pytest.mark.parametrize(
    ("median", "width", "kind"),
    [(75, 1, "AMOUNT_OFF"), (100, 1, "THRESHOLD_AMOUNT_OFF"), (75, 401, "PERCENT_OFF"), (0, 1, None)],
)
def test_terms_of_every_kind_are_terms_that_an_operator_might_write(median: int, width: int, kind: str | None) -> None:
    made = offer(range(width), median=median)
    assert kind in {None, made.template.kind}
    terms = made.template.coupon_kind.terms_to_json(made.template.terms)
    assert KINDS[made.template.kind].terms_from_json(terms) == made.template.terms


def test_a_coupon_for_more_products_than_a_scope_may_name_is_for_their_categories() -> None:
    made = offer(range(1001))
    assert made.template.scope.product_refs == frozenset()
    assert made.template.scope.category_refs == {"CHEESE"}


def test_points_wait_for_the_return_window_and_count_towards_the_tier_when_they_come() -> None:
    rows = MemberRows.none()
    year = PointsYear(MEMBER, household=1, joined_at=SHIFT.opened_at, rules=rules())
    paid_at = SHIFT.start_of(date(2017, 2, 1)) + timedelta(hours=10)
    earned = year.run(
        [paid(1, at=paid_at, minor=99_999), paid(2, at=paid_at, minor=100), paid(3, at=paid_at, minor=99)]
    )
    assert list(earned.values()) == [999, 1, 0]
    assert year.write(rows) == 1
    assert [e.kind for e in rows.entries] == ["EARN", "EARN", "SPEND"]
    released = SHIFT.start_of(date(2017, 2, 8))
    assert [e.occurred_at for e in rows.entries[:2]] == [released, released + timedelta(milliseconds=1)]
    assert [e.balance_after for e in rows.entries] == [999, 1000, 500]
    assert [lot.remaining for lot in rows.lots] == [499, 1]
    (tier,) = rows.tiers
    assert tier.tier_code == "SILVER", "what was spent since counts all the same"
    assert tier.keep_until == SHIFT.day(date(2018, 2, 8))
    (account,) = rows.accounts
    assert (account.available, account.lifetime_earned) == (500, 1000)


def test_a_higher_tier_earns_more() -> None:
    year = PointsYear(MEMBER, household=1, joined_at=SHIFT.opened_at, rules=rules())
    first, later = SHIFT.start_of(date(2017, 2, 1)), SHIFT.start_of(date(2017, 3, 1))
    assert list(year.run([paid(1, at=first, minor=100_000), paid(2, at=later, minor=100_000)]).values()) == [1000, 1100]


def test_what_is_a_year_old_has_expired() -> None:
    rows = MemberRows.none()
    at = SHIFT.start_of(date(2017, 1, 1))
    year = PointsYear(
        MEMBER, household=1, joined_at=SHIFT.opened_at, rules=replace(rules(), now=at + timedelta(days=372))
    )
    year.run([paid(1, at=at, minor=5_000), paid(2, at=at + timedelta(days=9), minor=700)])
    year.write(rows)
    assert [(e.kind, e.delta, e.occurred_at - at) for e in rows.entries] == [
        ("EARN", 50, timedelta(days=7)),
        ("EARN", 7, timedelta(days=16)),
        ("EXPIRE", -50, timedelta(days=372)),
    ]
    assert [e.sequence for e in rows.events] == [1, 2, 3]
    assert rows.accounts[0].available == 7


def rules() -> PointsRules:
    return PointsRules(shift=SHIFT, now=NOW, bag_id=UUID(int=2))


def paid(number: int, *, at: datetime, minor: int) -> PaidOrder:
    return PaidOrder(UUID(int=number), str(number), at, minor)


def line(*, basket: int = 1, product: int = 1, paid: int = 100, coupon: int = 0, match: int = 0) -> SourceLine:
    at = datetime(2017, 3, 10, 12, basket)  # noqa: DTZ001 - local in the source
    return SourceLine(1, basket, 1, at, product, 1, paid, coupon, match)


def redemption(*, upc: int = 1) -> SourceRedemption:
    return SourceRedemption(1, 1, upc, DAY)


def offer(products: Iterable[int], *, median: int = 80, coupon_total: int = 100, match_total: int = 0) -> HistoricOffer:
    numbers = list(products)
    made = history(
        [SourceCampaign(1, "Type A", date(2017, 3, 1), date(2017, 4, 1), 10)],
        coupons=[SourceCoupon(1, 1, numbers, median, coupon_total, match_total)],
        products={n: SourceProduct(n, "GROCERY", "CHEESE") for n in numbers},
        shift=SHIFT,
        now=NOW,
        currency="CNY",
    )
    return made.offers[1, 1]


def uses(lines: Sequence[SourceLine], *, products: Iterable[int]) -> list[Any]:
    return list(uses_of([redemption()], baskets=baskets_of(lines), offers={(1, 1): offer(products)}))


def parts(lines: Sequence[SourceLine], *, products: Iterable[int]) -> list[Any]:
    return [use.parts for use in uses(lines, products=products)]
