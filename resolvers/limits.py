"""What one operation may ask for, decided before anything of it runs.

`parse_within` holds the text to its size, tokens and shape; `resolvers.cost.measure` prices the validated operation.
Shape and prices without variables are worked out once per document; a request pays for its variables alone.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from graphql import GraphQLSyntaxError, parse
from graphql.language.ast import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from domain.shared.errors import BadUserInput, Forbidden, QueryTooComplex
from domain.shared.references import is_storable

MAX_PAGE_SIZE = 100
# A name may be answered again in each fragment that a page is made of; merging them is quadratic, so it ends somewhere.
# (100 equal objects of seven levels took validation a second.)
MAX_REPEATS = 100
MAX_REPEATED_OBJECTS = 25
_INTROSPECTION = frozenset({"__schema", "__type"})
# An escape for it, which no backslash before it makes a plain text of.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u(?:0000|\{0+\})")
_TOO_LONG = ("tokens. Parsing aborted", "nested too deeply", "comments. Parsing aborted")


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one operation may have of each; sizes in bytes of UTF-8."""

    document_bytes: int = 32_768
    tokens: int = 2_000
    fields: int = 1_000
    depth: int = 16
    aliases: int = 50
    root_fields: int = 20
    directives: int = 50
    cost: int = 20_000
    variables_bytes: int = 393_216  # as much as 10,000 ids of a batch of coupons, and half as much again
    variables_depth: int = 12
    introspection: bool = False


class LimitExceeded(QueryTooComplex):
    """One of the limits was passed: which, by how much."""

    def __init__(self, what: str, *, requested: int, limit: int) -> None:
        super().__init__(f"The operation is too complex: {what} {requested}, at most {limit}")
        self.what = what
        self.requested = requested
        self.limit = limit


class PageSizeRefused(BadUserInput):
    """A page size out of 1 to `MAX_PAGE_SIZE`."""

    def __init__(self, argument: str, *, given: int) -> None:
        super().__init__(
            f"{argument} must be between 1 and {MAX_PAGE_SIZE}, not {given}", path=(argument.rsplit(".", 1)[-1],)
        )
        self.argument = argument


