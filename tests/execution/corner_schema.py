"""A schema with every corner of the type system that Strawberry can express; mocks stand in for its resolvers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, NewType, TypeVar
from uuid import UUID

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig
from typing_extensions import override


@strawberry.enum
class Colour(Enum):
    RED = "red"
    GREEN = "green"
    CRIMSON = "red"  # noqa: PIE796  (an alias, as Python has it)


@strawberry.enum
class Level(IntEnum):
    LOW = 1
    HIGH = strawberry.enum_value(2, name="TOP")


Even = NewType("Even", int)
F = TypeVar("F")
ONE = strawberry.ID("1")
BATCHED = {"batch": ("key", lambda context: context)}  # the mocks put their own loader here


def field_with(**options: Any) -> Callable[[F], F]:
    """strawberry.field with options, typed as the decorator that it is."""
    decorator: Callable[[F], F] = strawberry.field(**options)
    return decorator


def parse_even(value: Any) -> int:
    if not isinstance(value, int) or value % 2:
        raise ValueError(f"{value!r} is not even")
    return value


def serialise_even(value: Any) -> int | None:
    if value == "wrong":
        return None
    return int(value)


class Refusal(Exception):
    """An expected refusal, which a handler turns into a member of the union."""


class Declined(Refusal):
    """A refusal that its handler leaves alone."""


@strawberry.interface
class Named:
    name: str

    @strawberry.field
    async def slow_name(self, suffix: str = "!") -> str:
        return self.name + suffix


@strawberry.interface
class Node:
    id: strawberry.ID

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, cls)


@strawberry.type
class Problem:
    message: str


@strawberry.type
class Leaf(Named):
    colour: Colour | None
    level: Level
    even: Even | None
    when: datetime
    on: date | None
    amount: Decimal
    key: UUID
    anything: JSON | None
    flags: list[bool] | None
    grid: list[list[int | None] | None] | None


@strawberry.type
class Twig:
    """Wraps a leaf, as an edge does."""

    leaf: Leaf | None
    length: int


@strawberry.type
class Branch(Named, Node):
    leaf: Leaf
    maybe_leaf: Leaf | None
    leaves: list[Leaf]
    maybe_leaves: list[Leaf | None] | None
    other: "Branch | None"
    rate: float
    count: int | None

    @strawberry.field
    def sync_leaf(self, number: int = 1, colours: list[Colour] | None = None) -> Leaf | None:
        raise NotImplementedError

    @strawberry.field
    async def slow_branch(self, info: strawberry.Info, required: int, even: Even | None = None) -> "Branch":
        raise NotImplementedError

    @strawberry.field
    async def slow_leaves(self) -> list[Leaf]:
        raise NotImplementedError

    @field_with(metadata={"reads": "leaf"})
    def read_leaf(self) -> Leaf | None:
        raise NotImplementedError

    @field_with(metadata={"reads": "rate"})
    def read_rate(self) -> float:
        raise NotImplementedError

    @field_with(metadata={"wraps": ("leaves", "leaf")})
    def twigs(self) -> list["Twig"]:
        raise NotImplementedError

    @field_with(metadata={"wraps": ("leaves", "leaf")})
    def maybe_twigs(self) -> list["Twig | None"] | None:
        raise NotImplementedError

    @field_with(metadata=BATCHED)
    async def batched(self) -> "Leaf":
        raise NotImplementedError

    @field_with(metadata=BATCHED)
    async def batched_branch(self, info: strawberry.Info) -> "Grove | None":
        raise NotImplementedError


@strawberry.type
class Grove:
    """Only plain and batched fields: a region of its own."""

    title: str
    trees: list["Tree"]
    maybe_trees: list["Tree | None"] | None

    @field_with(metadata=BATCHED)
    async def keeper(self) -> "Tree | None":
        raise NotImplementedError


@strawberry.type
class Tree:
    height: int
    note: str | None

    @field_with(metadata=BATCHED)
    async def grove(self) -> Grove:
        raise NotImplementedError

    @field_with(metadata=BATCHED)
    async def neighbours(self) -> list["Tree"]:
        raise NotImplementedError


T = TypeVar("T")


@strawberry.type
class Page(Generic[T]):
    items: list[T]
    total: int


@strawberry.type
class Alone:
    word: str | None


Thing = Annotated[Leaf | Branch | Alone, strawberry.union("Thing")]
Outcome = Annotated[Branch | Problem, strawberry.union("Outcome")]


@strawberry.input
class Point:
    x: int
    y: int | None = 3


@strawberry.input
class Shape:
    points: list[Point]
    colour: Colour = Colour.GREEN
    corner: Point | None = strawberry.UNSET
    tags: list[str] | None = strawberry.field(default_factory=lambda: ["a"])
    level: strawberry.Maybe[int]
    nested: "Shape | None" = None


@strawberry.input(one_of=True)
class Choice:
    by_name: str | None = strawberry.UNSET
    by_point: Point | None = strawberry.UNSET


@strawberry.input
class Simple:
    id: strawberry.ID
    count: int = 1
    point: Point | None = None
    evens: list[Even] | None = None


class Louder(FieldExtension):
    @override
    def resolve(self, next_: Any, source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        value = next_(source, info, **kwargs)
        return value.upper() if isinstance(value, str) else value

    @override
    async def resolve_async(self, next_: Any, source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        value = await next_(source, info, **kwargs)
        return value.upper() if isinstance(value, str) else value


class Slower(FieldExtension):
    @override
    async def resolve_async(self, next_: Any, source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return await next_(source, info, **kwargs)


class Sometimes(BasePermission):
    message = "not today"

    @override
    def has_permission(self, source: Any, info: strawberry.Info, **kwargs: Any) -> bool:
        return bool(info.context != "closed")


class Refused(strawberry.ExceptionHandler[Refusal, Problem]):
    @override
    async def handle(self, exception: Refusal, *, field: Any, info: strawberry.Info) -> Problem | None:  # type: ignore[override]
        if isinstance(exception, Declined):
            return None
        return Problem(message=f"{exception} at {info.path.key}")


@strawberry.type
class Query:
    plain: str | None = "plain"

    @strawberry.field
    def branch(self, id: strawberry.ID = ONE) -> Branch:  # noqa: A002
        raise NotImplementedError

    @strawberry.field
    async def branches(self, first: int = 20, after: str | None = None) -> list[Branch]:
        raise NotImplementedError

    @strawberry.field
    def maybe_branches(self, ids: list[strawberry.ID] | None = None) -> list[Branch | None] | None:
        raise NotImplementedError

    @strawberry.field
    def named(self) -> list[Named | None]:
        raise NotImplementedError

    @strawberry.field
    async def node(self, id: strawberry.ID) -> Node | None:  # noqa: A002
        raise NotImplementedError

    @strawberry.field
    def things(self) -> list[Thing]:
        raise NotImplementedError

    @strawberry.field
    async def thing(self) -> Thing | None:
        raise NotImplementedError

    @strawberry.field
    def page(self) -> Page[Leaf]:
        raise NotImplementedError

    @strawberry.field
    async def alone_page(self) -> Page[Alone] | None:
        raise NotImplementedError

    @strawberry.field
    def grove(self) -> Grove | None:
        raise NotImplementedError

    @strawberry.field
    async def groves(self) -> list[Grove]:
        raise NotImplementedError

    @strawberry.field
    def draw(self, shape: Shape, choice: Choice | None = None) -> str:
        raise NotImplementedError

    @strawberry.field
    async def simple(self, simple: Simple, more: list[Simple] | None = None) -> str | None:
        raise NotImplementedError

    @field_with(extensions=[Louder()])
    def loud(self, word: str = "a") -> str | None:
        raise NotImplementedError

    @field_with(extensions=[Louder()])
    async def loud_later(self, level: Level = Level.LOW) -> str:
        raise NotImplementedError

    @field_with(extensions=[Slower()])
    def slowed(self) -> int | None:
        raise NotImplementedError

    @field_with(permission_classes=[Sometimes])
    async def guarded(self) -> str | None:
        raise NotImplementedError

    @strawberry.field
    def outcome(self) -> Outcome:
        raise NotImplementedError

    @strawberry.field
    async def slow_outcome(self, id: strawberry.ID, count: int = 1) -> Outcome | None:  # noqa: A002
        raise NotImplementedError

    @field_with(name="renamed")
    def not_this(self, odd_name: int = 0) -> Even:
        raise NotImplementedError

    @strawberry.field
    @staticmethod
    def static(info: strawberry.Info, even: Even = Even(2)) -> int | None:
        raise NotImplementedError

    @strawberry.field
    def by_parent(self, parent: strawberry.Parent[object]) -> str | None:
        raise NotImplementedError


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def change(self, simple: Simple) -> Outcome:
        raise NotImplementedError

    @strawberry.mutation
    def set(self, value: int = 1) -> Branch | None:
        raise NotImplementedError

    @strawberry.mutation
    async def plant(self, title: str) -> Grove:
        raise NotImplementedError


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def branches(self, first: int = 2) -> AsyncIterator[Branch]:
        events: list[Any] = []
        for event in events:
            yield event
        raise NotImplementedError

    @strawberry.subscription
    async def groves(self) -> AsyncIterator[Grove | None]:
        events: list[Any] = []
        for event in events:
            yield event
        raise NotImplementedError


def corner_schema() -> strawberry.Schema:
    return strawberry.Schema(
        Query,
        Mutation,
        Subscription,
        exception_handlers=[Refused()],
        config=StrawberryConfig(
            scalar_map={Even: strawberry.scalar(name="Even", serialize=serialise_even, parse_value=parse_even)}
        ),
    )
