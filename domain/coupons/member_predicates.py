"""Single conditions on the member who pays: tier, tags, orders, the month of birth."""

from dataclasses import dataclass
from typing import Final

from domain.coupons.eligibility import Predicate
from domain.coupons.facts import Facts, Node, NoPivots, NoStores, OfMember, Path, Pivots, Wording
from domain.coupons.reading_conditions import Names, Range, read_fields, read_list, read_range, read_true
from domain.coupons.terms import TermsError
from domain.members.tags import TAG_RULE, is_tag
from domain.members.tiers import Tier
from domain.shared.events import JSON
from domain.shared.text import Text

MAX_TAGS_ASKED: Final = 20


@dataclass(frozen=True, slots=True)
class MemberTier(OfMember, NoStores):
    """The member holds this tier, or a higher one."""

    tier: Tier

    def prove(self, facts: Facts) -> Predicate:
        """Which tier it holds."""
        required = f"≥ {self.tier.code}"
        member = facts.of_member("memberTier", required)
        if isinstance(member, Predicate):
            return member
        return Predicate("memberTier", member.tier.rank >= self.tier.rank, required, member.tier.code)

    @property
    def pivots(self) -> Pivots:
        """The tier."""
        return Pivots(tiers=frozenset((self.tier,)))

    def text(self, wording: Wording) -> Text:
        """The tier."""
        del wording
        return Text(f"会员等级为{self.tier.name.zh_cn}及以上", f"a member of the tier {self.tier.name.en} or above")

    def to_json(self) -> dict[str, JSON]:
        """The tier by its code."""
        return {"memberTier": {"atLeast": self.tier.code}}


@dataclass(frozen=True, slots=True)
class MemberTags(OfMember, NoPivots, NoStores):
    """The member is marked with one of these tags. The proof shows of the member's tags those that were asked for."""

    tags: tuple[str, ...]

    def prove(self, facts: Facts) -> Predicate:
        """Which of them it is marked with."""
        required = " | ".join(self.tags)
        member = facts.of_member("memberTags", required)
        if isinstance(member, Predicate):
            return member
        found = [tag for tag in self.tags if tag in member.tags]
        return Predicate("memberTags", bool(found), required, ", ".join(found) or "none of these")

    def text(self, wording: Wording) -> Text:
        """The tags."""
        del wording
        listed = ", ".join(self.tags)
        return Text(f"带有会员标签（{listed}）之一", f"a member marked {' or '.join(self.tags)}")

    def to_json(self) -> dict[str, JSON]:
        """As it was written."""
        return {"memberTags": list(self.tags)}


@dataclass(frozen=True, slots=True)
class FirstOrder(OfMember, NoPivots, NoStores):
    """The member has no other order (`MemberFacts.orders` says what counts as one)."""

    def prove(self, facts: Facts) -> Predicate:
        """Which order it is."""
        member = facts.of_member("firstOrder", "order 1")
        if isinstance(member, Predicate):
            return member
        return Predicate("firstOrder", member.orders == 0, "order 1", f"order {member.orders + 1}")

    def text(self, wording: Wording) -> Text:
        """The first order."""
        del wording
        return Text("会员首单", "the member's first order")

    def to_json(self) -> dict[str, JSON]:
        """As it was written."""
        return {"firstOrder": True}


@dataclass(frozen=True, slots=True)
class OrderNumber(OfMember, NoStores):
    """The order is the member's so-and-so-manieth, counting those that `MemberFacts.orders` counts, and this one."""

    range: Range

    def prove(self, facts: Facts) -> Predicate:
        """Which order it is."""
        required = self.range.required(str)
        member = facts.of_member("orderNumber", required)
        if isinstance(member, Predicate):
            return member
        return Predicate("orderNumber", self.range.holds(member.orders + 1), required, str(member.orders + 1))

    @property
    def pivots(self) -> Pivots:
        """Its bounds."""
        return Pivots(order_numbers=self.range.pivots)

    def text(self, wording: Wording) -> Text:
        """The number of the order."""
        del wording
        bounds = self.range.text(str)
        return Text(f"会员订单序号{bounds.zh_cn}", f"{bounds.en} in the count of the member's orders")

    def to_json(self) -> dict[str, JSON]:
        """As it was written."""
        return {"orderNumber": self.range.to_json()}


@dataclass(frozen=True, slots=True)
class BirthdayMonth(OfMember, NoStores):
    """It is the month of the member's birthday. The proof says whether, and not which month that is."""

    def prove(self, facts: Facts) -> Predicate:
        """Whether it is."""
        required = f"born in month {facts.local.month}"
        member = facts.of_member("birthdayMonth", required)
        if isinstance(member, Predicate):
            return member
        same = member.birth_month == facts.local.month
        actual = "no birthday known" if member.birth_month is None else "that month" if same else "another month"
        return Predicate("birthdayMonth", same, required, actual)

    @property
    def pivots(self) -> Pivots:
        """The firsts of months."""
        return Pivots(birthday=True)

    def text(self, wording: Wording) -> Text:
        """The month."""
        del wording
        return Text("会员生日当月", "the month of the member's birthday")

    def to_json(self) -> dict[str, JSON]:
        """As it was written."""
        return {"birthdayMonth": True}


def read_member_tier(value: object, path: Path, names: Names) -> Node:
    """{atLeast}: a tier's code, rank or id."""
    given = read_fields(value, names=("atLeast",), path=path)
    tier = names.tier(given.get("atLeast"))
    if tier is None:
        raise TermsError("is not a tier: its code, rank or id", path=(*path, "atLeast"))
    return MemberTier(tier)


def read_member_tags(value: object, path: Path, _names: Names) -> Node:
    """A list of tags."""
    tags: list[str] = []
    for place, tag in enumerate(read_list(value, path=path, most=MAX_TAGS_ASKED)):
        if not isinstance(tag, str) or not is_tag(tag):
            raise TermsError(TAG_RULE, path=(*path, str(place)))
        tags.append(tag)
    if len(set(tags)) < len(tags):
        raise TermsError("names the same twice", path=path)
    return MemberTags(tuple(tags))


def read_first_order(value: object, path: Path, _names: Names) -> Node:
    """True."""
    read_true(value, path)
    return FirstOrder()


def read_order_number(value: object, path: Path, _names: Names) -> Node:
    """{atLeast?, atMost?}, from 1."""
    return OrderNumber(read_range(value, path, least=1))


def read_birthday_month(value: object, path: Path, _names: Names) -> Node:
    """True."""
    read_true(value, path)
    return BirthdayMonth()
