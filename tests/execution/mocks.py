"""Values and faults for every field of any Strawberry schema, drawn from a seed: the same both ways."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from inspect import isasyncgenfunction, iscoroutinefunction
from random import Random
from typing import Any
from uuid import UUID
from zlib import crc32

import strawberry
from aiodataloader import DataLoader
from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_abstract_type,
    is_object_type,
)
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver
from typing_extensions import override

LEAVES: dict[str, tuple[Any, ...]] = {
    "Int": (0, 1, 41, -5, 2**31 - 1),
    "Float": (0.0, 1.5, -2e300, 3),
    "String": ("", "word", "é😀"),
    "Boolean": (True, False),
    "ID": ("1", "abc", 7),
    "DateTime": (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2020, 2, 29, tzinfo=UTC)),
    "Date": (date(2026, 1, 2),),
    "Time": (time(3, 4, 5),),
    "Decimal": (Decimal("1.50"),),
    "UUID": (UUID(int=1),),
    "JSON": ({"a": [1, None]}, [1, "x"], 3, "text"),
    "Void": (None,),
    "Even": (0, 2, -4),
}
READ = "read_"  # heads the attribute of a field that declares which one its resolver reads
WRAPPED = "wrapped"  # the list that the items of another one wrap
WRONG_LEAVES: tuple[Any, ...] = (2**31, float("nan"), "wrong", b"bytes", [1], {"a": 1}, True, -0.0, 2**62)


class Fault(Exception):
    """What a mocked resolver raises."""


class Soon:
    """A value that must be awaited, though nothing announces it; never complains when nobody does."""

    def __init__(self, value: object, steps: int) -> None:
        self.value = value
        self.steps = steps

    def __await__(self) -> Generator[Any, None, Any]:
        for _ in range(self.steps):
            yield
        if isinstance(self.value, Fault):
            raise self.value
        return self.value


class Stranger:
    """An object of no type of the schema."""

    @override
    def __repr__(self) -> str:
        return "a stranger"


class World:
    """What answers that are found by a key of a field's own are kept in: that of one seed."""

    __slots__ = ("__weakref__",)


