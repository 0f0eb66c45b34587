"""A template as an operator writes it, checked to the last field: a refusal names the path to what is wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from domain.coupons.cart import Channel, MemberPriceRule, Scope
from domain.coupons.conditions import Conditions, read_conditions
from domain.coupons.contradictions import refuse_contradictions
from domain.coupons.errors import InvalidTerms
from domain.coupons.kinds import KINDS
from domain.coupons.lanes import Lane
from domain.coupons.model import CouponTemplate, RefundPolicy, TemplateState, Validity
from domain.coupons.offer import (
    Funder,
    FunderShare,
    PercentBase,
    Stacking,
    ThresholdBase,
    default_funder,
    require_whole,
)
from domain.coupons.reading_conditions import PLAIN_NAMES, Names
from domain.coupons.terms import MAX_REFS, Terms, TermsError, read_refs
from domain.shared.ids import CampaignId, MerchantId, StoreId, TemplateId
from domain.shared.money import SAFE_INT_MAX, UnknownCurrency, currency_exponent
from domain.shared.references import is_reference
from domain.shared.time import Interval

MAX_DAYS_AFTER_CLAIM: Final = 3650
MAX_GRACE_DAYS: Final = 365
MAX_TAGS: Final = 20
MAX_TAG_LENGTH: Final = 64
MAX_PER_ORDER: Final = 100
MAX_LIMIT: Final = 1_000_000
MAX_PRIORITY: Final = 1_000_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ScopeDraft:
    """What coupons may act on, as given; None restricts nothing, an empty list is a mistake."""

    product_refs: Sequence[str] | None = None
    category_refs: Sequence[str] | None = None
    merchant_ids: Sequence[MerchantId] | None = None
    store_ids: Sequence[StoreId] | None = None
    excluded_product_refs: Sequence[str] | None = None
    channels: Sequence[Channel] | None = None


@dataclass(frozen=True, slots=True)
class StackingDraft:
    """How coupons go together with others, as given."""

    lane: Lane | None = None
    tags: Sequence[str] | None = None
    combines_with_tags: Sequence[str] | None = None
    exclusive_group: str | None = None
    priority: int = 0
    max_per_order: int = 1


@dataclass(frozen=True, slots=True)
class ValidityDraft:
    """When coupons may be used, as given: from and until, or days after the claim."""

    starts_at: datetime | None = None
    ends_at: datetime | None = None
    days_after_claim: int | None = None


@dataclass(frozen=True, slots=True)
class ConditionsDraft:
    """Conditions of use, as given, the zone of their hours (the programme's), and what the names in them stand for."""

    tree: object
    zone: ZoneInfo
    names: Names = PLAIN_NAMES


@dataclass(frozen=True, slots=True)
class TemplateDraft:
    """A template as given. `terms` is the JSON of its kind; no funders means that whoever issues it bears it."""

    name: str
    kind: str
    terms: object
    currency: str
    campaign_id: CampaignId | None
    merchant_id: MerchantId | None
    stock: int
    limit_per_member: int | None
    limit_per_member_per_day: int | None
    claim_opens_at: datetime
    claim_closes_at: datetime
    validity: ValidityDraft
    scope: ScopeDraft | None = None
    stacking: StackingDraft | None = None
    funders: Sequence[FunderShare] | None = None
    threshold_base: ThresholdBase = ThresholdBase.BEFORE_THIS
    refund_policy: RefundPolicy = RefundPolicy.KEEP_ALLOCATION
    conditions: ConditionsDraft | None = None
    limit_per_member_per_week: int | None = None
    limit_per_member_per_month: int | None = None
    limit_per_store: int | None = None
    self_claim: bool = True
    percent_base: PercentBase = PercentBase.REMAINING
    merchant_fault_grace_days: int = 0
    with_member_price: MemberPriceRule = MemberPriceRule.COMBINES


def template_of(draft: TemplateDraft, *, id: TemplateId) -> CouponTemplate:  # noqa: A002 - the template's own word
    """The template that a draft describes.

    Refusals: InvalidTerms.
    """
    _require(1 <= draft.stock <= SAFE_INT_MAX, "stock", reason=f"is 1 to {SAFE_INT_MAX}")
    _check_limit(draft.limit_per_member, "limitPerMember")
    _check_limit(draft.limit_per_member_per_day, "limitPerMemberPerDay")
    _check_limit(draft.limit_per_member_per_week, "limitPerMemberPerWeek")
    _check_limit(draft.limit_per_member_per_month, "limitPerMemberPerMonth")
    _check_limit(draft.limit_per_store, "limitPerStore")
    within = 0 <= draft.merchant_fault_grace_days <= MAX_GRACE_DAYS
    _require(within, "merchantFaultGraceDays", reason=f"is 0 to {MAX_GRACE_DAYS}")
    _require(draft.claim_opens_at < draft.claim_closes_at, "claimClosesAt", reason="is after claimOpensAt")
    _check_balance(draft)
    template = _read(draft, template_id=id)
    refuse_contradictions(template)
    return template


def _read(draft: TemplateDraft, *, template_id: TemplateId) -> CouponTemplate:
    return CouponTemplate(
        id=template_id,
        merchant_id=draft.merchant_id,
        campaign_id=draft.campaign_id,
        name=draft.name,
        state=TemplateState.DRAFT,
        kind=draft.kind,
        terms=_terms(draft),
        currency=_currency(draft.currency),
        scope=_scope(draft),
        limit_per_member=draft.limit_per_member,
        limit_per_member_per_day=draft.limit_per_member_per_day,
        claim_opens_at=draft.claim_opens_at,
        claim_closes_at=draft.claim_closes_at,
        validity=_validity(draft),
        threshold_base=draft.threshold_base,
        stacking=_stacking(draft.stacking or StackingDraft()),
        funders=_funders(draft),
        refund_policy=draft.refund_policy,
        conditions=_conditions(draft.conditions),
        limit_per_member_per_week=draft.limit_per_member_per_week,
        limit_per_member_per_month=draft.limit_per_member_per_month,
        limit_per_store=draft.limit_per_store,
        self_claim=draft.self_claim,
        percent_base=_percent_base(draft),
        merchant_fault_grace_days=draft.merchant_fault_grace_days,
    )


def _terms(draft: TemplateDraft) -> Terms:
    kind = KINDS.get(draft.kind)
    if kind is None:
        raise InvalidTerms(("kind",), "is no kind of coupon")
    terms: Terms = _refusing(lambda: kind.terms_from_json(draft.terms), under=("terms",))
    return terms


def _percent_base(draft: TemplateDraft) -> PercentBase:
    takes_share = KINDS[draft.kind].takes_share
    _require(
        takes_share or draft.percent_base is PercentBase.REMAINING,
        "percentBase",
        reason=f"is of kinds that take a share off; {draft.kind} takes none",
    )
    return draft.percent_base


def _check_balance(draft: TemplateDraft) -> None:
    """A balance is money of the member's: it pays last, and what it paid for a returned unit goes back to it."""
    kind = KINDS.get(draft.kind)
    if kind is None or kind.balance(_terms(draft)) is None:
        return
    lane = draft.stacking and draft.stacking.lane
    _require(lane in {None, kind.lane}, "stacking", "lane", reason="is TENDER: a balance pays after everything else")
    keeps = draft.refund_policy is RefundPolicy.KEEP_ALLOCATION
    _require(keeps, "refundPolicy", reason="is KEEP_ALLOCATION: what a balance paid for goes back to it")


def _conditions(given: ConditionsDraft | None) -> Conditions | None:
    if given is None:
        return None
    return _refusing(lambda: read_conditions(given.tree, zone=given.zone, names=given.names), under=("conditions",))


def _currency(currency: str) -> str:
    try:
        currency_exponent(currency)
    except UnknownCurrency as unknown:
        raise InvalidTerms(("currencyCode",), str(unknown)) from None
    return currency


def _scope(template: TemplateDraft) -> Scope:
    draft, merchant_id = template.scope or ScopeDraft(), template.merchant_id
    merchants = _set_of(draft.merchant_ids, "merchantIds")
    # Another merchant's goods are not this one's to discount.
    _require(merchant_id is None or merchants <= {merchant_id}, "scope", "merchantIds", reason="names another merchant")
    return Scope(
        product_refs=_refs(draft.product_refs, "scope", "productRefs"),
        category_refs=_refs(draft.category_refs, "scope", "categoryRefs"),
        merchant_ids=merchants,
        store_ids=_set_of(draft.store_ids, "storeIds"),
        channels=_set_of(draft.channels, "channels"),
        excluded_product_refs=_refs(draft.excluded_product_refs, "scope", "excludedProductRefs"),
        with_member_price=template.with_member_price,
    )


def _validity(draft: TemplateDraft) -> Validity:
    given = draft.validity
    if given.days_after_claim is not None:
        fixed = given.starts_at is not None or given.ends_at is not None
        _require(not fixed, "validity", reason="is from and until, or daysAfterClaim, not both")
        within = 1 <= given.days_after_claim <= MAX_DAYS_AFTER_CLAIM
        _require(within, "validity", "daysAfterClaim", reason=f"is 1 to {MAX_DAYS_AFTER_CLAIM}")
        return Validity(period=None, days_after_claim=given.days_after_claim)
    if given.starts_at is None or given.ends_at is None:
        raise InvalidTerms(("validity",), "is from and until, or daysAfterClaim")
    _require(given.starts_at < given.ends_at, "validity", "until", reason="is after from")
    # Otherwise the last to claim would get a coupon that is dead already.
    _require(given.ends_at >= draft.claim_closes_at, "validity", "until", reason="is not before claimClosesAt")
    return Validity(period=Interval(given.starts_at, given.ends_at), days_after_claim=None)


def _stacking(draft: StackingDraft) -> Stacking:
    group = draft.exclusive_group
    _require(group is None or _is_tag(group), "stacking", "exclusiveGroup", reason=_TAG_RULE)
    _require(abs(draft.priority) <= MAX_PRIORITY, "stacking", "priority", reason=f"is within ±{MAX_PRIORITY}")
    within = 1 <= draft.max_per_order <= MAX_PER_ORDER
    _require(within, "stacking", "maxPerOrder", reason=f"is 1 to {MAX_PER_ORDER}")
    return Stacking(
        lane=draft.lane,
        tags=_tags(draft.tags, "tags"),
        combines_with_tags=_tags(draft.combines_with_tags, "combinesWithTags"),
        exclusive_group=group,
        priority=draft.priority,
        max_per_order=draft.max_per_order,
    )


def _funders(draft: TemplateDraft) -> tuple[FunderShare, ...]:
    if draft.funders is None:
        return (default_funder(draft.merchant_id),)
    given = draft.funders
    _refusing(lambda: require_whole(given), under=())
    return tuple(sorted((s for s in given if s.basis_points), key=lambda s: list(Funder).index(s.funder)))


_TAG_RULE: Final = f"has 1 to {MAX_TAG_LENGTH} printable characters"


def _is_tag(text: str) -> bool:
    return is_reference(text, most=MAX_TAG_LENGTH)


def _tags(given: Sequence[str] | None, name: str) -> frozenset[str]:
    if given is None:
        return frozenset()
    _require(1 <= len(given) <= MAX_TAGS, "stacking", name, reason=f"names 1 to {MAX_TAGS}")
    for place, tag in enumerate(given):
        _require(_is_tag(tag), "stacking", name, str(place), reason=_TAG_RULE)
    _require(len(set(given)) == len(given), "stacking", name, reason="names the same twice")
    return frozenset(given)


def _refs(given: Sequence[str] | None, *path: str) -> frozenset[str]:
    return frozenset() if given is None else frozenset(_refusing(lambda: read_refs(given, path=path), under=()))


def _set_of(given: Sequence[T] | None, name: str) -> frozenset[T]:
    if given is None:
        return frozenset()
    _require(1 <= len(given) <= MAX_REFS, "scope", name, reason=f"names 1 to {MAX_REFS}")
    _require(len(set(given)) == len(given), "scope", name, reason="names the same twice")
    return frozenset(given)


def _check_limit(limit: int | None, name: str) -> None:
    _require(limit is None or 1 <= limit <= MAX_LIMIT, name, reason=f"is 1 to {MAX_LIMIT}")


def _require(condition: object, *path: str, reason: str) -> None:
    if not condition:
        raise InvalidTerms(path, reason)


def _refusing(read: Callable[[], T], *, under: tuple[str, ...]) -> T:
    try:
        return read()
    except TermsError as wrong:
        raise InvalidTerms((*under, *wrong.path), wrong.reason) from None
