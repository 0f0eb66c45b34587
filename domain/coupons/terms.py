"""What a coupon kind is: the shape of its terms, what it takes off a basket, and how it reads.

A kind is one file in `domain/coupons/kinds/`. Its terms are a frozen dataclass whose `__post_init__` is the validation;
their JSON form, their list for the schema and their parsing follow from the fields, so that a kind never writes them.
"""

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from fractions import Fraction
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar, cast, get_args, get_type_hints

from domain.coupons.cart import CartLine
from domain.coupons.lanes import Lane
from domain.shared.allocation import WHOLE_BASIS_POINTS, share_of_units
from domain.shared.money import SAFE_INT_MAX, Money, half_up, short_text
from domain.shared.references import MAX_REFERENCE_LENGTH, REFERENCE_RULE, is_reference
from domain.shared.text import Text

MAX_REFS: Final = 1000

TermValue = int | tuple[str, ...] | None
TermJson = int | list[str]


class TermsError(ValueError):
    """Terms that no coupon can have; `path` leads to what is wrong, as in ("thresholdMinor",)."""

    def __init__(self, reason: str, *, path: tuple[str, ...]) -> None:
        super().__init__(f"{'.'.join(path) or 'terms'}: {reason}")
        self.reason = reason
        self.path = path


class Terms(Protocol):
    """A frozen dataclass of integers, optional integers and tuples of references."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


@dataclass(frozen=True, slots=True)
class Term:
    """One term for a reader: its name, its value as text, its unit (a currency, a percent sign …) if it has one."""

    name: str
    value: str
    unit: str | None


@dataclass(frozen=True, slots=True)
class BasketLine:
    """A line in the coupon's scope and what is left to pay on it after earlier offers.

    Of its units some may be touched: an earlier coupon of a kind that acts on units has acted on them, and no other of
    such a kind does. `touched_minor` is what is left to pay on those.
    """

    line: CartLine
    left_minor: int
    touched_units: int = 0
    touched_minor: int = 0

    @property
    def open_units(self) -> int:
        """The units that a coupon may still act on one by one; those that cost nothing any more are none."""
        return self.line.quantity - self.touched_units if self.open_minor else 0

    @property
    def open_minor(self) -> int:
        """What is left to pay on the units that are not touched."""
        return self.left_minor - self.touched_minor

    def units_minor(self, count: int) -> int:
        """What is left to pay on so many of the open units."""
        return share_of_units(self.open_minor, quantity=self.open_units, first=1, last=count) if count else 0

    @property
    def unit_price(self) -> Fraction | int:
        """What is left to pay on an open unit, exact: for telling the dearest and the cheapest."""
        whole, rest = divmod(self.open_minor, self.open_units)
        return Fraction(self.open_minor, self.open_units) if rest else whole


@dataclass(frozen=True, slots=True)
class Basket:
    """All that a kind may see of a cart: the lines in its scope, and amounts in minor units.

    `left_minor` is what is left to pay on those lines, `base_minor` what a percentage is taken of (what is left, or the
    undiscounted subtotal where the template says so), `balance_minor` what is left on the coupon itself, if it has any.
    """

    lines: Sequence[BasketLine]
    left_minor: int
    base_minor: int
    shipping_left_minor: int
    balance_minor: int | None = None

    def dearest_unit(self) -> int | None:
        """The place of the line with the dearest open unit, of equal ones the first; None where no unit is open."""
        places = [place for place, line in enumerate(self.lines) if line.open_units]
        return max(places, key=lambda place: (self.lines[place].unit_price, -place), default=None)

    def on_line(self, place: int, amount_minor: int) -> "OnLines":
        """An amount off one unit of one line."""
        places = range(len(self.lines))
        return OnLines(
            tuple(amount_minor if place == one else 0 for one in places), tuple(int(place == one) for one in places)
        )


@dataclass(frozen=True, slots=True)
class Spread:
    """An amount off the basket, to be shared over the lines in scope."""

    amount_minor: int


@dataclass(frozen=True, slots=True)
class OnLines:
    """An amount off each line in scope, in the basket's order (for kinds that act on units).

    `units` are the open units of each line that it takes part in, discounted or bought for it; none where it acts on
    whole lines.
    """

    amounts_minor: tuple[int, ...]
    units: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class OnShipping:
    """An amount off the shipping fee."""

    amount_minor: int


Discount = Spread | OnLines | OnShipping


@dataclass(frozen=True, slots=True)
class UnitRule:
    """A discount on so many open units, the cheapest or the dearest, each of which costs at least so much then.

    `off_basis_points` is the part of their price that is taken off; none of them then costs less than `price_minor`.
    """

    count: int
    cheapest: bool = False
    off_basis_points: int = WHOLE_BASIS_POINTS
    price_minor: int = 0

    @property
    def is_dearest(self) -> bool:
        """Whether it acts on the dearest unit alone."""
        return not self.cheapest and self.count == 1


@dataclass(frozen=True, slots=True)
class SumRule:
    """A discount that looks at a sum alone: a share of the base, half up (None: no share), at most `most_minor`."""

    basis_points: int | None = None
    most_minor: int | None = None

    def off(self, base_minor: int) -> int:
        """What it promises on that base; an amount where there is no share."""
        if self.basis_points is None:
            return self.most_minor or 0
        amount = half_up(base_minor * self.basis_points, WHOLE_BASIS_POINTS)
        return amount if self.most_minor is None else min(amount, self.most_minor)


T = TypeVar("T", bound=Terms)


@dataclass(frozen=True, slots=True)
class TermShape:
    """One term as its kind declares it: the attribute, whether it may be left out, and whether it is references."""

    attribute: str
    required: bool
    is_refs: bool


def no_threshold(_terms: object) -> int:
    """The threshold of a kind that has none."""
    return 0


def no_units(_terms: object) -> int:
    """The units that a kind needs which does not count them."""
    return 0


def no_balance(_terms: object) -> int | None:
    """The balance of a kind whose coupons are used as a whole."""
    return None


def every_line(_terms: object, _line: CartLine) -> bool:
    """The lines of a kind that names none itself."""
    return True


@dataclass(frozen=True, slots=True)
class CouponKind(Generic[T]):
    """A way of taking money off.

    `discount` may promise more than there is: pricing caps it at what is left to pay. The search for the best
    combination relies on it that an amount off the basket or the shipping fee never grows where less is left, and that
    amounts off lines never sum to more than off the undiscounted cart; where they may, `most` says what they sum to at
    most, whatever acts before, from the basket of the undiscounted cart. `threshold` is the subtotal in minor units
    from which the coupon counts; pricing checks it, on the base that the template names. `lane` is where coupons of
    this kind are priced unless the template says otherwise; None leaves it to who issued the coupon.
    `acts_on` narrows the scope to lines that the terms name; `units` is how many open units in scope a coupon needs.
    `sums` says the discount of a kind that answers with a Spread once more, as a rule on the basket's base, of the
    terms and the balance: the search reckons with it in place of baskets; `on_units` says
    the same of one that acts on units, as the most that it takes off. `balance` is what a coupon begins with, in
    minor units, where what an order leaves of it stays for the next one. `takes_share` says that the discount is a
    share of the basket's base (`base_minor`), so that a template may name the base.
    """

    code: str
    terms: type[T]
    discount: Callable[[T, Basket], Discount]
    headline: Callable[[T, str], Text]
    rules_text: Callable[[T, str], Text]
    threshold: Callable[[T], int] = no_threshold
    lane: Lane | None = None
    acts_on: Callable[[T, CartLine], bool] = every_line
    units: Callable[[T], int] = no_units
    most: Callable[[T, Basket], int] | None = None
    sums: Callable[[T, int | None], SumRule] | None = None
    on_units: Callable[[T], UnitRule] | None = None
    balance: Callable[[T], int | None] = no_balance
    takes_share: bool = False
    shape: Mapping[str, "TermShape"] = field(init=False, repr=False)
    """The terms by their JSON name: read off the dataclass once, since every coupon's terms are read by it."""

    def __post_init__(self) -> None:
        """Read off the shape of the terms; a field that JSON could not hold is a bug, found when the kind is."""
        hints = get_type_hints(self.terms)
        shape = {_json_name(term.name): _shape_of(term, hint=hints[term.name]) for term in fields(self.terms)}
        object.__setattr__(self, "shape", types.MappingProxyType(shape))

    @property
    def keeps_balance(self) -> bool:
        """Whether its coupons keep what an order leaves of them; all others are used as a whole."""
        return self.balance is not no_balance

    def terms_from_json(self, data: object) -> T:
        """Read terms as an operator wrote them or as the database holds them; raises TermsError with the path."""
        if not isinstance(data, Mapping):
            raise TermsError("terms are an object", path=())
        for key in data:
            if key not in self.shape:
                raise TermsError(f"{self.code} has no such term", path=(str(key)[:MAX_REFERENCE_LENGTH],))
        values = {term.attribute: _read(data.get(name), term=term, path=(name,)) for name, term in self.shape.items()}
        return self.terms(**values)

    def terms_to_json(self, terms: T) -> dict[str, TermJson]:
        """Write terms so that terms_from_json reads the same; terms that were left out stay out."""
        values = {name: getattr(terms, term.attribute) for name, term in self.shape.items()}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value is not None
        }

    def terms_to_list(self, terms: T, *, currency: str) -> tuple[Term, ...]:
        """Terms for a reader, each with its unit: amounts as decimals of the currency, basis points as percent."""
        return tuple(_described(name, value, currency=currency) for name, value in self.terms_to_json(terms).items())