@dataclass(eq=False)
class Mocks:
    """The values of one run."""

    schema: strawberry.Schema
    seed: int = 0
    fault_rate: float = 0.0
    soon_rate: float = 0.0
    refusals: tuple[Callable[[], Exception], ...] = ()
    types: dict[type, GraphQLObjectType] = field(default_factory=dict)
    fields: dict[type, dict[str, Any]] = field(default_factory=dict)
    owners: dict[int, tuple[object, str]] = field(default_factory=dict)
    loaders: dict[str, Any] = field(default_factory=dict)
    wrapped: dict[type, Any] = field(default_factory=dict)
    world: World = field(default_factory=World)

    def start(self, seed: int, *, fault_rate: float, soon_rate: float) -> None:
        """Forget the objects of the run before. With the same seed and rates, what was kept of them is still right."""
        if (seed, fault_rate, soon_rate) != self.drawn_from:
            self.world = World()
        self.seed, self.fault_rate, self.soon_rate = seed, fault_rate, soon_rate
        self.owners.clear()
        self.loaders.clear()

    @property
    def drawn_from(self) -> tuple[int, float, float]:
        """All that the values depend on."""
        return self.seed, self.fault_rate, self.soon_rate

    def fragment_key(self, value: object) -> object:
        """Under which a value may be kept serialised: of one in four, not at all."""
        mark = self.mark(value)
        if crc32(mark.encode()) % 4 == 0:
            return None
        return (*self.drawn_from, type(value).__name__, mark)

    def random(self, *about: object) -> Random:
        return Random(crc32(repr(about).encode(), self.seed))

    def mark(self, parent: object) -> str:
        owner = self.owners.get(id(parent))
        return owner[1] if owner else "root"

    # values

    def value(self, type_: Any, draw: Random) -> Any:
        """A value for a place of this type: mostly right."""
        if isinstance(type_, GraphQLNonNull):
            return None if draw.random() < self.fault_rate / 2 else self.present(type_.of_type, draw)
        return None if draw.random() < 0.1 + self.fault_rate / 2 else self.present(type_, draw)

    def present(self, type_: Any, draw: Random) -> Any:
        if draw.random() < self.fault_rate / 2:
            return self.wrong(type_, draw)
        if isinstance(type_, GraphQLList):
            return self.many(type_, draw)
        if isinstance(type_, GraphQLEnumType):
            return self.enum(type_, draw)
        if is_object_type(type_):
            return self.instance(type_, draw)
        if is_abstract_type(type_):
            return self.instance(draw.choice(list(self.core.get_possible_types(type_))), draw)
        return draw.choice(LEAVES.get(type_.name, ("text", 1)))

    def many(self, type_: GraphQLList[Any], draw: Random) -> Any:
        values = [self.listed(type_.of_type, draw) for _ in range(draw.choice((0, 1, 2, 3)))]
        kind = draw.random()
        if kind < 0.8:
            return values
        if kind < 0.9:
            return tuple(values)
        return iter(values) if kind < 0.95 else self.trickle(values, draw)

    def listed(self, type_: Any, draw: Random) -> Any:
        value = Fault(f"item {draw.randrange(9)}") if draw.random() < self.fault_rate / 3 else self.value(type_, draw)
        return Soon(value, draw.randrange(3)) if draw.random() < self.soon_rate / 3 else value

    async def trickle(self, values: list[Any], draw: Random) -> AsyncIterator[Any]:
        broken = draw.random() < self.fault_rate
        for value in values:
            await asyncio.sleep(0)
            yield value
        if broken:
            raise Fault("the stream broke")

    def enum(self, type_: GraphQLEnumType, draw: Random) -> Any:
        definition = type_.extensions.get("strawberry-definition")
        assert definition is not None
        return draw.choice(list(definition.wrapped_cls))

    def instance(self, type_: GraphQLObjectType, draw: Random) -> Any:
        definition = type_.extensions["strawberry-definition"]
        made = object.__new__(definition.origin)
        self.owners[id(made)] = (made, f"{type_.name}{draw.randrange(10**6)}")
        return made

    def wrong(self, type_: Any, draw: Random) -> Any:
        if isinstance(type_, GraphQLEnumType) or not (
            isinstance(type_, GraphQLList) or is_object_type(type_) or is_abstract_type(type_)
        ):
            return draw.choice((*WRONG_LEAVES, Stranger()))
        objects = [one for one in self.types.values() if is_object_type(one)]
        return draw.choice((3, "text", {}, Stranger(), self.instance(draw.choice(objects), draw)))

    # fields

    def resolved(self, about: StrawberryField, type_: Any, parent: object, given: dict[str, Any]) -> Any:
        """What the field's resolver returns for this parent and these arguments."""
        told = repr(sorted((name, repr(value)) for name, value in given.items() if name != "info"))
        draw = self.random(self.mark(parent), about.python_name, told)
        if draw.random() < self.fault_rate / 2:
            raise self.fault(draw)
        value = self.value(type_, draw)
        return f"{value} {told}" if isinstance(value, str) and given else value

    def fault(self, draw: Random) -> Exception:
        if self.refusals and draw.random() < 0.5:
            return draw.choice(self.refusals)()
        return Fault(f"fault {draw.randrange(100)}")

    def attribute(self, parent: object, name: str) -> Any:
        """What a field without a resolver finds on an instance."""
        if name.startswith("__"):
            raise AttributeError(name)
        mark = self.mark(parent)
        draw = self.random(mark, name)
        type_ = self.wrapped.get(type(parent)) if name == WRAPPED else None
        found = self.fields_of(type(parent)).get(name.removeprefix(READ))
        if found is not None:
            type_ = found.type
        if type_ is None:
            return f"{name}{draw.randrange(4)}"
        if draw.random() < self.fault_rate / 2:
            raise Fault(f"attribute {name}")
        value = self.value(type_, draw)
        if draw.random() < self.fault_rate / 3:
            value = Fault(f"returned {draw.randrange(9)}")
        return Soon(value, draw.randrange(3)) if draw.random() < self.soon_rate else value

    def fields_of(self, class_: type) -> dict[str, Any]:
        if class_ not in self.fields:
            type_ = self.types.get(class_)
            self.fields[class_] = {python_name(one): one for one in type_.fields.values()} if type_ else {}
        return self.fields[class_]

    def loader(self, name: str, type_: Any) -> Any:
        """The loader of a batched field, for this run."""
        if name not in self.loaders:
            mocks = self

            async def load(keys: list[Any]) -> list[Any]:
                drawn = []
                for key in keys:
                    draw = mocks.random("loader", name, key)
                    faulty = draw.random() < mocks.fault_rate / 2
                    drawn.append(Fault(f"load {key}") if faulty else again(mocks.value(type_, draw)))
                return drawn

            self.loaders[name] = DataLoader(load)
        return self.loaders[name]

    @property
    def core(self) -> Any:
        return self.schema._schema

    # patching

    def mock(self, found: StrawberryField, type_: Any) -> Callable[..., Any]:
        """A resolver to stand in for the field's own, waiting where that waits."""
        resolver = found.base_resolver
        assert resolver is not None
        own = resolver._unbound_wrapped_func
        if isasyncgenfunction(own):
            return self.mock_stream(found, type_)

        def resolve(*args: Any, **kwargs: Any) -> Any:
            parent = parent_of(resolver, args, kwargs)
            value = self.resolved(found, type_, parent, kwargs)
            draw = self.random("soon", self.mark(parent), found.python_name)
            return Soon(value, draw.randrange(3)) if draw.random() < self.soon_rate else value

        async def resolve_later(*args: Any, **kwargs: Any) -> Any:
            parent = parent_of(resolver, args, kwargs)
            draw = self.random("steps", self.mark(parent), found.python_name)
            for _ in range(draw.choice((0, 0, 1, 2))):
                await asyncio.sleep(0)
            return self.resolved(found, type_, parent, kwargs)

        return resolve_later if iscoroutinefunction(own) else resolve

    def mock_stream(self, found: StrawberryField, type_: Any) -> Callable[..., Any]:
        async def stream(*_args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            draw = self.random("stream", found.python_name)
            for number in range(draw.randrange(4)):
                await asyncio.sleep(0)
                yield self.resolved(found, type_, None, {**kwargs, "number": number})

        return stream

    def mock_reading(self, found: StrawberryField) -> Callable[..., Any]:
        """Of a field that declares which attribute its resolver reads."""
        return lambda parent: getattr(parent, f"{READ}{found.python_name}")

    def mock_wrapping(self, found: StrawberryField, type_: Any, field: str) -> Callable[..., Any]:
        """Of a field that declares which list its items wrap: each in an object that has it as this field."""
        leaf = get_named_type(type_)
        assert isinstance(leaf, GraphQLObjectType)

        def resolve(parent: Any) -> Any:
            items = getattr(parent, WRAPPED)
            if items.__class__ is not list:
                return self.resolved(found, type_, parent, {})
            made = []
            for place, item in enumerate(items):
                made.append(self.instance(leaf, self.random(self.mark(parent), place)))
                setattr(made[-1], field, item)
            return made

        return resolve

    def mock_batched(self, found: StrawberryField, type_: Any, key: str) -> Callable[..., Any]:
        async def resolve(*args: Any, **kwargs: Any) -> Any:
            parent = args[0] if args else next(value for name, value in kwargs.items() if name != "info")
            # Shielded: a sibling's failure cancels this task, and the loader's future may be another parent's too.
            return await asyncio.shield(self.loader(found.python_name, type_).load(getattr(parent, key)))

        return resolve

    def mock_kept(self, found: StrawberryField, type_: Any) -> Callable[..., Any]:
        """As a field must be whose answers are found by its key: that tells its value, whoever the parent is."""
        resolver = found.base_resolver
        assert resolver is not None

        def resolve(*args: Any, **kwargs: Any) -> Any:
            draw = self.random("kept", found.python_name, parent_of(resolver, args, kwargs).kept_key)
            if draw.random() < self.fault_rate / 2:
                raise self.fault(draw)
            return again(self.value(type_, draw))

        async def resolve_later(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            return resolve(*args, **kwargs)

        return resolve_later if iscoroutinefunction(resolver._unbound_wrapped_func) else resolve


def parent_of(resolver: StrawberryResolver[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The parent, however the resolver asks for it."""
    for parameter in (resolver.parent_parameter, resolver.root_parameter):
        if parameter:
            return kwargs.pop(parameter.name)
    return args[0] if args else None


def again(value: Any) -> Any:
    """The value, if it can be read twice: what a loader remembers goes to several parents."""
    if hasattr(value, "__next__"):
        return list(value)
    return [] if hasattr(value, "__anext__") else value


def python_name(definition: Any) -> str:
    return str(definition.extensions["strawberry-definition"].python_name)
