"""The price of an operation: how many objects it may answer with, nested lists multiplied.

An object costs 1 and a leaf nothing. A list costs its entries: `first` where the field (or the connection around it)
has one, the length of a list argument, else `ASSUMED_LIST`. Where a place can hold several types, the dearest counts.
A price that depends on variables is kept as a small function of them; the rest is a number by the first run.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLType,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_composite_type,
    is_list_type,
    type_from_ast,
)
from graphql.language.ast import (
    ArgumentNode,
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

from resolvers.limits import MAX_PAGE_SIZE, LimitExceeded, Limits, PageSizeRefused

Variables: TypeAlias = Mapping[str, object]
# A price that is known, or one that waits for the variables.
Price: TypeAlias = int | Callable[[Variables], int]

DEFAULT_PAGE = 20
ASSUMED_LIST = 10
MUTATION = 10
# What costs more than the objects that it answers with: a search, a picture.
WEIGHTS: Mapping[str, int] = {"Query.quote": 50, "Coupon.redemptionCode": 5}
_PAGE_ARGUMENTS = ("first", "last")


@dataclass(frozen=True, slots=True)
class _Page:
    """A page size that a variable decides."""

    argument: str
    variable: str
    default: object


@dataclass(frozen=True, slots=True)
class OperationCost:
    """What one operation costs; asked once per request."""

    price: Price
    pages: tuple[_Page, ...]
    limit: int

    def requested(self, variables: Variables) -> int:
        """The price with these variables. A page size out of range raises `PageSizeRefused`."""
        for page in self.pages:
            _hold_page(page.argument, variables.get(page.variable, page.default))
        return self.price if isinstance(self.price, int) else self.price(variables)

    def hold(self, requested: int) -> None:
        """Refuses a price that is over the limit."""
        if requested > self.limit:
            raise LimitExceeded("cost", requested=requested, limit=self.limit)


def measure(
    document: DocumentNode, *, schema: GraphQLSchema, operation: OperationDefinitionNode, limits: Limits
) -> OperationCost:
    """Prices an operation of a validated document. A literal page size out of range raises `PageSizeRefused`."""
    root = schema.get_root_type(operation.operation)
    if root is None:  # validation refuses it with a better message
        return OperationCost(price=0, pages=(), limit=limits.cost)
    meter = _Meter(
        schema=schema,
        fragments={d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)},
        defaults={d.variable.name.value: d.default_value for d in operation.variable_definitions or ()},
    )
    price = meter.selections(root, [operation.selection_set], page=None)
    if operation.operation is OperationType.MUTATION:
        price = _plus((price, MUTATION * len(operation.selection_set.selections)))
    return OperationCost(price=price, pages=tuple(dict.fromkeys(meter.pages)), limit=limits.cost)


@dataclass(slots=True)
class _Selected:
    """All that a document selects under one response name of one object."""

    node: FieldNode
    below: list[SelectionSetNode]
    condition: Price  # 1 or 0


@dataclass(slots=True)
class _Meter:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    defaults: Mapping[str, ValueNode | None]
    pages: list[_Page] = field(default_factory=list)

    def selections(self, kind: GraphQLNamedType, sets: Sequence[SelectionSetNode], *, page: Price | None) -> Price:
        """The price of these selections on one object; `page` is the size that the field above it asked for."""
        if is_abstract_type(kind):
            return _dearest(self.selections(t, sets, page=page) for t in self.schema.get_possible_types(kind))
        if not isinstance(kind, GraphQLObjectType):
            return 0
        selected: dict[str, _Selected] = {}
        for each in sets:
            self.collect(kind, each, into=selected, condition=1)
        return _plus(self.field_price(kind, one, page=page) for one in selected.values())

    def collect(
        self, kind: GraphQLObjectType, chosen: SelectionSetNode, *, into: dict[str, _Selected], condition: Price
    ) -> None:
        """Gathers what an object of this type would answer, fragments merged by response name."""
        for selection in chosen.selections:
            here = _both(condition, self.condition(selection.directives or ()))
            if here == 0:
                continue
            if isinstance(selection, FieldNode):
                name = (selection.alias or selection.name).value
                below = [] if selection.selection_set is None else [selection.selection_set]
                found = into.get(name)
                if found is None:
                    into[name] = _Selected(node=selection, below=below, condition=here)
                else:
                    found.below.extend(below)
                    found.condition = 1  # either may be asked for: the dearer guess
                continue
            fragment = self.fragment(selection)
            if fragment is not None and self.applies(fragment, kind):
                self.collect(kind, fragment.selection_set, into=into, condition=here)

    def fragment(self, spread: object) -> InlineFragmentNode | FragmentDefinitionNode | None:
        """What a spread stands for."""
        if isinstance(spread, FragmentSpreadNode):
            return self.fragments.get(spread.name.value)
        return spread if isinstance(spread, InlineFragmentNode) else None

    def applies(self, fragment: InlineFragmentNode | FragmentDefinitionNode, kind: GraphQLObjectType) -> bool:
        """Whether a fragment's type condition holds for an object of this type."""
        if fragment.type_condition is None:
            return True
        wanted = type_from_ast(self.schema, fragment.type_condition)
        return wanted is kind or (is_abstract_type(wanted) and self.schema.is_sub_type(wanted, kind))

    def field_price(self, parent: GraphQLObjectType, selected: _Selected, *, page: Price | None) -> Price:
        """The price of one field with all that is below it."""
        name = selected.node.name.value
        definition = parent.fields.get(name)
        if definition is None:  # __typename and introspection
            return 1 if selected.below else 0
        label = f"{parent.name}.{name}"
        own_page = self.page_size(definition, selected.node, label=label)
        weight = WEIGHTS.get(label, 0)
        kind = get_named_type(definition.type)
        if not is_composite_type(kind):
            return weight
        is_list = is_list_type(get_nullable_type(definition.type))
        below = self.selections(kind, selected.below, page=None if is_list else own_page)
        price = _plus((1, below))
        if is_list:
            entries = own_page if own_page is not None else self.list_size(definition, selected.node, page=page)
            price = _times(entries, price)
            price = _times(_inner_lists(definition.type), price)
        return _times(selected.condition, _plus((price, weight)))

    def page_size(self, definition: GraphQLField, node: FieldNode, *, label: str) -> Price | None:
        """What `first` or `last` says, if the field has such an argument; checked here if it is literal."""
        for argument in _PAGE_ARGUMENTS:
            declared = definition.args.get(argument)
            given = _argument(node, argument)
            if declared is None or (argument == "last" and given is None):
                continue
            return self.sized(given, declared, label=f"{label}.{argument}")
        return None

    def sized(self, given: ValueNode | None, declared: GraphQLArgument, *, label: str) -> Price:
        """A page size: a number, or a variable with the default that stands in for it."""
        fallback = _declared_default(declared)
        if isinstance(given, VariableNode):
            variable = given.name.value
            written = _number(self.defaults.get(variable))
            stand_in = fallback if written is None else written
            _hold_page(label, stand_in)
            self.pages.append(_Page(argument=label, variable=variable, default=stand_in))
            return _from_variable(variable, absent=stand_in, null=fallback)
        literal = _number(given)
        _hold_page(label, literal)
        return fallback if literal is None else literal

    def list_size(self, definition: GraphQLField, node: FieldNode, *, page: Price | None) -> Price:
        """Entries of a list: what the connection around it asked for, or a list argument has, or the assumed."""
        if page is not None:
            return page
        for name, declared in definition.args.items():
            if is_list_type(get_nullable_type(declared.type)):
                given = _argument(node, name)
                if isinstance(given, ListValueNode):
                    return len(given.values)
                if isinstance(given, VariableNode):
                    return _length_of(given.name.value)
        return ASSUMED_LIST

    def condition(self, directives: Iterable[DirectiveNode]) -> Price:
        """1 where a selection is asked for, 0 where @skip or @include leaves it out."""
        price: Price = 1
        for directive in directives:
            name = directive.name.value
            if name not in {"skip", "include"} or not directive.arguments:
                continue
            value = directive.arguments[0].value
            wanted = name == "include"
            if isinstance(value, BooleanValueNode):
                price = _both(price, 1 if value.value is wanted else 0)
            elif isinstance(value, VariableNode):
                price = _both(price, self.flag(value.name.value, wanted=wanted))
        return price

    def flag(self, variable: str, *, wanted: bool) -> Price:
        """1 while the variable has the wanted truth, or might have."""
        written = self.defaults.get(variable)
        default = written.value if isinstance(written, BooleanValueNode) else wanted

        def price(variables: Variables) -> int:
            return int(variables.get(variable, default) in {wanted, None})

        return price