# Kinds of different terms in one table: which terms belong to which kind is checked where they are read.
AnyKind = CouponKind[Any]


def require_term(condition: object, *, path: str, reason: str) -> None:
    """Raise TermsError for the term unless the condition holds."""
    if not condition:
        raise TermsError(reason, path=(path,))


def require_amount(value: int, *, path: str) -> None:
    """Raise TermsError unless the value is a positive amount that a client can hold."""
    require_term(0 < value <= SAFE_INT_MAX, path=path, reason=f"an amount is 1 to {SAFE_INT_MAX} minor units")


def amount_text(minor: int, currency: str) -> Text:
    """An amount as a headline shows it: 100 for a Chinese reader's yuan, otherwise with its symbol: ¥100, $100."""
    shown = short_text(Money(minor, currency))
    return Text(shown.removeprefix("¥").replace(",", "") if currency == "CNY" else shown, shown)


def _json_name(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _shape_of(term: Field[Any], *, hint: object) -> TermShape:
    required = term.default is MISSING
    options = set(get_args(hint) if isinstance(hint, types.UnionType) else (hint,)) - {types.NoneType}
    if options == {int}:
        return TermShape(term.name, required, is_refs=False)
    if options == {tuple[str, ...]}:
        return TermShape(term.name, required, is_refs=True)
    raise TypeError(f"{term.name}: terms are integers or tuples of references, not {hint}")


def _read(value: object, *, term: TermShape, path: tuple[str, ...]) -> TermValue:
    if value is None:
        if term.required:
            raise TermsError("is missing", path=path)
        return None
    if term.is_refs:
        return read_refs(value, path=path)
    # A bool is an int to Python and not to an operator.
    if type(value) is not int:
        raise TermsError("is not a whole number", path=path)
    if abs(value) > SAFE_INT_MAX:
        raise TermsError("is outside the safe integers", path=path)
    return value


def read_refs(value: object, *, path: tuple[str, ...]) -> tuple[str, ...]:
    """Read a list of references; raises TermsError for what is none, names nothing or names the same twice."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TermsError("is not a list", path=path)
    if not 1 <= len(value) <= MAX_REFS:
        raise TermsError(f"names 1 to {MAX_REFS}", path=path)
    for place, ref in enumerate(value):
        if not isinstance(ref, str) or not is_reference(ref):
            raise TermsError(f"is no reference: {REFERENCE_RULE}", path=(*path, str(place)))
    if len(set(value)) < len(value):
        raise TermsError("names the same twice", path=path)
    return tuple(cast("Sequence[str]", value))


def _described(name: str, value: TermJson, *, currency: str) -> Term:
    if isinstance(value, list):
        return Term(name, ", ".join(value), None)
    if name.endswith("Minor"):
        return Term(name.removesuffix("Minor"), Money(value, currency).to_decimal_text(), currency)
    if name.endswith("BasisPoints"):
        return Term(name.removesuffix("BasisPoints"), percent_number(value), "%")
    return Term(name, str(value), None)


def fold_text(payable_basis_points: int) -> str:
    """What is paid, as a Chinese reader says it: 8500 is 8.5折."""
    whole, rest = divmod(payable_basis_points, 1000)
    return f"{whole}.{rest:03d}".rstrip("0").rstrip(".") + "折"


def percent_number(basis_points: int) -> str:
    """Basis points as a percent number without idle zeros: 8500 is 85, 1250 is 12.5."""
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest:02d}".rstrip("0") if rest else str(whole)
