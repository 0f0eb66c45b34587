"""Writes documents for any schema: nested, aliased, merged, with fragments, conditions and variables, mostly valid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
    print_ast,
)
from graphql.utilities import ast_from_value

SCALARS: Mapping[str, Sequence[object]] = {
    "Int": (0, 1, 2, -7, 2147483647),
    "Float": (0.5, 3, -1.25e10),
    "String": ("", "a", "é😀", "x" * 40),
    "Boolean": (True, False),
    "ID": ("1", "a-b", "c0ffee"),
    "DateTime": ("2026-01-02T03:04:05+00:00",),
    "Date": ("2026-01-02",),
    "Time": ("03:04:05",),
    "Decimal": ("1.50",),
    "UUID": ("00000000-0000-0000-0000-000000000001",),
    "JSON": (1, "a", [1, 2], {"a": [None]}),
}
WRONG: Sequence[object] = ("wrong", 1.5, 2**40, True, [], [None], {}, {"unknown": 1}, [["deep"]])


@dataclass(slots=True)
class Written:
    """A document and what its variables are."""

    text: str
    variables: dict[str, Any]
    operation_type: str


@dataclass(slots=True)
class DocumentWriter:
    """Draws one document."""

    random: Random
    schema: GraphQLSchema
    scalars: Mapping[str, Sequence[object]] = field(default_factory=lambda: SCALARS)
    most_fields: int = 40
    variables: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)
    fragments: dict[str, tuple[Any, str]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    drawn: int = 0

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def write(self) -> Written:
        roots = {
            "query": self.schema.query_type,
            "mutation": self.schema.mutation_type,
            "subscription": self.schema.subscription_type,
        }
        kinds = [kind for kind in ("query", "query", "query", "mutation", "subscription") if roots[kind]]
        kind = self.random.choice(kinds)
        root = roots[kind]
        assert root is not None
        if kind == "subscription":
            body = "{ " + self.field(root, self.random.choice(list(root.fields)), 0) + " }"
        else:
            body = self.selections(root, 0)
        declared = [
            f"${name}: {type_}{f' = {self.defaults[name]}' if name in self.defaults else ''}"
            for name, type_ in self.variables.items()
        ]
        head = f"{kind} Drawn" + (f"({', '.join(declared)})" if declared else "")
        fragments = [f"fragment {name} on {type_.name} {text}" for name, (type_, text) in self.fragments.items()]
        return Written("\n".join([f"{head} {body}", *fragments]), dict(self.variables), kind)

    def selections(self, type_: Any, depth: int) -> str:
        parts = [self.selection(type_, depth) for _ in range(self.random.choice((1, 2, 2, 3, 4)))]
        return "{ " + " ".join(parts) + " }"

    def selection(self, type_: Any, depth: int) -> str:
        fields = list(type_.fields) if hasattr(type_, "fields") else []
        draw = self.random.random()
        if not fields or draw < 0.08:
            if fields or depth > 5 or self.chance(0.3):
                return f"{self.alias('__typename')}__typename{self.conditions()}"
            return self.inline(type_, depth)
        if draw < 0.2 and depth < 6:
            return self.inline(type_, depth)
        if draw < 0.3 and depth < 6:
            return self.spread(type_, depth)
        if depth > 3 or self.drawn > self.most_fields:
            leaves = [name for name in fields if is_leaf_type(get_named_type(type_.fields[name].type))]
            if not leaves:
                return "__typename"
            fields = leaves
        return self.field(type_, self.random.choice(fields), depth)

    def inline(self, type_: Any, depth: int) -> str:
        if self.chance(0.25):
            return f"...{self.conditions()} {self.selections(type_, depth + 1)}"
        narrower = self.random.choice(self.overlapping(type_))
        return f"... on {narrower.name}{self.conditions()} {self.selections(narrower, depth + 1)}"

    def spread(self, type_: Any, depth: int) -> str:
        options = self.overlapping(type_)
        known = [name for name, (on, _) in self.fragments.items() if on in options]
        if known and self.chance(0.5):
            return f"...{self.random.choice(known)}{self.conditions()}"
        on = self.random.choice(options)
        text = self.selections(on, depth + 1)
        name = f"Part{len(self.fragments)}"
        self.fragments[name] = (on, text)
        return f"...{name}{self.conditions()}"

    def overlapping(self, type_: Any) -> list[Any]:
        mine = set(self.schema.get_possible_types(type_)) if is_abstract_type(type_) else {type_}
        found = [type_]
        for other in self.schema.type_map.values():
            if other.name.startswith("__") or other is type_:
                continue
            possible = set(self.schema.get_possible_types(other)) if is_abstract_type(other) else {other}
            if possible & mine:
                found.append(other)
        return found

    def field(self, type_: GraphQLObjectType, name: str, depth: int) -> str:
        self.drawn += 1
        definition: GraphQLField = type_.fields[name]
        arguments = self.arguments(definition)
        alias = self.alias_for(f"{type_.name}.{name}", name, arguments, definition)
        named = get_named_type(definition.type)
        below = "" if is_leaf_type(named) else f" {self.selections(named, depth + 1)}"
        return f"{alias}{name}{arguments}{self.conditions() if depth else ''}{below}"

    def alias(self, name: str) -> str:
        return f"as_{name.strip('_')}_{self.random.choice('ab')}: " if self.chance(0.2) else ""

    def alias_for(self, full: str, name: str, arguments: str, definition: GraphQLField) -> str:
        """No alias for the first way a name is asked for in the document, one alias for each other way."""
        way = f"{arguments}:{definition.type}"
        if self.asked.setdefault(name, way) == way and not self.chance(0.15):
            return ""
        return self.aliases.setdefault(f"{name}{way}", f"{name}_{len(self.aliases)}") + ": "

    def conditions(self) -> str:
        if not self.chance(0.12):
            return ""
        text = ""
        for name in self.random.choice((("skip",), ("include",), ("skip", "include"))):
            value = self.random.choice(("true", "false", "$yes", "$no", "$maybe"))
            if value.startswith("$"):
                self.variables[value[1:]] = "Boolean" if value == "$maybe" else "Boolean!"
                if value == "$maybe":
                    self.defaults["maybe"] = "true"
            text += f" @{name}(if: {value})"
        return text

    def arguments(self, definition: GraphQLField) -> str:
        given = []
        for name, argument in definition.args.items():
            if is_required_argument(argument) or self.chance(0.5):
                given.append(f"{name}: {self.argument(argument)}")
        return f"({', '.join(given)})" if given else ""

    def argument(self, argument: GraphQLArgument) -> str:
        return self.variable(argument) if self.chance(0.5) else self.literal(argument.type)

    def variable(self, argument: Any) -> str:
        type_ = str(argument.type)
        optional = type_.endswith("!") and argument.default_value is not Undefined
        if optional and self.chance(0.5):
            type_ = type_[:-1]
        elif not type_.endswith("!") and self.chance(0.2):
            type_ += "!"
        default = None
        if self.chance(0.25):
            default = self.literal(argument.type, constant=True)
        name = f"v{len(self.variables)}"
        for known, known_type in self.variables.items():
            if known_type == type_ and known not in {"yes", "no", "maybe"} and self.chance(0.3):
                return f"${known}"
        self.variables[name] = type_
        if default is not None and not (type_.endswith("!") and default == "null"):
            self.defaults[name] = default
        return f"${name}"

    def literal(self, type_: Any, *, constant: bool = False) -> str:
        if isinstance(type_, GraphQLNonNull):
            return self.literal_of(type_.of_type, constant=constant)
        return "null" if self.chance(0.08) else self.literal_of(type_, constant=constant)

    def literal_of(self, type_: Any, *, constant: bool) -> str:
        if isinstance(type_, GraphQLList):
            if self.chance(0.15):
                inner = type_.of_type
                return self.literal_of(
                    getattr(inner, "of_type", inner) if str(inner).endswith("!") else inner, constant=constant
                )
            items = [self.literal(type_.of_type, constant=constant) for _ in range(self.random.randrange(3))]
            return f"[{', '.join(items)}]"
        if isinstance(type_, GraphQLInputObjectType):
            return self.literal_object(type_, constant=constant)
        if isinstance(type_, GraphQLEnumType):
            return str(self.random.choice(list(type_.values)))
        return json_literal(self.random.choice(self.scalars.get(type_.name, ("x",))))

    def literal_object(self, type_: GraphQLInputObjectType, *, constant: bool) -> str:
        names = self.chosen_fields(type_)
        parts = []
        for name in names:
            one = type_.fields[name]
            by_variable = not constant and self.chance(0.25)
            parts.append(f"{name}: {self.variable(one) if by_variable else self.literal(one.type, constant=constant)}")
        return "{" + ", ".join(parts) + "}"

    def chosen_fields(self, type_: GraphQLInputObjectType) -> list[str]:
        definition = type_.extensions.get("strawberry-definition")
        if getattr(definition, "is_one_of", False):
            return [self.random.choice(list(type_.fields))]
        return [name for name, one in type_.fields.items() if is_required_input_field(one) or self.chance(0.5)]


def json_literal(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {json_literal(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(json_literal(one) for one in value) + "]"
    if value is None:
        return "null"
    from graphql import GraphQLBoolean, GraphQLFloat, GraphQLInt, GraphQLString

    by_class = {bool: GraphQLBoolean, int: GraphQLInt, float: GraphQLFloat, str: GraphQLString}
    node = ast_from_value(value, by_class[type(value)])
    assert node is not None
    return print_ast(node)


@dataclass(slots=True)
class VariableDrawer:
    """Draws values for a document's variables: mostly right, sometimes missing, null or wrong."""

    random: Random
    schema: GraphQLSchema
    scalars: Mapping[str, Sequence[object]] = field(default_factory=lambda: SCALARS)
    wrong: float = 0.04

    def draw(self, written: Written) -> dict[str, Any]:
        from graphql import parse_type, type_from_ast

        drawn = {}
        for name, text in written.variables.items():
            type_: Any = type_from_ast(self.schema, parse_type(text))
            if not text.endswith("!") and self.random.random() < 0.25:
                continue
            if self.random.random() < self.wrong / 2:
                continue
            drawn[name] = self.value(type_)
        return drawn

    def value(self, type_: Any) -> Any:
        draw = self.random.random()
        if draw < self.wrong:
            return self.random.choice((None, *WRONG))
        if isinstance(type_, GraphQLNonNull):
            return self.plain(type_.of_type)
        return None if draw < self.wrong + 0.1 else self.plain(type_)

    def plain(self, type_: Any) -> Any:
        if isinstance(type_, GraphQLList):
            return [self.value(type_.of_type) for _ in range(self.random.randrange(3))]
        if isinstance(type_, GraphQLInputObjectType):
            return self.input_object(type_)
        if isinstance(type_, GraphQLEnumType):
            return self.random.choice(list(type_.values))
        return self.random.choice(self.scalars.get(type_.name, ("x",)))

    def input_object(self, type_: GraphQLInputObjectType) -> dict[str, Any]:
        definition = type_.extensions.get("strawberry-definition")
        if getattr(definition, "is_one_of", False):
            name = self.random.choice(list(type_.fields))
            return {name: self.value(type_.fields[name].type)}
        return {
            name: self.value(one.type)
            for name, one in type_.fields.items()
            if is_required_input_field(one) or self.random.random() < 0.5
        }
