"""Issuing coupons and redeeming codes: who may, which use-case."""

import strawberry

from domain.coupons.codes import CreateCouponCodes, RedeemCode, create_coupon_codes
from domain.coupons.issuing import MAX_ROWS, IssueCoupons
from domain.coupons.model import CouponKey
from domain.shared.errors import BadUserInput
from domain.shared.ids import MemberId, TemplateId
from resolvers.context import Info
from resolvers.inputs import bounded
from resolvers.once import once
from schema.coupon_templates import load_template
from schema.coupons import load_coupon
from schema.distribution import (
    CreateCouponCodesInput,
    CreateCouponCodesResult,
    CreateCouponCodesSuccess,
    IssueCouponsInput,
    IssueCouponsResult,
    IssueCouponsSuccess,
    IssueOutcome,
    RedeemCodeInput,
    RedeemCodeResult,
    RedeemCodeSuccess,
)
from schema.node_ids import NodeType, expect_id

MAX_REASON_LENGTH = 200
MAX_CODE_LENGTH = 256


@strawberry.type
class DistributionMutation:
    @strawberry.mutation(
        description="Gives coupons to members, an outcome for each row. A batch that was interrupted goes on when it "
        "is sent again under its key; `operation` tells how far it is."
    )
    async def issue_coupons(self, info: Info, input: IssueCouponsInput) -> IssueCouponsResult:
        """Issues a batch."""
        context = info.context
        ref = expect_id(input.coupon_template_id, NodeType.CouponTemplate, argument="input.couponTemplateId")
        if len(input.member_ids) > MAX_ROWS:
            raise BadUserInput(
                f"memberIds must be 1 to {MAX_ROWS}, not {len(input.member_ids)}: send the rest under another key",
                path=["input", "memberIds"],
            )
        command = IssueCoupons(
            template_id=TemplateId(ref.id),
            member_ids=tuple(
                MemberId(expect_id(given, NodeType.Member, argument=f"input.memberIds.{place}").id)
                for place, given in enumerate(input.member_ids)
            ),
            reason=bounded(input.reason, MAX_REASON_LENGTH, argument="input.reason"),
            scope=context.managing_scope,
            once=once(info, input),
        )
        issued = await context.giving.issue(command)
        context.forget()
        outcomes = [IssueOutcome.of(outcome, context=context) for outcome in issued.outcomes]
        return IssueCouponsSuccess(outcomes=outcomes, replayed=issued.replayed)

    @strawberry.mutation(description="Makes codes that members redeem for coupons of a template: all, or none.")
    async def create_coupon_codes(self, info: Info, input: CreateCouponCodesInput) -> CreateCouponCodesResult:
        """Makes codes."""
        context = info.context
        ref = expect_id(input.coupon_template_id, NodeType.CouponTemplate, argument="input.couponTemplateId")
        command = CreateCouponCodes(
            template_id=TemplateId(ref.id),
            pattern=input.pattern,
            count=input.count,
            codes=None if input.codes is None else tuple(input.codes),
            uses_per_code=1 if input.uses_per_code is None else input.uses_per_code,
            expires_at=input.expires_at,
            once=once(info, input),
        )
        done = await create_coupon_codes(command, begin=context.begin_managing)
        made = done.result
        async with context.begin_managing() as tx:
            codes = await tx.codes.of_batch(made.template_id, created_at=made.created_at)
        context.forget()
        template = await load_template(context, made.template_id)
        assert template is not None, "who may make a template's codes may read it"
        return CreateCouponCodesSuccess(coupon_template=template, codes=list(codes), replayed=done.replayed)

    @strawberry.mutation(description="Takes the coupon that a code stands for into the viewer's wallet.")
    async def redeem_code(self, info: Info, input: RedeemCodeInput) -> RedeemCodeResult:
        """Redeems a code."""
        context = info.context
        if len(input.code) > MAX_CODE_LENGTH:
            raise BadUserInput(f"code must have at most {MAX_CODE_LENGTH} characters", path=["input", "code"])
        command = RedeemCode(code=input.code, member_id=context.member_id, scope=context.scope, once=once(info, input))
        done = await context.giving.redeem(command)
        context.forget()
        coupon = await load_coupon(context, CouponKey(done.result.member_id, done.result.coupon_id))
        assert coupon is not None, "who redeemed a code owns the coupon"
        return RedeemCodeSuccess(coupon=coupon, replayed=done.replayed)
