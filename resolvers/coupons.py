"""Coupon templates and coupons: who may, which use-case."""

from collections.abc import Sequence
from typing import Annotated
from zoneinfo import ZoneInfo

import strawberry

from domain.coupons.cart import MemberPriceRule
from domain.coupons.claimed import handed_out
from domain.coupons.drafts import ConditionsDraft, ScopeDraft, StackingDraft, TemplateDraft, ValidityDraft
from domain.coupons.model import CouponKey, RefundPolicy
from domain.coupons.offer import FunderShare, PercentBase, ThresholdBase
from domain.coupons.use_cases import (
    ClaimCoupon,
    CreateCouponTemplate,
    PublishCouponTemplate,
    create_coupon_template,
    publish_coupon_template,
)
from domain.shared.ids import CampaignId, CouponId, MemberId, MerchantId, StoreId, TemplateId
from resolvers.conditions import NODE_NAMES
from resolvers.context import Info
from resolvers.inputs import merchant_id_of, name_of
from resolvers.once import once
from schema.coupon_inputs import (
    ClaimCouponInput,
    ClaimCouponResult,
    ClaimCouponSuccess,
    CreateCouponTemplateInput,
    CreateCouponTemplateResult,
    CreateCouponTemplateSuccess,
    PublishCouponTemplateInput,
    PublishCouponTemplateResult,
    PublishCouponTemplateSuccess,
    ScopeInput,
    StackingInput,
)
from schema.coupon_templates import CouponTemplate, CouponTemplateFilter, load_template, templates_page
from schema.coupons import Coupon, load_coupon
from schema.node_ids import NodeRef, NodeType, expect_id
from schema.paging import PAGE_SIZE_DEFAULT, After, Connection, First, page_request

Filter = Annotated[CouponTemplateFilter | None, strawberry.argument(description="Which templates.")]


@strawberry.type
class CouponsQuery:
    @strawberry.field(
        description="What the viewer may claim or manage, the newest first; a draft is its managers' alone."
    )
    async def coupon_templates(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None, filter: Filter = None
    ) -> Connection[CouponTemplate]:
        """A page of templates."""
        return await templates_page(info.context, filter, page=page_request(first, after))


@strawberry.type
class CouponsMutation:
    @strawberry.mutation(description="Writes a coupon template: a draft that nobody can claim.")
    async def create_coupon_template(self, info: Info, input: CreateCouponTemplateInput) -> CreateCouponTemplateResult:
        """Writes a draft."""
        command = CreateCouponTemplate(draft=_draft(input, zone=info.context.programme.zone), once=once(info, input))
        done = await create_coupon_template(command, begin=info.context.begin_managing)
        template = await _managed(info, done.result.template_id)
        return CreateCouponTemplateSuccess(coupon_template=template, replayed=done.replayed)

    @strawberry.mutation(description="Publishes a draft: it can be claimed, and its terms are fixed from now on.")
    async def publish_coupon_template(
        self, info: Info, input: PublishCouponTemplateInput
    ) -> PublishCouponTemplateResult:
        """Publishes a draft."""
        ref = expect_id(input.coupon_template_id, NodeType.CouponTemplate, argument="input.couponTemplateId")
        command = PublishCouponTemplate(template_id=TemplateId(ref.id), once=once(info, input))
        done = await publish_coupon_template(command, begin=info.context.begin_managing)
        template = await _managed(info, done.result.template_id)
        return PublishCouponTemplateSuccess(coupon_template=template, replayed=done.replayed)

    @strawberry.mutation(description="Takes one coupon of a template into the viewer's wallet.")
    async def claim_coupon(self, info: Info, input: ClaimCouponInput) -> ClaimCouponResult:
        """Claims a coupon."""
        ref = expect_id(input.coupon_template_id, NodeType.CouponTemplate, argument="input.couponTemplateId")
        command = ClaimCoupon(
            template_id=TemplateId(ref.id),
            member_id=info.context.member_id,
            scope=info.context.scope,
            once=once(info, input),
        )
        done = await info.context.claims.claim(command)
        info.context.forget()
        new = handed_out(done)
        if new is not None:
            return ClaimCouponSuccess(coupon=Coupon.from_domain(new), replayed=False)
        coupon = await load_coupon(info.context, CouponKey(done.result.member_id, done.result.coupon_id))
        assert coupon is not None, "who claimed a coupon owns it"
        return ClaimCouponSuccess(coupon=coupon, replayed=done.replayed)


