"""No hidden rule: whatever of a template is enforced is in its published rules, in both languages.

What is enforced is found in the classes themselves: a field that somebody adds fails here until it is published.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.campaigns.model import RemainderPolicy
from domain.coupons.cart import Channel, MemberPriceRule, Scope
from domain.coupons.conditions import PREDICATES, read_conditions
from domain.coupons.kinds import KINDS
from domain.coupons.lanes import Lane
from domain.coupons.model import CouponTemplate, RefundPolicy, TemplateState, Validity
from domain.coupons.offer import PercentBase, Stacking, ThresholdBase
from domain.coupons.rules_text import places_named, rules_text
from domain.shared.ids import CampaignId, MerchantId, StoreId, TemplateId
from domain.shared.text import Text
from domain.shared.time import Interval
from tests.architecture.test_kinds import EXAMPLES as TERMS
from tests.domain.coupons.test_conditions import CASES as CONDITIONS

ROOT = Path(__file__).parents[3]
SHANGHAI = ZoneInfo("Asia/Shanghai")
OPENS = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
ONE, TWO = UUID(int=1), UUID(int=2)
NAMES = {ONE: "One Street", TWO: "Two Street"}

# Fields that decide nothing about who may use a coupon when, where and how.
NO_RULE = {
    "id": "its identity",
    "name": "its name, shown beside",
    "state": "a draft is nobody's to use",
    "funders": "who bears it; the field `funders` shows it",
}


@dataclass(frozen=True)
class Option:
    """One thing that a template may say: what is changed, and what a reader must find."""

    changes: Mapping[str, Any]
    zh_cn: tuple[str, ...]
    en: tuple[str, ...]


def both(*words: str, **changes: Any) -> Option:
    """An option whose words are the same in both languages."""
    return Option(changes, words, words)


def scope(*words: str, **changes: Any) -> Option:
    return both(*words, scope=replace(Scope(), **changes))


def stacking(*words: str, **changes: Any) -> Option:
    return both(*words, stacking=replace(Stacking(), **changes))


LATER = OPENS + timedelta(days=30)
OPTIONS: Mapping[str, list[Option]] = {
    "merchant_id": [
        Option({"merchant_id": MerchantId(ONE)}, ("本商户（One Street）",), ("this merchant's goods (One Street)",))
    ],
    "campaign_id": [
        Option(
            {"campaign_id": CampaignId(ONE)},
            ("活动进行期间", "预算（含各承担方的部分）"),
            ("while its campaign is running", "funder's part of it"),
        )
    ],
    "budget_remainder": [
        Option(
            {"campaign_id": CampaignId(ONE), "budget_remainder": RemainderPolicy.PARTIAL},
            ("以剩余部分为限优惠，实际优惠可能减少",),
            ("the discount may be less when the budget runs out",),
        )
    ],
    "currency": [both("USD", currency="USD")],
    "limit_per_member": [both("31", limit_per_member=31)],
    "limit_per_member_per_day": [both("32", limit_per_member_per_day=32)],
    "limit_per_member_per_week": [both("33", limit_per_member_per_week=33)],
    "limit_per_member_per_month": [both("34", limit_per_member_per_month=34)],
    "limit_per_member_in_campaign": [both("35", limit_per_member_in_campaign=35)],
    "limit_per_store": [both("36", limit_per_store=36)],
    "self_claim": [Option({"self_claim": False}, ("不可自行领取",), ("Not claimed",))],
    "claim_opens_at": [both("2026-03-02 12:00:00", claim_opens_at=OPENS + timedelta(days=1))],
    "claim_closes_at": [both("2026-03-31 12:00:00", claim_closes_at=LATER)],
    "validity": [
        both("37", validity=Validity(None, 37)),
        both("2026-03-01 12:00:00", "2026-03-31 12:00:00", validity=Validity(Interval(OPENS, LATER), None)),
    ],
    "scope.product_refs": [scope("tea-1, tea-2", product_refs=frozenset({"tea-2", "tea-1"}))],
    "scope.category_refs": [scope("green", category_refs=frozenset({"green"}))],
    "scope.excluded_product_refs": [scope("gift-card", excluded_product_refs=frozenset({"gift-card"}))],
    "scope.with_member_price": [
        Option(
            {"scope": Scope(with_member_price=MemberPriceRule.EXCLUDED)},
            ("已享会员价的商品不适用，也不计入门槛",),
            ("sold at a member's price are not eligible", "no threshold"),
        ),
    ],
    "scope.merchant_ids": [scope("One Street, Two Street", merchant_ids=frozenset({TWO, ONE}))],
    "scope.store_ids": [
        scope("Two Street", store_ids=frozenset({TWO})),
        scope(str(UUID(int=9)), store_ids=frozenset({UUID(int=9)})),
    ],
    "scope.channels": [
        Option({"scope": Scope(channels=frozenset({Channel.IN_STORE}))}, ("仅限门店使用",), ("Only in store",)),
        Option({"scope": Scope(channels=frozenset({Channel.ONLINE}))}, ("仅限线上使用",), ("Only online",)),
    ],
    "stacking.lane": [
        Option({"stacking": Stacking(lane=Lane.TENDER)}, ("“支付抵扣”阶段",), ("this one is of payment",)),
        Option({"stacking": Stacking(lane=Lane.POINTS)}, ("“积分抵扣”阶段",), ("this one is of points",)),
    ],
    "stacking.tags": [stacking("spring", tags=frozenset({"spring"}))],
    "stacking.combines_with_tags": [stacking("summer", combines_with_tags=frozenset({"summer"}))],
    "stacking.exclusive_group": [stacking("newcomers", exclusive_group="newcomers")],
    "stacking.priority": [stacking("41", priority=41), stacking("-42", priority=-42)],
    "stacking.max_per_order": [stacking("43", max_per_order=43)],
    "threshold_base": [
        Option({"threshold_base": ThresholdBase.INITIAL}, ("优惠前金额",), ("before any discount",)),
        Option({"threshold_base": ThresholdBase.AFTER_THIS}, ("本券优惠之后",), ("after this coupon's discount",)),
    ],
    "percent_base": [
        Option(
            {"percent_base": PercentBase.INITIAL},
            ("折扣按适用商品优惠前金额计算",),
            ("share is taken of the price of the items before any discount",),
        ),
    ],
    "refund_policy": [
        Option({"refund_policy": RefundPolicy.REPRICE}, ("重新计算优惠",), ("priced anew",)),
        Option({"refund_policy": RefundPolicy.CLAWBACK}, ("记为应收",), ("becomes due",)),
    ],
    "merchant_fault_grace_days": [
        Option(
            {"merchant_fault_grace_days": 38},
            ("因商户责任退款或取消订单而退回的，自退回当天起至少 38 天内有效",),
            ("merchant is at fault", "valid for at least 38 days, the day of the return included"),
        ),
    ],
    "conditions": [
        Option(
            {"conditions": read_conditions({group: [{name: value}]}, zone=SHANGHAI)},
            (*zh_cn, word),
            (*en, f"{group} of"),
        )
        for name, value, zh_cn, en in CONDITIONS
        for group, word in (("all", "同时满足"), ("any", "满足任一"), ("none", "均不属于"))
    ],
}
# What a kind does not regard is not a rule of it.
NOT_OF: Mapping[str, frozenset[str]] = {
    "threshold_base": frozenset({"AMOUNT_OFF", "BUY_X_GET_Y", "CASH", "FIXED_PRICE", "PRODUCT_EXCHANGE"}),
    "percent_base": frozenset(KINDS) - {"PERCENT_OFF"},
    "refund_policy": frozenset({"CASH"}),
    "stacking.lane": frozenset({"CASH"}),
}


def template(kind: str, terms: Mapping[str, object]) -> CouponTemplate:
    """A template that says nothing but its terms."""
    return CouponTemplate(
        id=TemplateId(UUID(int=100)),
        merchant_id=None,
        campaign_id=None,
        name="a template",
        state=TemplateState.PUBLISHED,
        kind=kind,
        terms=KINDS[kind].terms_from_json(terms),
        currency="CNY",
        scope=Scope(),
        limit_per_member=None,
        limit_per_member_per_day=None,
        claim_opens_at=OPENS,
        claim_closes_at=OPENS + timedelta(days=10),
        validity=Validity(None, 7),
        threshold_base=ThresholdBase.BEFORE_THIS,
        stacking=Stacking(),
        funders=(),
        refund_policy=RefundPolicy.KEEP_ALLOCATION,
    )


def published(what: CouponTemplate) -> Text:
    return rules_text(what, zone=SHANGHAI, names=NAMES)


BASES = {kind: template(kind, max(TERMS[kind], key=len)) for kind in KINDS}


def cases() -> Iterator[Any]:
    for kind in KINDS:
        for place, options in OPTIONS.items():
            if kind not in NOT_OF.get(place, ()):
                for number, option in enumerate(options):
                    yield pytest.param(BASES[kind], option, id=f"{kind}-{place}-{number}")


def test_everything_that_a_template_may_say_is_in_the_options() -> None:
    said = {field.name for field in fields(CouponTemplate)} - {"kind", "terms", "scope", "stacking"}
    said |= {f"scope.{field.name}" for field in fields(Scope)} | {
        f"stacking.{field.name}" for field in fields(Stacking)
    }
    assert said == set(OPTIONS) | set(NO_RULE), "publish what you enforce: add it to rules_text, then here"
    assert {name for name, *_ in CONDITIONS} == set(PREDICATES)


@pytest.mark.parametrize(("base", "option"), list(cases()))
def test_what_is_enforced_is_published_in_both_languages(base: CouponTemplate, option: Option) -> None:
    before, after = published(base), published(replace(base, **option.changes))
    for words, told, plain in ((option.zh_cn, after.zh_cn, before.zh_cn), (option.en, after.en, before.en)):
        assert all(word in told for word in words), told
        assert told != plain, "it reads as if nothing had been said"


@pytest.mark.parametrize("kind", KINDS)
def test_every_term_of_every_kind_is_published(kind: str) -> None:
    terms = max(TERMS[kind], key=len)
    for name, value in terms.items():
        other: object = [*value, "another"] if isinstance(value, list) else (value // 2 or 2)  # type: ignore[operator]
        base, changed = template(kind, terms), template(kind, terms | {name: other})
        assert published(base).zh_cn != published(changed).zh_cn, name
        assert published(base).en != published(changed).en, name


CHOICES = {place: options for place, options in OPTIONS.items() if "." not in place and place != "conditions"}


@given(kind=st.sampled_from(list(KINDS)), data=st.data())
def test_no_combination_of_options_hides_one_of_them(kind: str, data: st.DataObject) -> None:
    chosen = {
        place: data.draw(st.sampled_from(options), label=place)
        for place, options in CHOICES.items()
        if kind not in NOT_OF.get(place, ()) and data.draw(st.booleans(), label=f"with {place}")
    }
    if data.draw(st.booleans(), label="with conditions"):
        chosen["conditions"] = data.draw(st.sampled_from(OPTIONS["conditions"]), label="conditions")
    if "currency" in chosen:
        chosen.pop("conditions", None)  # its amounts would be in dollars
    changes = {name: value for option in chosen.values() for name, value in option.changes.items()}
    told = published(replace(BASES[kind], **changes))
    for place, option in chosen.items():
        assert all(word in told.zh_cn for word in option.zh_cn), place
        assert all(word in told.en for word in option.en), place


@pytest.mark.parametrize("kind", KINDS)
def test_each_choice_reads_differently(kind: str) -> None:
    base = BASES[kind]
    if kind not in NOT_OF["threshold_base"]:
        assert len({published(replace(base, threshold_base=one)).zh_cn for one in ThresholdBase}) == len(ThresholdBase)
    if kind not in NOT_OF["percent_base"]:
        assert len({published(replace(base, percent_base=one)).zh_cn for one in PercentBase}) == len(PercentBase)
    if kind not in NOT_OF["refund_policy"]:
        assert len({published(replace(base, refund_policy=one)).zh_cn for one in RefundPolicy}) == len(RefundPolicy)
    of_campaign = replace(base, campaign_id=CampaignId(ONE))
    told = [published(replace(of_campaign, budget_remainder=one)) for one in RemainderPolicy]
    assert ["须足以支付本次优惠" in one.zh_cn for one in told] == [True, False]
    assert ["covers the whole discount: first come" in one.en for one in told] == [True, False]
    lanes = {published(replace(base, stacking=Stacking(lane=lane))).en for lane in Lane}
    assert len(lanes) == len(Lane)


# Whatever may stand in the proof of a coupon that is not used, and what of the published rules says so.
PREDICATES_OF_A_PROOF: Mapping[str, tuple[str, str]] = {
    "validity": ("使用时间", "Valid"),
    "currency": ("仅限以 CNY 结算", "orders in CNY only"),
    "channel": ("仅限门店使用", "Only in store"),
    "store": ("仅限在以下门店使用", "Only in these stores"),
    "scope": ("适用商品：tea-1", "Eligible products: tea-1"),
    "quantity": ("满 3 件可用", "3 cheapest eligible units"),
    "threshold": ("满¥100", "once the eligible items reach ¥100"),
    "conditions": ("使用条件", "Conditions of use"),
    "combines": ("不可与同类优惠叠加", "Does not combine"),
    "exclusive_group": ("newcomers", "newcomers"),
    "max_per_order": ("每单限用 1 张", "At most 1 per order"),
    "coupons_per_order": ("各种券合计不超过 100 张", "100 coupons of all kinds"),
    "limit_per_store": ("每家门店限核销 9 张", "At most 9 are used in one store"),
    "budget": ("预算", "budget"),
    "budget_remainder": ("预算", "budget"),
}
# No rules of the template: where the coupon is in its life, that it would take nothing off, that others do better.
SAID_BY_THE_ANSWER = {"state", "effect", "saves_more", "searched"}


def test_whatever_a_proof_may_name_is_in_the_rules() -> None:
    named = re.compile(r'Predicate\(\s*"(\w+)"')
    files = ("domain/coupons/checks.py", "domain/coupons/solver/rejections.py", "domain/orders/room.py")
    found = {name for path in files for name in named.findall((ROOT / path).read_text())} | {"conditions"}
    assert found == set(PREDICATES_OF_A_PROOF) | SAID_BY_THE_ANSWER


@pytest.mark.parametrize("name", PREDICATES_OF_A_PROOF)
def test_what_a_proof_names_the_rules_say(name: str) -> None:
    rich = replace(
        BASES["THRESHOLD_AMOUNT_OFF"],
        terms=KINDS["THRESHOLD_AMOUNT_OFF"].terms_from_json({"thresholdMinor": 10_000, "amountMinor": 2000}),
        campaign_id=CampaignId(ONE),
        validity=Validity(Interval(OPENS, LATER), None),
        scope=Scope(
            product_refs=frozenset({"tea-1"}),
            store_ids=frozenset({StoreId(TWO)}),
            channels=frozenset({Channel.IN_STORE}),
        ),
        stacking=Stacking(exclusive_group="newcomers"),
        limit_per_store=9,
        conditions=read_conditions({"cartQuantity": {"atLeast": 2}}, zone=SHANGHAI),
    )
    if name == "quantity":
        rich = replace(
            rich, kind="BUY_X_GET_Y", terms=KINDS["BUY_X_GET_Y"].terms_from_json({"buyQuantity": 2, "getQuantity": 1})
        )
    zh_cn, en = PREDICATES_OF_A_PROOF[name]
    assert zh_cn in published(rich).zh_cn
    assert en in published(rich).en


def test_the_places_that_need_names_are_those_that_are_spoken_of() -> None:
    conditions = read_conditions({"any": [{"store": [str(UUID(int=4))]}]}, zone=SHANGHAI)
    what = replace(
        BASES["AMOUNT_OFF"],
        merchant_id=MerchantId(ONE),
        scope=Scope(merchant_ids=frozenset({MerchantId(TWO)}), store_ids=frozenset({StoreId(UUID(int=3))})),
        conditions=conditions,
    )
    assert places_named(what) == {ONE, TWO, UUID(int=3), UUID(int=4)}
    named = rules_text(what, zone=SHANGHAI, names={UUID(int=4): "North"})
    assert "在门店（North）购买" in named.zh_cn
    assert "bought in the store North" in named.en
    assert json.dumps(named.en).count(str(UUID(int=3))) == 1, "an unknown name is no reason to leave a store out"