def _hold_page(argument: str, given: object) -> None:
    if isinstance(given, int) and not isinstance(given, bool) and not 1 <= given <= MAX_PAGE_SIZE:
        raise PageSizeRefused(argument, given=given)


def _argument(node: FieldNode, name: str) -> ValueNode | None:
    given: Iterable[ArgumentNode] = node.arguments or ()
    return next((argument.value for argument in given if argument.name.value == name), None)


def _number(value: ValueNode | None) -> int | None:
    return int(value.value) if isinstance(value, IntValueNode) else None


def _declared_default(declared: GraphQLArgument) -> int:
    """The default of the schema: a value where it was built by Python, a literal where it was read from a file."""
    value: object = declared.default_value
    if isinstance(value, int):
        return value
    if declared.default is None:
        return DEFAULT_PAGE
    value = declared.default.value
    literal = _number(declared.default.literal) if isinstance(declared.default.literal, ValueNode) else None
    return value if isinstance(value, int) else literal or DEFAULT_PAGE


def _inner_lists(kind: GraphQLOutputType) -> int:
    depth = 0
    inner: GraphQLType = get_nullable_type(kind)
    while is_list_type(inner):
        depth += 1
        inner = get_nullable_type(inner.of_type)
    return int(ASSUMED_LIST ** max(depth - 1, 0))


