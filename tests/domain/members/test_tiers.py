"""Tiers rise at once and fall late."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from domain.members.tiers import (
    DEFAULT_PROGRAMME,
    BenefitKind,
    Downgrade,
    TierProgramme,
    TierStanding,
    assess,
    status,
)

BRONZE, SILVER, GOLD, PLATINUM = DEFAULT_PROGRAMME.tiers
TODAY = date(2026, 3, 1)
YEAR = timedelta(days=365)
ONE_LEVEL = replace(DEFAULT_PROGRAMME, downgrade=Downgrade.ONE_LEVEL)


def assessed(
    standing: TierStanding, metric: int, *, today: date = TODAY, programme: TierProgramme = DEFAULT_PROGRAMME
) -> TierStanding:
    """The standing after a look at the metric."""
    return assess(standing, metric=metric, today=today, programme=programme)


@pytest.mark.parametrize(
    ("metric", "code"),
    [(0, "BRONZE"), (999, "BRONZE"), (1000, "SILVER"), (4999, "SILVER"), (5000, "GOLD"), (20_000, "PLATINUM")],
)
def test_a_metric_earns_the_highest_tier_whose_threshold_it_reaches(metric: int, code: str) -> None:
    assert DEFAULT_PROGRAMME.tier_for(metric).code == code
    assert assessed(TierStanding(BRONZE), metric).tier.code == code


def test_a_rise_is_immediate_over_several_levels_and_is_kept_from_that_day() -> None:
    assert assessed(TierStanding(BRONZE), 5000) == TierStanding(GOLD, TODAY + YEAR)
    assert assessed(TierStanding(SILVER, TODAY + timedelta(days=3)), 5000) == TierStanding(GOLD, TODAY + YEAR)


def test_a_lower_metric_changes_nothing_before_keep_until() -> None:
    gold = TierStanding(GOLD, TODAY)
    assert assessed(gold, 0, today=TODAY - timedelta(days=1)) == gold
    assert assessed(gold, 0, today=TODAY) == TierStanding(BRONZE)


def test_a_refund_that_lowers_the_metric_keeps_the_tier() -> None:
    gold = assessed(TierStanding(BRONZE), 5000)
    assert assessed(gold, 100, today=TODAY + timedelta(days=30)) == gold


def test_a_tier_that_is_still_earned_is_renewed_when_its_time_is_over() -> None:
    gold = TierStanding(GOLD, TODAY)
    assert assessed(gold, 5000) == TierStanding(GOLD, TODAY + YEAR)
    assert assessed(gold, 5000, today=TODAY + timedelta(days=9)) == TierStanding(GOLD, TODAY + YEAR)


def test_a_fall_goes_to_what_the_metric_earns_or_by_one_level() -> None:
    platinum = TierStanding(PLATINUM, TODAY)
    assert assessed(platinum, 1000) == TierStanding(SILVER, TODAY + YEAR)
    assert assessed(platinum, 1000, programme=ONE_LEVEL) == TierStanding(GOLD, TODAY + YEAR)
    assert assessed(platinum, 0, today=TODAY + YEAR, programme=ONE_LEVEL) == TierStanding(SILVER, TODAY + YEAR + YEAR)


def test_a_grace_delays_the_fall_and_not_the_next_term() -> None:
    graceful = replace(DEFAULT_PROGRAMME, grace_days=10)
    gold = TierStanding(GOLD, TODAY)
    assert assessed(gold, 1000, today=TODAY + timedelta(days=9), programme=graceful) == gold
    fallen = assessed(gold, 1000, today=TODAY + timedelta(days=10), programme=graceful)
    assert fallen == TierStanding(SILVER, TODAY + YEAR)


def test_the_lowest_tier_is_kept_for_ever() -> None:
    assert assessed(TierStanding(BRONZE), 0, today=TODAY + 100 * YEAR) == TierStanding(BRONZE)


def test_the_metric_counts_the_window_that_ends_today() -> None:
    first = TODAY - timedelta(days=364)
    by_day = {first - timedelta(days=1): 1, first: 10, TODAY: 100, TODAY + timedelta(days=1): 1000}
    assert DEFAULT_PROGRAMME.metric(by_day, today=TODAY) == 110
    assert DEFAULT_PROGRAMME.metric({TODAY: -5}, today=TODAY) == 0
    assert DEFAULT_PROGRAMME.metric({}, today=TODAY) == 0


def test_a_member_is_shown_the_way_to_the_next_tier() -> None:
    shown = status(TierStanding(SILVER, TODAY), metric=1200, programme=DEFAULT_PROGRAMME)
    assert (shown.next, shown.to_next, shown.metric) == (GOLD, 3800, 1200)
    kept = status(TierStanding(SILVER, TODAY), metric=6000, programme=DEFAULT_PROGRAMME)
    assert kept.to_next == 0
    top = status(TierStanding(PLATINUM, TODAY), metric=1, programme=DEFAULT_PROGRAMME)
    assert (top.next, top.to_next) == (None, None)


def test_the_default_tiers_have_names_in_both_languages_and_benefits() -> None:
    assert [tier.name.zh_cn for tier in DEFAULT_PROGRAMME.tiers] == ["青铜会员", "白银会员", "黄金会员", "铂金会员"]
    assert [tier.bonus_basis_points for tier in DEFAULT_PROGRAMME.tiers] == [0, 1000, 2000, 5000]
    assert len({tier.id for tier in DEFAULT_PROGRAMME.tiers}) == 4
    multiplier = next(b for b in GOLD.benefits if b.kind is BenefitKind.POINTS_MULTIPLIER)
    assert (multiplier.headline.zh_cn, multiplier.headline.en) == ("1.2倍积分", "1.2x points")
    for lower, higher in ((BRONZE, SILVER), (SILVER, GOLD), (GOLD, PLATINUM)):
        assert {b.kind for b in lower.benefits} <= {b.kind for b in higher.benefits}


@pytest.mark.parametrize(
    "change",
    [
        {"tiers": ()},
        {"tiers": (SILVER,)},
        {"tiers": (BRONZE, GOLD)},
        {"tiers": (BRONZE, replace(SILVER, threshold=0))},
        {"window_days": 0},
        {"keep_days": 0},
        {"grace_days": -1},
    ],
)
def test_a_programme_that_leaves_members_without_a_tier_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"lowest tier|higher threshold|one day at least"):
        replace(DEFAULT_PROGRAMME, **change)  # type: ignore[arg-type]