def parse_within(text: str, *, limits: Limits) -> DocumentNode:
    """The document of a text, if its size, its tokens and each operation's shape are within the limits.

    The shape is judged before validation, whose own work grows faster than the document.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limits.document_bytes:
        raise LimitExceeded("document bytes", requested=size, limit=limits.document_bytes)
    try:
        document = parse(text, no_location=False, max_lexical_tokens=limits.tokens, max_comments=limits.tokens)
    except GraphQLSyntaxError as refused:
        if any(sign in refused.message for sign in _TOO_LONG):
            message = f"The document is too long or too deep: at most {limits.tokens} tokens"
            raise QueryTooComplex(message) from refused
        raise
    _hold_to_shape(document, limits=limits)
    return document


def hold_variables(
    variables: Mapping[str, object], *, body_bytes: int, size_of: Callable[[Mapping[str, object]], int], limits: Limits
) -> None:
    """Refuses variables that are too large or too deep, or hold a text that nobody could store.

    `body_bytes` bounds their size, and mostly settles it.
    """
    if not variables:
        return
    if body_bytes > limits.variables_bytes:
        size = size_of(variables)
        if size > limits.variables_bytes:
            raise LimitExceeded("bytes of variables", requested=size, limit=limits.variables_bytes)
    depth = _depth_of(variables.values(), 1)
    if depth > limits.variables_depth:
        raise LimitExceeded("depth of variables", requested=depth, limit=limits.variables_depth)
    if (path := path_to_unstorable(variables)) is not None:
        named = path or ("variables",)
        raise BadUserInput(f"{'.'.join(named)} holds the character NUL or half of a surrogate pair", path=named)


def hold_text(document: str) -> None:
    """Refuses a document with the character NUL, written out or escaped: no text may hold it."""
    if "\x00" in document or ("\\u" in document and _NUL.search(document)):
        raise BadUserInput("The document holds the character NUL", path=("query",))


def path_to_unstorable(value: object) -> tuple[str, ...] | None:
    """The path to the first text that neither PostgreSQL nor UTF-8 can hold, a name or a value; None: there is none."""
    if isinstance(value, str):
        return None if is_storable(value) else ()
    entries: Iterable[tuple[object, object]] = ()
    if isinstance(value, Mapping):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    for name, one in entries:
        if isinstance(name, str) and not is_storable(name):
            return ()
        if one.__class__ is not str or not is_storable(one):
            below = path_to_unstorable(one)
            if below is not None:
                return (str(name), *below)
    return None


def _depth_of(values: Iterable[object], depth: int) -> int:
    deepest = depth
    for value in values:
        if isinstance(value, dict):
            deepest = max(deepest, _depth_of(value.values(), depth + 1))
        elif isinstance(value, list):
            deepest = max(deepest, _depth_of(value, depth + 1))
    return deepest


def _hold_to_shape(document: DocumentNode, *, limits: Limits) -> None:
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    try:
        for definition in document.definitions:
            if isinstance(definition, OperationDefinitionNode):
                shape = _Shape(fragments=fragments, limits=limits)
                shape.add(directives=len(definition.directives or ()))
                shape.walk(definition.selection_set, depth=1, place=_Place())
            elif isinstance(definition, FragmentDefinitionNode):
                # An unused fragment is refused by validation, which then has to be able to read it.
                _Shape(fragments={}, limits=limits).walk(definition.selection_set, depth=1, place=_Place())
    except RecursionError:
        raise LimitExceeded("depth", requested=limits.depth + 1, limit=limits.depth) from None


@dataclass(slots=True)
class _Place:
    """One object of the answer: how often each name is asked for, and the objects below it."""

    names: Counter[str] = field(default_factory=Counter)
    below: dict[str, "_Place"] = field(default_factory=dict)


@dataclass(slots=True)
class _Shape:
    """Counts one operation as it would be run: a fragment counts at each of its uses."""

    fragments: Mapping[str, FragmentDefinitionNode]
    limits: Limits
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    root_fields: int = 0
    within: set[str] = field(default_factory=set)

    def walk(self, selections: SelectionSetNode, *, depth: int, place: "_Place") -> None:
        """Adds a selection set to what is answered at its place, in all its fragments and repetitions."""
        if depth > self.limits.depth:
            raise LimitExceeded("depth", requested=depth, limit=self.limits.depth)
        for selection in selections.selections:
            self.add(directives=len(selection.directives or ()))
            if isinstance(selection, FieldNode):
                self.add_field(selection, depth=depth, place=place)
            else:
                self.walk_fragment(selection, depth=depth, place=place)

    def walk_fragment(self, spread: SelectionNode, *, depth: int, place: "_Place") -> None:
        """Adds a fragment where it is spread; one that spreads itself is left to validation."""
        if isinstance(spread, InlineFragmentNode):
            self.walk(spread.selection_set, depth=depth, place=place)
        elif isinstance(spread, FragmentSpreadNode):
            name = spread.name.value
            fragment = self.fragments.get(name)
            if fragment is not None and name not in self.within:
                self.within.add(name)
                self.walk(fragment.selection_set, depth=depth, place=place)
                self.within.discard(name)

    def add_field(self, node: FieldNode, *, depth: int, place: "_Place") -> None:
        """Adds a field and what is below it."""
        name = node.name.value
        if name in _INTROSPECTION and not self.limits.introspection:
            raise Forbidden("Introspection is off: the schema is published as a file")
        answered = name if node.alias is None else node.alias.value
        place.names[answered] += 1
        most = MAX_REPEATS if node.selection_set is None else MAX_REPEATED_OBJECTS
        if place.names[answered] > most:
            raise LimitExceeded(f"repeats of {answered}", requested=place.names[answered], limit=most)
        if node.alias is not None:
            self.aliases += 1
            if self.aliases > self.limits.aliases:
                raise LimitExceeded("aliases", requested=self.aliases, limit=self.limits.aliases)
        if depth == 1:
            self.root_fields += 1
            if self.root_fields > self.limits.root_fields:
                raise LimitExceeded("root fields", requested=self.root_fields, limit=self.limits.root_fields)
        if node.selection_set is not None:
            self.walk(node.selection_set, depth=depth + 1, place=place.below.setdefault(answered, _Place()))

    def add(self, *, directives: int) -> None:
        """Counts one selection and its directives."""
        self.fields += 1
        self.directives += directives
        if self.fields > self.limits.fields:
            raise LimitExceeded("fields", requested=self.fields, limit=self.limits.fields)
        if self.directives > self.limits.directives:
            raise LimitExceeded("directives", requested=self.directives, limit=self.limits.directives)
