"""What can be done with templates and coupons, up to the claim and the expiry."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Final, TypeAlias
from uuid import UUID

from domain.coupons.claimed import Claimed
from domain.coupons.drafts import TemplateDraft, template_of
from domain.coupons.errors import InvalidTerms, SoldOut
from domain.coupons.model import (
    CouponClaimed,
    CouponTemplate,
    LockedTemplate,
    TemplateCreated,
    TemplatePublished,
    TemplateState,
    WalletChange,
)
from domain.coupons.offer import Funder
from domain.coupons.ports import ClaimHistory, CouponsTransaction
from domain.coupons.register import Register, history_of
from domain.coupons.sold_out import SoldOutTemplates
from domain.merchants.rules import manages
from domain.shared.errors import (
    BadUserInput,
    Forbidden,
    IdempotencyKeyReused,
    InvalidStateChange,
    NotFound,
    Refusal,
)
from domain.shared.events import WALLET
from domain.shared.idempotency import Done, Once, Outcome, Receipt, decide_in_set, do_once, encode, replay_in_set
from domain.shared.ids import MemberId, TemplateId
from domain.shared.principal import Scope

Begin: TypeAlias = Callable[[], AbstractAsyncContextManager[CouponsTransaction]]


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
        template = await _within_campaign(tx, template)
        await _check_places(tx, template)
        await tx.templates.add(template, stock=draft.stock)
        return TemplateCreated(template.id)

    return await do_once(command.once, begin=begin, decide=decide, result_type=TemplateCreated)


_MERCHANT: Final = ("input", "merchantId")


async def _within_campaign(tx: CouponsTransaction, template: CouponTemplate) -> CouponTemplate:
    if template.campaign_id is None:
        return template
    campaign = await tx.campaigns.lock_or_none(template.campaign_id)
    if campaign is None:
        raise NotFound("Campaign")
    if campaign.merchant_id != template.merchant_id:
        raise InvalidTerms(("campaignId",), "is a campaign of somebody else")
    return replace(
        template, limit_per_member_in_campaign=campaign.limit_per_member, budget_remainder=campaign.remainder
    )


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
    named = () if template.conditions is None else template.conditions.stores
    if named:
        merchants = await tx.templates.merchants_of_stores({store for _, store in named})
        for path, store in named:
            if merchants.get(store) not in ((template.merchant_id,) if template.merchant_id else merchants.values()):
                raise InvalidTerms(("conditions", *path), "names a store that there is not, or another merchant's")


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


ClaimOutcome: TypeAlias = Outcome[CouponClaimed]


async def claim_coupons(
    commands: Sequence[ClaimCoupon], *, begin: Begin, sold_out: SoldOutTemplates | None = None
) -> Sequence[ClaimOutcome]:
    """Decides claims of one template in the order given, in one transaction; one outcome per command.

    `begin` is a transaction of the system: the rows of a set belong to several members, and each row's member is that
    of its command, which is the caller's own. A refused claim leaves no receipt: it may be sent again with its key.
    `sold_out` is what the process remembers from set to set.

    Refusals: NotFound, NotStarted, Ended, ClaimLimitReached, SoldOut, IdempotencyKeyReused.
    """
    assert all(command.template_id == commands[0].template_id for command in commands), "a set is of one template"
    remembered = SoldOutTemplates() if sold_out is None else sold_out
    return await decide_in_set(commands, lambda some: _claim_set(some, begin=begin, sold_out=remembered))


async def _claim_set(
    commands: Sequence[ClaimCoupon], *, begin: Begin, sold_out: SoldOutTemplates
) -> Sequence[ClaimOutcome]:
    started = sold_out.started()
    async with begin() as tx:
        before = await _sold_out_before(commands, tx=tx, sold_out=sold_out)
        from_memory = before is not None
        locked, history = before or await _locked_before(commands, tx=tx)
        register = None
        if locked is not None:
            register = Register(locked, counts=history.counts, programme=tx.programme, ids=tx.ids)
        outcomes, granted = _decide(commands, register=register, receipts=history.receipts)
        if register is not None:
            await register.write(tx)
            await tx.receipts.record_all([(once, encode(done.result)) for once, done in granted])
        # Only where that is the reason: a draft may be published, and a window open, within the second.
        sold = not from_memory and any(type(outcome) is SoldOut for outcome in outcomes)
        if sold and locked is not None and locked.stock.remaining <= 0:
            sold_out.remember(locked, since=started)
        return outcomes


async def _sold_out_before(
    commands: Sequence[ClaimCoupon], *, tx: CouponsTransaction, sold_out: SoldOutTemplates
) -> tuple[LockedTemplate, ClaimHistory] | None:
    """What refuses a set without the lock: a template that is remembered, while PostgreSQL says that none is left.

    None where there is stock again, or nothing is remembered: that is for the lock. No stream is locked either, since
    nothing can be granted.
    """
    template_id = commands[0].template_id
    remembered = sold_out.find(template_id)
    if remembered is None:
        return None
    history = await tx.coupons.claim_history(
        template_id,
        member_ids={command.member_id for command in commands},
        onces=[command.once for command in commands],
        template=remembered.template,
        with_stock=True,
    )
    if history.remaining is None or history.remaining > 0:
        sold_out.forget(template_id)
        return None
    return replace(remembered, at=history.read_at), history


async def _locked_before(
    commands: Sequence[ClaimCoupon], *, tx: CouponsTransaction
) -> tuple[LockedTemplate | None, ClaimHistory]:
    """What a set is decided by: the template, its stock locked; and then what was before, as all of it is committed."""
    template_id = commands[0].template_id
    locked = await tx.coupons.lock_template_stock(template_id)
    history = await history_of(
        tx,
        locked,
        template_id=template_id,
        member_ids={command.member_id for command in commands},
        onces=[command.once for command in commands],
    )
    return locked, history


Granted: TypeAlias = tuple[Once, Done[CouponClaimed]]


def _decide(
    commands: Sequence[ClaimCoupon], *, register: Register | None, receipts: Mapping[tuple[UUID, str, str], Receipt]
) -> tuple[Sequence[ClaimOutcome], Collection[Granted]]:
    """An outcome for each command in order, and what was granted now, each key once."""
    outcomes: list[ClaimOutcome] = []
    granted: dict[tuple[UUID, str, str], Granted] = {}
    for command in commands:
        once = command.once
        place = once.place
        if receipts and (earlier := receipts.get(place)) is not None:
            outcomes.append(replay_in_set(earlier, once=once, result_type=CouponClaimed))
        elif (twin := granted.get(place)) is not None:
            first, done = twin
            same = once.has_input(first.input_hash)
            outcomes.append(Done(done.result, replayed=True) if same else IdempotencyKeyReused(once.key))
        elif register is None:
            outcomes.append(NotFound("CouponTemplate"))
        elif isinstance(decided := register.decide(command.member_id), Refusal):
            outcomes.append(decided)
        else:
            issue = register.issue
            claimed = CouponClaimed(command.member_id, decided)
            done = Claimed(claimed, replayed=False, issue=issue, place=len(issue) - 1)
            granted[place] = (once, done)
            outcomes.append(done)
    return outcomes, granted.values()


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
        await tx.events.append_alike(
            [key.member_id for key in expired],
            stream=WALLET,
            kind=WalletChange.EXPIRED.value,
            subject_ids=[key.coupon_id for key in expired],
        )
        return len(expired)
