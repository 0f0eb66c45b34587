"""Points are earned, spent, expired and corrected without one of them appearing or vanishing."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.points.journal import Account, Draw, Entry, EntryKind, Lot, Posting, UnbalancedEntry
from domain.points.rules import (
    ONE_POINT_PER_YUAN,
    NotEnoughPoints,
    Rate,
    SpendingBlocked,
    adjust,
    cancel_pending,
    claw_back,
    draw,
    earn,
    earn_pending,
    expire,
    release_pending,
    spend,
    spend_order,
    spendable,
)
from domain.shared.ids import LotId

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def lot(number: int, remaining: int, *, earned: int = 0, expires: int | None = None) -> Lot:
    """A lot earned and expiring so many days from now."""
    return Lot(LotId(UUID(int=number)), remaining, NOW + earned * DAY, None if expires is None else NOW + expires * DAY)


def drawn(entry: Entry) -> list[tuple[int, int]]:
    """Which lots an entry draws on, and for how many points."""
    return [(part.lot_id.int, part.points) for part in entry.draws]


def moved(entry: Entry) -> dict[str, int]:
    """What an entry does to each account."""
    return {posting.account.value: posting.points for posting in entry.postings}


# ── earning ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_point_for_a_yuan_that_is_paid() -> None:
    assert [ONE_POINT_PER_YUAN.points_for(paid) for paid in (0, 99, 100, 10_099)] == [0, 0, 1, 100]


def test_golden_refunds_in_three_parts_take_back_34_33_33() -> None:
    changes = [
        ONE_POINT_PER_YUAN.change(paid_before_minor=before, paid_after_minor=after)
        for before, after in pairwise([10_000, 6667, 3334, 0])
    ]
    assert changes == [-34, -33, -33]


@given(
    paid=st.lists(st.integers(min_value=0, max_value=10**7), min_size=2, max_size=8),
    points=st.integers(1, 20),
    per_minor=st.integers(1, 1000),
)
def test_any_refunds_take_back_exactly_what_was_earned(paid: list[int], points: int, per_minor: int) -> None:
    rate, left = Rate(points, per_minor), [*sorted(paid, reverse=True), 0]
    changes = [rate.change(paid_before_minor=before, paid_after_minor=after) for before, after in pairwise(left)]
    assert sum(changes) == -rate.points_for(left[0])
    assert max(changes) <= 0


def test_bonuses_add_up_and_are_rounded_once() -> None:
    assert Rate(1, 100).points_for(999, bonus_basis_points=[1000, 2000]) == 12  # 9.99 × 1.3 = 12.987
    assert Rate(1, 100).points_for(1000, bonus_basis_points=[]) == 10


def test_a_rate_of_nothing_and_a_negative_payment_are_refused() -> None:
    for points, per_minor in ((0, 100), (1, 0)):
        with pytest.raises(ValueError, match="a rate gives points"):
            Rate(points, per_minor)
    with pytest.raises(ValueError, match="not negative"):
        ONE_POINT_PER_YUAN.points_for(-1)


# ── lots ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_points_are_spent_by_expiry_then_by_age_and_never_expiring_last() -> None:
    lots = [
        lot(1, 5),
        lot(2, 5, expires=30),
        lot(3, 5, earned=-2, expires=30),
        lot(4, 5, expires=10),
        lot(5, 5, earned=-9),
    ]
    assert [one.id.int for one in spend_order(lots)] == [4, 3, 2, 5, 1]


def test_flocafe_78_and_odoo_206048_a_spend_draws_on_lots_and_leaves_a_trace_of_each() -> None:
    lots = [lot(1, 100), lot(2, 30, expires=5), lot(3, 0, expires=1), lot(4, 50, expires=9)]
    entry = spend(100, lots=lots, debt=0, at=NOW)
    assert drawn(entry) == [(2, 30), (4, 50), (1, 20)]
    assert moved(entry) == {"AVAILABLE": -100, "SPENT": 100}
    assert (entry.kind, entry.delta) == (EntryKind.SPEND, -100)


def test_expired_points_cannot_be_spent_even_before_they_are_posted_as_expired() -> None:
    lots = [lot(1, 10, expires=0), lot(2, 10, expires=1)]
    assert spendable(lots, at=NOW) == 10
    with pytest.raises(NotEnoughPoints) as refused:
        spend(11, lots=lots, debt=0, at=NOW)
    assert (refused.value.required, refused.value.available) == (11, 10)
    assert drawn(spend(10, lots=lots, debt=0, at=NOW)) == [(2, 10)]


def test_spending_is_blocked_while_a_debt_is_open() -> None:
    with pytest.raises(SpendingBlocked) as refused:
        spend(1, lots=[lot(1, 10)], debt=3, at=NOW)
    assert refused.value.debt == 3


def test_a_lot_expires_at_its_instant_with_what_is_left_of_it() -> None:
    due = lot(1, 7, expires=0)
    entry = expire(due, at=NOW)
    assert entry is not None
    assert moved(entry) == {"AVAILABLE": -7, "EXPIRED": 7}
    assert drawn(entry) == [(1, 7)]
    assert expire(due, at=NOW - timedelta(microseconds=1)) is None
    assert expire(lot(1, 0, expires=0), at=NOW) is None
    assert expire(lot(1, 7), at=NOW) is None


@given(
    amounts=st.lists(st.tuples(st.integers(0, 50), st.none() | st.integers(-2, 5)), max_size=10),
    points=st.integers(min_value=0, max_value=200),
)
def test_draws_sum_to_the_points_and_never_overdraw_a_lot(amounts: list[tuple[int, int | None]], points: int) -> None:
    lots = [lot(number, left, expires=expires) for number, (left, expires) in enumerate(amounts)]
    if points > spendable(lots, at=NOW):
        with pytest.raises(NotEnoughPoints):
            draw(points, lots=lots, at=NOW)
        return
    draws = {part.lot_id: part.points for part in draw(points, lots=lots, at=NOW)}
    assert sum(draws.values()) == points
    for one in lots:
        assert 0 <= draws.get(one.id, 0) <= (0 if one.is_expired(NOW) else one.remaining)


# ── the journal ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_promise_is_not_available_and_may_be_withdrawn() -> None:
    promise, withdrawal = earn_pending(34), cancel_pending(34)
    assert moved(promise) == {"PENDING": 34, "ISSUED": -34}
    assert moved(withdrawal) == {"PENDING": -34, "ISSUED": 34}
    assert (promise.delta, withdrawal.delta) == (0, 0)
    assert promise.kind is withdrawal.kind is EntryKind.PENDING


def test_a_released_promise_becomes_a_lot() -> None:
    entry = release_pending(34, debt=0)
    assert moved(entry) == {"PENDING": -34, "AVAILABLE": 34}
    assert (entry.kind, entry.lot_points, entry.delta) == (EntryKind.EARN, 34, 34)


@pytest.mark.parametrize(
    ("debt", "available", "repaid"),
    [(0, 34, 0), (10, 24, 10), (34, 0, 34), (50, 0, 34)],
)
def test_earnings_repay_what_is_owed_first(debt: int, available: int, repaid: int) -> None:
    for entry in (release_pending(34, debt=debt), earn(34, debt=debt), adjust(34, lots=[], debt=debt, at=NOW)):
        assert (entry.delta, entry.lot_points, entry.on(Account.DEBT)) == (available, available, repaid)


def test_points_given_at_once_come_from_the_programme() -> None:
    assert moved(earn(5, debt=0)) == {"ISSUED": -5, "AVAILABLE": 5}


def test_a_correction_downwards_stops_at_what_is_available() -> None:
    lots = [lot(1, 10, expires=3), lot(2, 10)]
    entry = adjust(-15, lots=lots, debt=0, at=NOW)
    assert moved(entry) == {"AVAILABLE": -15, "ADJUSTED": 15}
    assert drawn(entry) == [(1, 10), (2, 5)]
    with pytest.raises(NotEnoughPoints):
        adjust(-21, lots=lots, debt=0, at=NOW)


def test_a_clawback_takes_pending_then_the_orders_lots_and_then_makes_a_debt() -> None:
    entry = claw_back(100, pending=20, lots=[lot(1, 30)])
    assert moved(entry) == {"PENDING": -20, "AVAILABLE": -30, "DEBT": -50, "ISSUED": 100}
    assert drawn(entry) == [(1, 30)]
    assert moved(claw_back(20, pending=20, lots=[lot(1, 30)])) == {"PENDING": -20, "ISSUED": 20}


def test_a_clawback_takes_what_expired_unused_of_the_orders_lots_before_it_makes_a_debt() -> None:
    entry = claw_back(100, pending=0, lots=[lot(1, 30)], expired=60)
    assert moved(entry) == {"AVAILABLE": -30, "EXPIRED": -60, "DEBT": -10, "ISSUED": 100}
    assert moved(claw_back(40, pending=0, lots=[lot(1, 30)], expired=60)) == {
        "AVAILABLE": -30, "EXPIRED": -10, "ISSUED": 40,
    }  # fmt: skip


def test_a_movement_of_nothing_is_refused() -> None:
    movements: list[Callable[[], Entry]] = [
        lambda: earn_pending(0),
        lambda: cancel_pending(-1),
        lambda: earn(0, debt=0),
        lambda: spend(0, lots=[], debt=0, at=NOW),
        lambda: adjust(0, lots=[], debt=0, at=NOW),
        lambda: claw_back(0, pending=0, lots=[]),
    ]
    for movement in movements:
        with pytest.raises(ValueError, match="moves one at least"):
            movement()
    with pytest.raises(ValueError, match="debt is not negative"):
        earn(1, debt=-1)


A, S = Account.AVAILABLE, Account.SPENT
FROM_LOT = (Draw(LotId(UUID(int=1)), 5),)


@pytest.mark.parametrize(
    ("postings", "draws", "lot_points"),
    [
        ((Posting(A, -5), Posting(S, 4)), FROM_LOT, 0),
        ((Posting(A, -5), Posting(S, 5)), (), 0),
        ((Posting(A, 5), Posting(S, -5)), (), 4),
        ((Posting(A, -5), Posting(A, 5)), (), 0),
        ((Posting(S, 0),), (), 0),
        ((Posting(A, 5), Posting(S, -5)), (Draw(LotId(UUID(int=1)), -5),), 0),
        ((Posting(A, -6), Posting(S, 6)), FROM_LOT, -1),
        ((Posting(A, 2**53), Posting(S, -(2**53))), (), 2**53),
    ],
)
def test_an_entry_that_does_not_balance_cannot_be_made(
    postings: tuple[Posting, ...], draws: tuple[Draw, ...], lot_points: int
) -> None:
    with pytest.raises(UnbalancedEntry):
        Entry(EntryKind.SPEND, postings, draws, lot_points)


class Books:
    """A member's lots and every account's balance, kept by applying entries."""

    def __init__(self) -> None:
        self.total = dict.fromkeys(Account, 0)
        self.lots: dict[LotId, int] = {}

    @property
    def pending(self) -> int:
        """What is promised."""
        return self.total[Account.PENDING]

    @property
    def debt(self) -> int:
        """What is owed."""
        return -self.total[Account.DEBT]

    def decide(self, what: str, points: int) -> Entry:
        """A movement of one sort."""
        lots = [Lot(key, left, NOW) for key, left in self.lots.items()]
        movements: dict[str, Callable[[], Entry]] = {
            "promise": lambda: earn_pending(points),
            "withdraw": lambda: cancel_pending(min(points, self.pending)),
            "release": lambda: release_pending(min(points, self.pending), debt=self.debt),
            "earn": lambda: earn(points, debt=self.debt),
            "spend": lambda: spend(points, lots=lots, debt=self.debt, at=NOW),
            "correct": lambda: adjust(-points, lots=lots, debt=self.debt, at=NOW),
            "claw back": lambda: claw_back(points, pending=self.pending, lots=lots[:1]),
        }
        return movements[what]()

    def post(self, entry: Entry) -> None:
        """Apply a movement."""
        for posting in entry.postings:
            self.total[posting.account] += posting.points
        for part in entry.draws:
            self.lots[part.lot_id] -= part.points
        if entry.lot_points:
            self.lots[LotId(UUID(int=len(self.lots)))] = entry.lot_points


MOVEMENTS = st.sampled_from(["promise", "withdraw", "release", "earn", "spend", "correct", "claw back"])


@given(moves=st.lists(st.tuples(MOVEMENTS, st.integers(1, 40)), max_size=40))
def test_whatever_happens_the_books_balance_and_lots_mirror_what_is_available(moves: list[tuple[str, int]]) -> None:
    books = Books()
    for what, points in moves:
        # Too few points, an open debt, nothing promised: such a movement is refused, and the books stay as they are.
        with suppress(ValueError):
            books.post(books.decide(what, points))
        assert sum(books.total.values()) == 0
        assert books.total[Account.AVAILABLE] == sum(books.lots.values()) >= 0
        assert min(books.pending, books.debt, *books.lots.values(), 0) == 0