async def coupon_by_ref(info: Info, ref: NodeRef) -> Coupon | None:
    """The coupon that a global id names, where the viewer may see it."""
    assert ref.member_id is not None, "the id of a coupon names its member"
    return await load_coupon(info.context, CouponKey(MemberId(ref.member_id), CouponId(ref.id)))


async def _managed(info: Info, template_id: TemplateId) -> CouponTemplate:
    info.context.forget()
    template = await load_template(info.context, template_id)
    assert template is not None, "who may write a template may read it"
    return template


def _draft(given: CreateCouponTemplateInput, *, zone: ZoneInfo) -> TemplateDraft:
    campaign = given.campaign_id and expect_id(given.campaign_id, NodeType.Campaign, argument="input.campaignId")
    funders = given.funders
    return TemplateDraft(
        name=name_of(given.name),
        kind=str(given.kind.value),
        terms=given.terms,
        currency=given.currency_code,
        campaign_id=CampaignId(campaign.id) if campaign else None,
        merchant_id=merchant_id_of(given.merchant_id),
        stock=given.stock,
        limit_per_member=given.limit_per_member,
        limit_per_member_per_day=given.limit_per_member_per_day,
        claim_opens_at=given.claim_opens_at,
        claim_closes_at=given.claim_closes_at,
        validity=ValidityDraft(given.validity.from_, given.validity.until, given.validity.days_after_claim),
        scope=None if given.scope is None else _scope(given.scope),
        stacking=None if given.stacking is None else _stacking(given.stacking),
        funders=None if funders is None else [FunderShare(f.funder, f.basis_points) for f in funders],
        threshold_base=given.threshold_base or ThresholdBase.BEFORE_THIS,
        refund_policy=given.refund_policy or RefundPolicy.KEEP_ALLOCATION,
        conditions=None if given.conditions is None else ConditionsDraft(given.conditions, zone, NODE_NAMES),
        limit_per_member_per_week=given.limit_per_member_per_week,
        limit_per_member_per_month=given.limit_per_member_per_month,
        limit_per_store=given.limit_per_store,
        self_claim=given.self_claim is not False,
        percent_base=given.percent_base or PercentBase.REMAINING,
        merchant_fault_grace_days=given.merchant_fault_grace_days or 0,
        with_member_price=given.with_member_price or MemberPriceRule.COMBINES,
    )


def _scope(given: ScopeInput) -> ScopeDraft:
    merchants = _ids(given.merchant_ids, NodeType.Merchant, argument="input.scope.merchantIds")
    stores = _ids(given.store_ids, NodeType.Store, argument="input.scope.storeIds")
    return ScopeDraft(
        product_refs=given.product_refs,
        category_refs=given.category_refs,
        merchant_ids=None if merchants is None else [MerchantId(ref.id) for ref in merchants],
        store_ids=None if stores is None else [StoreId(ref.id) for ref in stores],
        excluded_product_refs=given.excluded_product_refs,
        channels=given.channels,
    )


def _ids(given: Sequence[str] | None, node_type: NodeType, *, argument: str) -> list[NodeRef] | None:
    if given is None:
        return None
    return [expect_id(id_, node_type, argument=f"{argument}.{place}") for place, id_ in enumerate(given)]


def _stacking(given: StackingInput) -> StackingDraft:
    return StackingDraft(
        lane=given.lane,
        tags=given.tags,
        combines_with_tags=given.combines_with_tags,
        exclusive_group=given.exclusive_group,
        priority=given.priority or 0,
        max_per_order=1 if given.max_per_order is None else given.max_per_order,
    )
