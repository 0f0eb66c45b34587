"""How points are earned, spent, expired and adjusted. Integers only; nothing here knows where they are stored."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.points.journal import Account, Draw, Entry, EntryKind, Lot, entry
from domain.shared.allocation import WHOLE_BASIS_POINTS
from domain.shared.ids import LotId


class NotEnoughPoints(ValueError):
    """Fewer points than the movement takes; nothing was decided."""

    def __init__(self, *, required: int, available: int) -> None:
        super().__init__(f"{required} points of {available}")
        self.required = required
        self.available = available


class SpendingBlocked(ValueError):
    """Points cannot be spent while a debt of points is open."""

    def __init__(self, *, debt: int) -> None:
        super().__init__(f"{debt} points are owed")
        self.debt = debt


@dataclass(frozen=True, slots=True)
class Rate:
    """`points` for every `per_minor` of money that is paid."""

    points: int
    per_minor: int

    def __post_init__(self) -> None:
        """Refuse a rate that gives nothing or divides by nothing."""
        if self.points < 1 or self.per_minor < 1:
            raise ValueError("a rate gives points for an amount")

    def points_for(self, paid_minor: int, *, bonus_basis_points: Sequence[int] = ()) -> int:
        """Points for what was really paid: floor(paid x points / per_minor x (1 + sum of bonuses)).

        Rounded down once, for the whole order. Bonuses add up (10 % and 20 % make 30 %), they do not multiply.
        """
        if paid_minor < 0:
            raise ValueError("what was paid is not negative")
        factor = WHOLE_BASIS_POINTS + sum(bonus_basis_points)
        return paid_minor * self.points * factor // (self.per_minor * WHOLE_BASIS_POINTS)

    def change(self, *, paid_before_minor: int, paid_after_minor: int, bonus_basis_points: Sequence[int] = ()) -> int:
        """What a refund (negative) does to an order's points: f(what stays paid) - f(what was paid before it).

        Not f(the refund): that would leave a point behind when an order is returned in parts.
        """
        after = self.points_for(paid_after_minor, bonus_basis_points=bonus_basis_points)
        return after - self.points_for(paid_before_minor, bonus_basis_points=bonus_basis_points)


ONE_POINT_PER_YUAN: Final = Rate(points=1, per_minor=100)


def spend_order(lots: Iterable[Lot]) -> list[Lot]:
    """Lots in the order in which they are spent: earliest expiry, then earliest earned; never-expiring last."""
    return sorted(
        lots, key=lambda lot: (lot.expires_at is None, lot.expires_at or lot.earned_at, lot.earned_at, str(lot.id))
    )


def spendable(lots: Iterable[Lot], *, at: datetime) -> int:
    """The points that may be spent now: expired lots do not count, posted as expired or not yet."""
    return sum(lot.remaining for lot in lots if not lot.is_expired(at))


def draw(points: int, *, lots: Sequence[Lot], at: datetime) -> tuple[Draw, ...]:
    """Take points from lots in spend order; raises NotEnoughPoints."""
    available = spendable(lots, at=at)
    if points > available:
        raise NotEnoughPoints(required=points, available=available)
    draws: list[Draw] = []
    for lot in spend_order(lot for lot in lots if lot.remaining and not lot.is_expired(at)):
        if not points:
            break
        taken = min(points, lot.remaining)
        draws.append(Draw(lot.id, taken))
        points -= taken
    return tuple(draws)


def earn_pending(points: int) -> Entry:
    """Promise points that wait for the return window to pass."""
    _require_positive(points)
    return entry(EntryKind.PENDING, postings=((Account.PENDING, points), (Account.ISSUED, -points)))


def cancel_pending(points: int) -> Entry:
    """Withdraw a promise; it never was a balance and never appears as spent."""
    _require_positive(points)
    return entry(EntryKind.PENDING, postings=((Account.PENDING, -points), (Account.ISSUED, points)))


def release_pending(points: int, *, debt: int) -> Entry:
    """Turn a promise into a lot, after repaying what is owed."""
    return _credit(points, kind=EntryKind.EARN, source=Account.PENDING, debt=debt)


def earn(points: int, *, debt: int) -> Entry:
    """Give points at once (a check-in), after repaying what is owed."""
    return _credit(points, kind=EntryKind.EARN, source=Account.ISSUED, debt=debt)


def spend(points: int, *, lots: Sequence[Lot], debt: int, at: datetime) -> Entry:
    """Spend points from lots. Raises NotEnoughPoints, and SpendingBlocked while a debt is open."""
    _require_positive(points)
    if debt:
        raise SpendingBlocked(debt=debt)
    draws = draw(points, lots=lots, at=at)
    return entry(EntryKind.SPEND, draws=draws, postings=((Account.AVAILABLE, -points), (Account.SPENT, points)))


def expire(lot: Lot, *, at: datetime) -> Entry | None:
    """Post what is left of a lot as expired, which is not spent; None where it is not due or nothing is left."""
    if not lot.remaining or not lot.is_expired(at):
        return None
    return entry(
        EntryKind.EXPIRE,
        draws=(Draw(lot.id, lot.remaining),),
        postings=((Account.AVAILABLE, -lot.remaining), (Account.EXPIRED, lot.remaining)),
    )


def adjust(delta: int, *, lots: Sequence[Lot], debt: int, at: datetime) -> Entry:
    """Correct a balance by hand: points given repay what is owed first, points taken come from lots in spend order.

    Raises NotEnoughPoints when more is taken than is available: a correction makes no debt.
    """
    if delta > 0:
        return _credit(delta, kind=EntryKind.ADJUST, source=Account.ADJUSTED, debt=debt)
    _require_positive(-delta)
    draws = draw(-delta, lots=lots, at=at)
    return entry(EntryKind.ADJUST, draws=draws, postings=((Account.AVAILABLE, delta), (Account.ADJUSTED, -delta)))


def claw_back(points: int, *, pending: int, lots: Sequence[Lot], expired: int = 0) -> Entry:
    """Take back what an order earned: its pending points, its own lots, what expired of these, and owe the rest.

    `pending`, `lots` and `expired` are the order's own; other lots are left alone. What expired unused was lost then,
    and is not owed besides. A debt is repaid by later earnings, blocks spending, and does not expire.
    """
    _require_positive(points)
    from_pending = min(points, pending)
    draws: list[Draw] = []
    owed = points - from_pending
    for lot in spend_order(lot for lot in lots if lot.remaining):
        taken = min(owed, lot.remaining)
        if taken:
            draws.append(Draw(lot.id, taken))
        owed -= taken
    from_lots = sum(drawn.points for drawn in draws)
    from_expired = min(owed, expired)
    return entry(
        EntryKind.CLAWBACK,
        draws=tuple(draws),
        postings=(
            (Account.PENDING, -from_pending),
            (Account.AVAILABLE, -from_lots),
            (Account.EXPIRED, -from_expired),
            (Account.DEBT, from_expired - owed),
            (Account.ISSUED, points),
        ),
    )


def give_back(
    points: int, *, draws: Sequence[Draw], already: int, expired: Collection[LotId] = (), to_new_lot: bool = False
) -> Entry:
    """Return points that were spent, to the lots that they were drawn from: the last drawn first.

    So the lots are as if fewer points had been spent. `draws` are those of the spend, in its order, `already` the
    points of it that were returned before. What belongs to an `expired` lot goes there all the same, and expires at
    once, or `to_new_lot` to a lot of its own. A debt stays: these are no new earnings.
    """
    _require_positive(points)
    back: list[Draw] = []
    skip, left = already, points
    for one in reversed(draws):
        passed = min(skip, one.points)
        taken = min(left, one.points - passed)
        skip, left = skip - passed, left - taken
        if taken:
            back.append(Draw(one.lot_id, -taken))
    if left:
        raise ValueError("more is returned than was spent")
    renewed = [one for one in back if to_new_lot and one.lot_id in expired]
    return entry(
        EntryKind.REFUND,
        draws=tuple(one for one in back if one not in renewed),
        lot_points=-sum(one.points for one in renewed),
        postings=((Account.AVAILABLE, points), (Account.SPENT, -points)),
    )


def _credit(points: int, *, kind: EntryKind, source: Account, debt: int) -> Entry:
    _require_positive(points)
    if debt < 0:
        raise ValueError("a debt is not negative")
    repaid = min(points, debt)
    return entry(
        kind,
        lot_points=points - repaid,
        postings=((source, -points), (Account.DEBT, repaid), (Account.AVAILABLE, points - repaid)),
    )


def _require_positive(points: int) -> None:
    if points <= 0:
        raise ValueError("a movement of points moves one at least")
