"""Points exchanged for rewards: many members' exchanges of one reward are decided in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, TypeAlias
from uuid import UUID

from domain.coupons.errors import ClaimLimitReached
from domain.coupons.register import Register, history_of
from domain.coupons.rules import TEMPLATE_CHECKS
from domain.points.errors import InsufficientPoints
from domain.points.ledger import Purse, open_purses, write
from domain.points.ports import Movement
from domain.points.rules import NotEnoughPoints, SpendingBlocked
from domain.rewards.errors import ExchangeLimitReached, RewardOutOfStock
from domain.rewards.model import LockedReward, PointsExchanged
from domain.rewards.ports import RewardsTransaction, Taken
from domain.shared.errors import BadUserInput, Forbidden, NotFound, Refusal
from domain.shared.events import WALLET
from domain.shared.idempotency import Done, Once, Outcome, Receipt, decide_in_set, encode, replay_in_set
from domain.shared.ids import CouponId, MemberId, RewardId
from domain.shared.principal import Scope

MAX_QUANTITY: Final = 100

Begin: TypeAlias = Callable[[], AbstractAsyncContextManager[RewardsTransaction]]
ExchangeOutcome: TypeAlias = Outcome[PointsExchanged]


@dataclass(frozen=True, slots=True)
class ExchangePoints:
    """Exchanges a member's points for a reward.

    Exchanges of many members are decided in one transaction, so this command alone ties the rows to the caller.
    """

    reward_id: RewardId
    member_id: MemberId
    quantity: int
    scope: Scope
    once: Once

    def __post_init__(self) -> None:
        """Refuses a member other than the caller, and a quantity that nobody may have."""
        if not self.scope.everything and self.scope.member_id != self.member_id:
            raise Forbidden("a member exchanges its own points alone")
        if not 1 <= self.quantity <= MAX_QUANTITY:
            raise BadUserInput(f"quantity must be 1 to {MAX_QUANTITY}", path=["input", "quantity"])


async def exchange_points(commands: Sequence[ExchangePoints], *, begin: Begin) -> Sequence[ExchangeOutcome]:
    """Takes the points, the reward from its stock, and issues its coupons: of each command all of it, or nothing.

    The commands are of one reward, each of another member, and are decided in the order given, in one transaction;
    one outcome per command. `begin` is a transaction of the system: each row's member is that of its command, which is
    the caller's own. Locks: the reward's stock, the template's stock, the members.

    Refusals: NotFound, InsufficientPoints, RewardOutOfStock, ExchangeLimitReached, IdempotencyKeyReused.
    """
    assert all(command.reward_id == commands[0].reward_id for command in commands), "a set is of one reward"
    assert len({command.member_id for command in commands}) == len(commands), "a set has one command of a member"
    return await decide_in_set(commands, lambda some: _exchange_set(some, begin=begin))


async def _exchange_set(commands: Sequence[ExchangePoints], *, begin: Begin) -> Sequence[ExchangeOutcome]:
    async with begin() as tx:
        locked = await tx.rewards.lock_or_none(commands[0].reward_id)
        # After the lock: whoever held it has committed.
        receipts = await tx.receipts.find_all([command.once for command in commands])
        asked = [command for command in commands if command.once.place not in receipts]
        counter = None if locked is None or not asked else await _counter(tx, locked, commands=asked)
        outcomes = [_outcome(command, counter=counter, receipts=receipts) for command in commands]
        if counter is not None:
            await _note_lapsed(tx, commands, outcomes=outcomes)
        if counter is not None and counter.taken:
            await counter.write(tx)
            await tx.receipts.record_all([(once, encode(done.result)) for once, done in counter.granted])
        return outcomes


async def _note_lapsed(
    tx: RewardsTransaction, commands: Sequence[ExchangePoints], *, outcomes: Sequence[ExchangeOutcome]
) -> None:
    """Notes at those who have too few points that some are held for too long: their streams are locked."""
    poor = {
        command.member_id: outcome
        for command, outcome in zip(commands, outcomes, strict=True)
        if isinstance(outcome, InsufficientPoints)
    }
    if poor:
        for member_id in await tx.points.with_lapsed(poor):
            poor[member_id].some_lapsed = True


def _outcome(
    command: ExchangePoints, *, counter: "_Counter | None", receipts: Mapping[tuple[UUID, str, str], Receipt]
) -> ExchangeOutcome:
    receipt = receipts.get(command.once.place)
    if receipt is not None:
        return replay_in_set(receipt, once=command.once, result_type=PointsExchanged)
    return NotFound("Reward") if counter is None else counter.decide(command)


@dataclass(slots=True)
class _Counter:
    """Hands out one reward that is locked, to members whose points are."""

    tx: RewardsTransaction
    locked: LockedReward
    exchanged: Mapping[MemberId, int]
    purses: Mapping[MemberId, Purse]
    register: Register | None
    remaining: int
    movements: list[Movement] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    granted: list[tuple[Once, Done[PointsExchanged]]] = field(default_factory=list)

    def decide(self, command: ExchangePoints) -> ExchangeOutcome:
        """The exchange of a member who has not been here yet, or why not."""
        refusal = self._refusal(command)
        if refusal is not None:
            return refusal
        member_id, reward = command.member_id, self.locked.reward
        price = reward.points_price * command.quantity
        try:
            moved = self.purses[member_id].spend(price, at=self.tx.now, ids=self.tx.ids, reason=reward.name)
        except NotEnoughPoints as missing:
            return InsufficientPoints(price, missing.available, price - missing.available)
        except SpendingBlocked as blocked:
            return InsufficientPoints(price, 0, price + blocked.debt)
        coupons = self._issue(command)
        self.remaining -= command.quantity
        self.movements += moved
        self.taken.append(Taken(member_id, moved[-1].entry_id, command.quantity))
        done = Done(PointsExchanged(member_id, moved[-1].entry_id, coupons), replayed=False)
        self.granted.append((command.once, done))
        return done

    def _refusal(self, command: ExchangePoints) -> Refusal | None:
        if self.remaining < command.quantity:
            return RewardOutOfStock(remaining=self.remaining)
        reward = self.locked.reward
        if reward.template_id is not None:
            # The mall shows a reward whose coupons cannot be issued: for the member it is out of stock.
            if self.register is None:
                return RewardOutOfStock(remaining=0)
            refusal = self.register.refusal_of(command.member_id, count=command.quantity)
            if isinstance(refusal, ClaimLimitReached):
                return ExchangeLimitReached(limit=refusal.limit)
            if refusal is not None:
                return RewardOutOfStock(remaining=0)
        limit = reward.limit_per_member
        if limit is not None and self.exchanged.get(command.member_id, 0) + command.quantity > limit:
            return ExchangeLimitReached(limit=limit)
        return None

    def _issue(self, command: ExchangePoints) -> tuple[CouponId, ...]:
        if self.register is None:
            return ()
        issued: list[CouponId] = []
        for _ in range(command.quantity):
            coupon_id = self.register.decide(command.member_id)
            assert not isinstance(coupon_id, Refusal), "as many can be had"
            issued.append(coupon_id)
        return tuple(issued)

    async def write(self, tx: RewardsTransaction) -> None:
        """Stores all that was handed out: coupons, points, and what is gone from the stock."""
        if self.register is not None:
            await self.register.write(tx)
        await write(tx, self.movements)
        await tx.rewards.take(self.locked.reward.id, taken=self.taken)


async def _counter(tx: RewardsTransaction, locked: LockedReward, *, commands: Sequence[ExchangePoints]) -> _Counter:
    """What a set is decided by, locked in the one order: stocks, then the members' wallets, then their points."""
    reward, member_ids = locked.reward, [command.member_id for command in commands]
    register = None
    if reward.template_id is not None:
        template = await tx.coupons.lock_template_stock(reward.template_id)
        if template is not None:
            await tx.events.lock(member_ids, stream=WALLET)
            history = await history_of(tx, template, template_id=reward.template_id, member_ids=member_ids)
            register = Register(
                template, counts=history.counts, programme=tx.programme, ids=tx.ids, gates=TEMPLATE_CHECKS
            )
    purses = await open_purses(tx, member_ids)
    exchanged: Mapping[MemberId, int] = {}
    if reward.limit_per_member is not None:
        exchanged = await tx.rewards.exchanged(reward.id, member_ids=member_ids)
    return _Counter(tx, locked, exchanged, purses, register, remaining=locked.stock.remaining)