def _from_variable(name: str, *, absent: int, null: int) -> Price:
    def price(variables: Variables) -> int:
        value = variables.get(name, absent)
        return value if isinstance(value, int) else null

    return price


def _length_of(name: str) -> Price:
    def price(variables: Variables) -> int:
        value = variables.get(name)
        return len(value) if isinstance(value, list) else 1

    return price


def _plus(prices: Iterable[Price]) -> Price:
    known = 0
    waiting: list[Callable[[Variables], int]] = []
    for price in prices:
        if isinstance(price, int):
            known += price
        else:
            waiting.append(price)
    if not waiting:
        return known
    if len(waiting) == 1:
        (only,) = waiting
        return only if known == 0 else lambda variables: known + only(variables)
    terms = tuple(waiting)
    return lambda variables: known + sum([term(variables) for term in terms])


def _times(one: Price, other: Price) -> Price:
    if isinstance(one, int):
        if isinstance(other, int):
            return one * other
        one, other = other, one
    first, second = one, other
    if isinstance(second, int):
        return first if second == 1 else _scaled(first, second)

    def price(variables: Variables) -> int:
        return first(variables) * second(variables)

    return price


def _scaled(price: Callable[[Variables], int], factor: int) -> Price:
    return lambda variables: factor * price(variables)


def _both(one: Price, other: Price) -> Price:
    return 0 if 0 in (one, other) else _times(one, other)


def _dearest(prices: Iterable[Price]) -> Price:
    known = 0
    waiting: list[Callable[[Variables], int]] = []
    for price in prices:
        if isinstance(price, int):
            known = max(known, price)
        else:
            waiting.append(price)
    if not waiting:
        return known
    choices = tuple(waiting)
    return lambda variables: max(known, *(choice(variables) for choice in choices))
