"""A member's year of points: what its orders earned, what it exchanged, what expired; and the tier that came of it."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from app.demo.today import BAG_NAME, BAG_POINTS
from app.demo.when import Shift, identity
from domain.members.tiers import DEFAULT_PROGRAMME, TierProgramme, TierStanding, assess
from domain.points.journal import Entry, Lot
from domain.points.policy import DEFAULT_POLICY, PointsPolicy
from domain.points.rules import earn, expire, spend
from domain.shared.events import POINTS
from domain.shared.ids import LotId
from domain.shared.time import end_of_validity, local_date, start_of_day
from persistence.demo.rows import (
    AccountRow,
    DrawRow,
    EntryRow,
    EventRow,
    ExchangeRow,
    LotRow,
    MemberRows,
    MetricDayRow,
    PostingRow,
    StreamRow,
    TierRow,
)

EXCHANGED_ON: Final = (date(2017, 6, 18), date(2017, 11, 11))
"""Two days of the source on which whoever had points to spare exchanged some; invented."""
KEPT_POINTS: Final = 2 * BAG_POINTS

_NOON: Final = timedelta(hours=12)
_APART: Final = timedelta(milliseconds=1)
_BETWEEN: Final = timedelta(seconds=30)


class PaidOrder(NamedTuple):
    """What points need of an order."""

    id: UUID
    ref: str
    paid_at: datetime
    paid_minor: int


@dataclass(frozen=True, slots=True)
class PointsRules:
    """What the year of every member is reckoned by; `now` is the instant of this load."""

    shift: Shift
    now: datetime
    bag_id: UUID
    policy: PointsPolicy = DEFAULT_POLICY
    tiers: TierProgramme = DEFAULT_PROGRAMME

    @property
    def zone(self) -> ZoneInfo:
        """Whose days count."""
        return self.shift.zone


class PointsYear:
    """One member's points, kept as its orders come in."""

    def __init__(self, member_id: UUID, *, household: int, joined_at: datetime, rules: PointsRules) -> None:
        self._member_id = member_id
        self._household = household
        self._rules = rules
        self._available = 0
        self._lifetime = 0
        self._entries: list[tuple[EntryRow, Entry]] = []
        self._lots: dict[LotId, Lot] = {}
        self._lot_rows: list[LotRow] = []
        self._exchanges: list[ExchangeRow] = []
        self._by_day: dict[date, int] = {}
        self._metric = 0
        self._standing = TierStanding(rules.tiers.lowest)
        self._since = joined_at
        self._last_at = joined_at
        self._waiting: deque[tuple[datetime, PaidOrder, int]] = deque()
        first = [rules.shift.start_of(day) + _NOON for day in EXCHANGED_ON]
        self._exchanging = deque(noon + household * _BETWEEN for noon in first)

    def run(self, orders: Iterable[PaidOrder]) -> dict[UUID, int]:
        """The whole year; returns what each order earned."""
        policy = self._rules.policy
        earned: dict[UUID, int] = {}
        for order in orders:
            self._release(until=order.paid_at)
            # The tier that the member had when it paid.
            bonus = self._standing.tier.bonus_basis_points
            earned[order.id] = points = policy.rate.points_for(order.paid_minor, bonus_basis_points=[bonus])
            if points:
                self._waiting.append((self._released_at(order), order, points))
        self._release(until=self._rules.now)
        assert not self._waiting, "the year ends long enough before the load"
        self._expire()
        self._assess(local_date(self._rules.now, zone=self._rules.zone), at=self._rules.now)
        return earned

    def write(self, rows: MemberRows) -> int:
        """Adds the member's rows; returns how many rewards it exchanged."""
        member_id = self._member_id
        rows.tiers.append(TierRow(member_id, self._standing.tier.code, self._since, self._standing.keep_until))
        rows.metric_days.extend(MetricDayRow(member_id, day, amount) for day, amount in self._by_day.items())
        rows.accounts.append(AccountRow(member_id, self._available, 0, 0, self._lifetime))
        for sequence, (row, entry) in enumerate(self._entries, start=1):
            rows.entries.append(row)
            rows.postings.extend(PostingRow(member_id, row.id, p.account.value, p.points) for p in entry.postings)
            rows.draws.extend(DrawRow(member_id, row.id, draw.lot_id, draw.points) for draw in entry.draws)
            facts = orjson.dumps({"delta": row.delta, "available": row.balance_after}).decode()
            rows.events.append(
                EventRow(member_id, POINTS, sequence, row.kind, row.id, facts, row.occurred_at, row.occurred_at)
            )
        if self._entries:
            rows.streams.append(StreamRow(member_id, POINTS, len(self._entries)))
        rows.lots.extend(row._replace(remaining=self._lots[LotId(row.id)].remaining) for row in self._lot_rows)
        rows.exchanges.extend(self._exchanges)
        return len(self._exchanges)

    def _released_at(self, order: PaidOrder) -> datetime:
        """When its points may be spent: it was received as it was paid, and the return window is over."""
        zone, days = self._rules.zone, self._rules.policy.release_days
        return start_of_day(local_date(order.paid_at, zone=zone) + timedelta(days=days), zone=zone)

    def _release(self, *, until: datetime) -> None:
        """All that came due: points of orders, and exchanges in between."""
        while self._waiting and self._waiting[0][0] <= until:
            at, order, points = self._waiting.popleft()
            self._exchange_until(at)
            self._earn(order, points=points, at=at)
        self._exchange_until(until)

    def _exchange_until(self, at: datetime) -> None:
        while self._exchanging and self._exchanging[0] <= at:
            self._exchange(self._exchanging.popleft())

    def _earn(self, order: PaidOrder, *, points: int, at: datetime) -> None:
        policy, zone = self._rules.policy, self._rules.zone
        at = self._after_last(at)
        entry_id = self._post(earn(points, debt=0), at=at, reason="order", order_id=order.id)
        lot = Lot(
            id=LotId(identity(at, "lot", order.ref)),
            remaining=points,
            earned_at=at,
            expires_at=end_of_validity(at, days_after_claim=policy.valid_days, zone=zone),
        )
        self._lots[lot.id] = lot
        self._lot_rows.append(LotRow(self._member_id, lot.id, entry_id, points, points, at, lot.expires_at))
        self._lifetime += points
        self._count(points, on=local_date(at, zone=zone), at=at)

    def _count(self, points: int, *, on: date, at: datetime) -> None:
        # The year fits into the window, so that the metric of its every day is all that was earned until then.
        self._by_day[on] = self._by_day.get(on, 0) + points
        self._metric += points
        above = self._rules.tiers.next_after(self._standing.tier)
        if above is not None and self._metric >= above.threshold:
            self._assess(on, at=at)

    def _assess(self, today: date, *, at: datetime) -> None:
        metric = self._rules.tiers.metric(self._by_day, today=today)
        standing = assess(self._standing, metric=metric, today=today, programme=self._rules.tiers)
        if standing.tier is not self._standing.tier:
            self._since = at
        self._standing = standing

    def _exchange(self, at: datetime) -> None:
        if self._available < KEPT_POINTS:
            return
        entry = spend(BAG_POINTS, lots=list(self._lots.values()), debt=0, at=at)
        at = self._after_last(at)
        entry_id = self._post(entry, at=at, reason=BAG_NAME, order_id=None)
        self._exchanges.append(ExchangeRow(self._member_id, entry_id, self._rules.bag_id, 1, at))

    def _expire(self) -> None:
        for lot in sorted(self._lots.values(), key=lambda lot: (lot.expires_at or lot.earned_at, lot.earned_at)):
            entry = expire(lot, at=self._rules.now)
            if entry is not None:
                assert lot.expires_at is not None, "a lot that expired had a time to"
                self._post(entry, at=self._after_last(lot.expires_at), reason="expired", order_id=None, of=lot)

    def _after_last(self, at: datetime) -> datetime:
        """Later than the last entry, so that entries and their ids are in the order of their balances."""
        self._last_at = max(at, self._last_at + _APART)
        return self._last_at

    def _post(self, entry: Entry, *, at: datetime, reason: str, order_id: UUID | None, of: Lot | None = None) -> UUID:
        self._available += entry.delta
        for drawn in entry.draws:
            lot = self._lots[drawn.lot_id]
            self._lots[drawn.lot_id] = replace(lot, remaining=lot.remaining - drawn.points)
        subject = order_id if of is None else of.id
        entry_id = identity(at, "entry", entry.kind.value, self._household, subject)
        row = EntryRow(self._member_id, entry_id, entry.kind.value, entry.delta, self._available, reason, order_id, at)
        self._entries.append((row, entry))
        return entry_id
