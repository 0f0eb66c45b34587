"""A coupon that keeps a balance pays last, and gets back what it paid for: a template cannot say otherwise."""

from typing import Any
from uuid import UUID

import pytest

from domain.coupons.drafts import StackingDraft, template_of
from domain.coupons.errors import InvalidTerms
from domain.coupons.lanes import Lane
from domain.coupons.model import RefundPolicy
from domain.coupons.rules_text import rules_text
from domain.shared.ids import TemplateId
from tests.coupon_world import PROGRAMME, draft

ID = TemplateId(UUID(int=1))


def cash(**changed: Any) -> Any:
    return template_of(draft(kind="CASH", terms={"faceMinor": 10_000}, **changed), id=ID)


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"stacking": StackingDraft(lane=Lane.ITEM)}, ("stacking", "lane")),
        ({"refund_policy": RefundPolicy.REPRICE}, ("refundPolicy",)),
        ({"refund_policy": RefundPolicy.CLAWBACK}, ("refundPolicy",)),
    ],
)
def test_a_balance_that_does_not_pay_last_or_is_not_given_back_is_refused(
    changed: dict[str, Any], path: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidTerms) as refused:
        cash(**changed)
    assert refused.value.path == path


@pytest.mark.parametrize("stacking", [None, StackingDraft(), StackingDraft(lane=Lane.TENDER)])
def test_a_balance_pays_last(stacking: StackingDraft | None) -> None:
    assert (cash(stacking=stacking).stacking.lane or Lane.TENDER) is Lane.TENDER


def test_the_published_rules_say_where_a_refund_goes() -> None:
    text = rules_text(cash(), zone=PROGRAMME.zone)
    assert "¥100" in text.en
    assert "back to the balance" in text.en
    assert "退回余额" in text.zh_cn
    assert "优惠券不退回" not in text.zh_cn
