"""What can be done with templates and coupons, up to the claim and the expiry."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, TypeAlias

from domain.coupons.drafts import TemplateDraft, template_of
from domain.coupons.errors import InvalidTerms
from domain.coupons.model import (
    ClaimedCount,
    Coupon,
    CouponClaimed,
    CouponTemplate,
    LockedTemplate,
    TemplateCreated,
    TemplatePublished,
    TemplateState,
    WalletChange,
    code_of,
    state_at,
)
from domain.coupons.offer import CouponState, Funder
from domain.coupons.ports import CouponsTransaction
from domain.coupons.rules import ClaimFacts, decide_claim
from domain.merchants.rules import manages
from domain.shared.errors import BadUserInput, Forbidden, InvalidStateChange, NotFound, Refusal
from domain.shared.events import JSON, WALLET, Event
from domain.shared.idempotency import Done, Once, Receipt, ReceiptExists, do_once, encode, replay
from domain.shared.ids import CouponId, MemberId, TemplateId
from domain.shared.principal import Scope
from domain.shared.time import Interval, local_date

Begin: TypeAlias = Callable[[], AbstractAsyncContextManager[CouponsTransaction]]

CLAIMED: Final = WalletChange.CLAIMED.value
EXPIRED: Final = WalletChange.EXPIRED.value


@dataclass(frozen=True, slots=True)
class CreateCouponTemplate:
    """Writes a draft, which its managers alone see."""

    draft: TemplateDraft
    once: Once


@dataclass(frozen=True, slots=True)
class PublishCouponTemplate:
    """Publishes a draft: from now on its terms are fixed."""

    template_id: TemplateId
    once: Once


@dataclass(frozen=True, slots=True)
class ClaimCoupon:
    """Takes one coupon of a template into the wallet of the member who asks.

    Claims of many members are decided in one transaction, so this command alone ties the row to the caller: it cannot
    be made for a member whom the caller's scope does not reach.
    """

    template_id: TemplateId
    member_id: MemberId
    scope: Scope
    once: Once

    def __post_init__(self) -> None:
        """Refuses a member other than the caller."""
        if not self.scope.everything and self.scope.member_id != self.member_id:
            raise Forbidden("a member claims for itself alone")


async def create_coupon_template(command: CreateCouponTemplate, *, begin: Begin) -> Done[TemplateCreated]:
    """Writes a template that nobody can claim yet: of a merchant by its staff, of anyone by operators.

    Refusals: NotFound, InvalidTerms, IdempotencyKeyReused.
    """
    draft = command.draft

    async def decide(tx: CouponsTransaction) -> TemplateCreated:
        if draft.merchant_id is None:
            if not tx.scope.everything:
                raise BadUserInput("name your merchant: the platform's coupons are its operators'", path=_MERCHANT)
        elif not manages(tx.scope, draft.merchant_id) or not await tx.merchants.exists(draft.merchant_id):
            raise NotFound("Merchant")
        template = template_of(draft, id=TemplateId(tx.ids.new()))
        if not tx.scope.everything and any(share.funder is Funder.PLATFORM for share in template.funders):
            raise InvalidTerms(("funders",), "the platform's money is its operators' to promise")
        await _check_campaign(tx, template)
        await _check_places(tx, template)
        await tx.templates.add(template, stock=draft.stock)
        return TemplateCreated(template.id)

    return await do_once(command.once, begin=begin, decide=decide, result_type=TemplateCreated)


_MERCHANT: Final = ("input", "merchantId")


async def _check_campaign(tx: CouponsTransaction, template: CouponTemplate) -> None:
    if template.campaign_id is None:
        return
    campaign = await tx.campaigns.lock_or_none(template.campaign_id)
    if campaign is None:
        raise NotFound("Campaign")
    if campaign.merchant_id != template.merchant_id:
        raise InvalidTerms(("campaignId",), "is a campaign of somebody else")


async def _check_places(tx: CouponsTransaction, template: CouponTemplate) -> None:
    """The merchants and stores in the scope exist, and the stores are the merchant's own where it is a merchant's."""
    scope = template.scope
    if scope.merchant_ids - await tx.templates.known_merchants(scope.merchant_ids):
        raise InvalidTerms(("scope", "merchantIds"), "names a merchant that there is not")
    if scope.store_ids:
        merchants = await tx.templates.merchants_of_stores(scope.store_ids)
        mine = (template.merchant_id,) if template.merchant_id else merchants.values()
        if any(merchants.get(store) not in mine for store in scope.store_ids):
            raise InvalidTerms(("scope", "storeIds"), "names a store that there is not, or another merchant's")


async def publish_coupon_template(command: PublishCouponTemplate, *, begin: Begin) -> Done[TemplatePublished]:
    """Publishes a draft; a template is published once, and nothing of it changes afterwards.

    Refusals: NotFound, InvalidStateChange, IdempotencyKeyReused.
    """

    async def decide(tx: CouponsTransaction) -> TemplatePublished:
        template = await tx.templates.lock_or_none(command.template_id)
        if template is None:
            raise NotFound("CouponTemplate")
        if template.state is not TemplateState.DRAFT:
            raise InvalidStateChange(template.state.value, TemplateState.PUBLISHED.value)
        await tx.templates.publish(template.id)
        return TemplatePublished(template.id)

    return await do_once(command.once, begin=begin, decide=decide, result_type=TemplatePublished)


ClaimOutcome: TypeAlias = Done[CouponClaimed] | Refusal


async def claim_coupons(commands: Sequence[ClaimCoupon], *, begin: Begin) -> Sequence[ClaimOutcome]:
    """Decides claims of one template in the order given, in one transaction; one outcome per command.

    `begin` is a transaction of the system: the rows of a set belong to several members, and each row's member is that
    of its command, which is the caller's own. A refused claim leaves no receipt: it may be sent again with its key.

    Refusals: NotFound, NotStarted, Ended, ClaimLimitReached, SoldOut, IdempotencyKeyReused.
    """
    assert len({command.template_id for command in commands}) == 1, "a set is of one template"
    for _ in range(2):
        try:
            return await _claim_set(commands, begin=begin)
        except ReceiptExists:
            # A key of the set was used for another template at the same moment. Its receipt is there to be read now.
            continue
    return [await _claim_alone(command, begin=begin) for command in commands]


async def _claim_alone(command: ClaimCoupon, *, begin: Begin) -> ClaimOutcome:
    try:
        return (await _claim_set([command], begin=begin))[0]
    except ReceiptExists:
        return (await _claim_set([command], begin=begin))[0]


async def _claim_set(commands: Sequence[ClaimCoupon], *, begin: Begin) -> Sequence[ClaimOutcome]:
    async with begin() as tx:
        await tx.coupons.plan_afresh()
        locked = await tx.coupons.lock_template_stock(commands[0].template_id)
        # After the lock: whoever held it has committed its receipts and coupons.
        receipts = await tx.receipts.find_all([command.once for command in commands])
        register = await _register(tx, locked=locked, member_ids={command.member_id for command in commands})
        answered = dict(receipts)
        outcomes: list[ClaimOutcome] = []
        granted: list[tuple[Once, Mapping[str, JSON]]] = []
        for command in commands:
            once = command.once
            earlier = answered.get(once.place)
            if earlier is not None:
                outcomes.append(_replayed(earlier, once=once))
                continue
            decided = register.decide(command.member_id)
            if isinstance(decided, Refusal):
                outcomes.append(decided)
                continue
            result = CouponClaimed(decided.member_id, decided.id)
            facts = encode(result)
            answered[once.place] = Receipt(once.mutation, once.key, once.input_hash, facts, tx.now)
            granted.append((once, facts))
            outcomes.append(Done(result, replayed=False))
        await register.write(tx)
        await tx.receipts.record_all(granted)
        return outcomes


def _replayed(receipt: Receipt, *, once: Once) -> ClaimOutcome:
    try:
        return replay(receipt, once=once, result_type=CouponClaimed)
    except Refusal as reused:
        return reused


async def issue_in_transaction(
    tx: CouponsTransaction, *, template_id: TemplateId, member_id: MemberId, count: int
) -> Sequence[Coupon]:
    """Coupons for a member within a transaction that does more, such as an exchange of points: all of them, or none.

    Takes the lock of the template's stock, so call it before locking any stream of a member.

    Refusals: NotFound, NotStarted, Ended, ClaimLimitReached, SoldOut.
    """
    locked = await tx.coupons.lock_template_stock(template_id)
    register = await _register(tx, locked=locked, member_ids={member_id})
    for _ in range(count):
        decided = register.decide(member_id)
        if isinstance(decided, Refusal):
            raise decided
    await register.write(tx)
    return register.issued


async def _register(
    tx: CouponsTransaction, *, locked: LockedTemplate | None, member_ids: Collection[MemberId]
) -> "_Register":
    if locked is None:
        return _Register(tx, locked=None, counts={})
    today = local_date(tx.now, zone=tx.programme.zone)
    counts = await tx.coupons.claimed_counts(locked.template.id, member_ids=member_ids, on=today)
    return _Register(tx, locked=locked, counts=dict(counts))


class _Register:
    """Hands out coupons of one locked template, and writes all that it handed out at once."""

    def __init__(
        self, tx: CouponsTransaction, *, locked: LockedTemplate | None, counts: dict[MemberId, ClaimedCount]
    ) -> None:
        self._locked = locked
        self._counts = counts
        self._now = tx.now
        self._zone = tx.programme.zone
        self._ids = tx.ids
        self._today = local_date(tx.now, zone=tx.programme.zone)
        # One instant, so one period for all: what a set shares is computed once.
        self._period = None if locked is None else locked.template.validity.of_claim(tx.now, zone=tx.programme.zone)
        self.issued: list[Coupon] = []

    def decide(self, member_id: MemberId) -> Coupon | Refusal:
        """A coupon for the member, or why not."""
        if self._locked is None or self._period is None:
            return NotFound("CouponTemplate")
        claimed = self._counts.get(member_id, _NOTHING)
        remaining = self._locked.stock.remaining - len(self.issued)
        refusal = decide_claim(ClaimFacts(self._locked.template, remaining, claimed, self._now, self._zone))
        if refusal is not None:
            return refusal
        ordinal = claimed.last_ordinal + 1
        self._counts[member_id] = ClaimedCount(claimed.total + 1, claimed.today + 1, ordinal)
        coupon = self._coupon(self._locked.template, self._period, member_id=member_id, ordinal=ordinal)
        self.issued.append(coupon)
        return coupon

    def _coupon(self, template: CouponTemplate, period: Interval, *, member_id: MemberId, ordinal: int) -> Coupon:
        coupon_id = CouponId(self._ids.new())
        return Coupon(
            id=coupon_id,
            member_id=member_id,
            template_id=template.id,
            merchant_id=template.merchant_id,
            ordinal=ordinal,
            code=code_of(coupon_id),
            state=state_at(CouponState.CLAIMED, valid_until=period.ends_at, at=self._now),
            kind=template.kind,
            terms=template.terms,
            claimed_at=self._now,
            claimed_on=self._today,
            valid_from=period.starts_at,
            valid_until=period.ends_at,
            read_at=self._now,
        )

    async def write(self, tx: CouponsTransaction) -> None:
        """Stores what was handed out, in the order of locks: streams by member, then coupons."""
        if not self.issued or self._locked is None:
            return
        await tx.events.append([Event(c.member_id, WALLET, CLAIMED, c.id) for c in self.issued])
        await tx.coupons.add(self.issued)
        await tx.coupons.take_from_stock(self._locked.template.id, count=len(self.issued))


_NOTHING: Final = ClaimedCount()


async def expire_coupons(*, limit: int, begin: Begin) -> int:
    """Moves at most so many overdue coupons to EXPIRED and tells their members; returns how many it moved.

    Nothing depends on it: a coupon whose time is over reads and is treated as expired before it is swept.

    Refusals: none.
    """
    async with begin() as tx:
        overdue = await tx.coupons.overdue(limit=limit)
        if not overdue:
            return 0
        # Streams before coupons, as everyone; what was used in the meantime is no longer among those that move.
        await tx.events.lock({key.member_id for key in overdue}, stream=WALLET)
        expired = await tx.coupons.expire(overdue)
        await tx.events.append([Event(key.member_id, WALLET, EXPIRED, key.coupon_id) for key in expired])
        return len(expired)
