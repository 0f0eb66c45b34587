"""Coupons issued into many wallets: in chunks, each a transaction with the answers of its rows.

A batch goes on where it stopped: whoever sends it again under its key, after a lost connection or a dead server, finds
the rows that are done answered, and has the others done. Two that work on one batch at once share its rows.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, TypeAlias

from domain.coupons.distribution import CouponsIssued, Decided, IssuedBatch
from domain.coupons.distribution_ports import DistributionTransaction
from domain.coupons.model import LockedTemplate, TemplateState
from domain.coupons.register import Register, history_of
from domain.coupons.rules import TEMPLATE_CHECKS
from domain.merchants.rules import manages
from domain.shared.errors import BadUserInput, NotFound
from domain.shared.idempotency import Once, encode, replay
from domain.shared.ids import MemberId, TemplateId
from domain.shared.principal import Scope

MAX_ROWS: Final = 10_000
# So many rows hold the stock's lock for some tens of milliseconds: claims of the template get their turns in between.
CHUNK: Final = 500

Begin: TypeAlias = Callable[[], AbstractAsyncContextManager[DistributionTransaction]]


@dataclass(frozen=True, slots=True)
class IssueCoupons:
    """Gives one coupon of a template for each row to the row's member; who is named twice gets two.

    `scope` is the caller's among what it manages: the rows are written by the system.
    """

    template_id: TemplateId
    member_ids: tuple[MemberId, ...]
    reason: str
    scope: Scope
    once: Once

    def __post_init__(self) -> None:
        """Refuses a batch without rows and one that is too large."""
        if not 1 <= len(self.member_ids) <= MAX_ROWS:
            raise BadUserInput(
                f"memberIds must be 1 to {MAX_ROWS}, not {len(self.member_ids)}: send the rest under another key",
                path=["input", "memberIds"],
            )


async def issue_coupons(command: IssueCoupons, *, begin: Begin, chunk: int = CHUNK) -> IssuedBatch:
    """Issues what of the batch is not done yet, and answers every row, each once.

    `begin` is a transaction of the system. A row is decided as a claim is, by the same limits and the same stock; its
    refusal is its answer and stays so: NotFound, NotStarted, Ended, ClaimLimitReached, SoldOut.

    Refusals: NotFound, IdempotencyKeyReused.
    """
    replayed = await _start(command, begin=begin)
    done = replayed
    while not done:
        async with begin() as tx:
            done = await _go_on(tx, command, chunk=chunk)
    async with begin() as tx:
        outcomes = await tx.issues.outcomes(command.once)
    assert len(outcomes) == len(command.member_ids), "every row has its answer"
    return IssuedBatch(tuple(outcomes), replayed=replayed)


async def _start(command: IssueCoupons, *, begin: Begin) -> bool:
    """Whether the whole batch was done before; what was not started is."""
    async with begin() as tx:
        receipt = await tx.receipts.find(command.once)
        if receipt is not None:
            return replay(receipt, once=command.once, result_type=CouponsIssued).replayed
        await _lock_managed(tx, command)
        await tx.issues.start(
            command.once, template_id=command.template_id, reason=command.reason, total=len(command.member_ids)
        )
        return False


async def _lock_managed(tx: DistributionTransaction, command: IssueCoupons) -> LockedTemplate:
    """The template with its stock, locked, if it is published and the caller's to give away."""
    locked = await tx.coupons.lock_template_stock(command.template_id)
    if (
        locked is None
        or not manages(command.scope, locked.template.merchant_id)
        or locked.template.state is not TemplateState.PUBLISHED
    ):
        raise NotFound("CouponTemplate")
    return locked


async def _go_on(tx: DistributionTransaction, command: IssueCoupons, *, chunk: int) -> bool:
    """Does the next rows; whether the batch is done with them. The stock is locked first, then the batch."""
    locked, once = await _lock_managed(tx, command), command.once
    batch = await tx.issues.lock(once)
    assert batch is not None, "the batch was started"
    once.require_input(batch.input_hash)
    rows = command.member_ids[batch.done : batch.done + chunk]
    if rows:
        await tx.issues.answer(once, first=batch.done, decided=await _decide(tx, command, locked, rows=rows))
        if batch.done + len(rows) == batch.total:
            await tx.receipts.record(once, result=encode(CouponsIssued(batch.total)))
    return batch.done + len(rows) == batch.total


async def _decide(
    tx: DistributionTransaction, command: IssueCoupons, locked: LockedTemplate, *, rows: tuple[MemberId, ...]
) -> list[Decided]:
    known = await tx.issues.recipients(set(rows), scope=command.scope)
    history = await history_of(tx, locked, template_id=command.template_id, member_ids=known)
    register = Register(locked, counts=history.counts, programme=tx.programme, ids=tx.ids, gates=TEMPLATE_CHECKS)
    decided: list[Decided] = [
        (member_id, register.decide(member_id) if member_id in known else NotFound("Member")) for member_id in rows
    ]
    await register.write(tx, facts={"reason": command.reason})
    return decided
