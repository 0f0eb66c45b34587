"""An operation compiled to Python, and run."""

import logging
from asyncio import Future
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import strawberry
from graphql import DocumentNode, ExecutionResult, GraphQLError, OperationDefinitionNode, OperationType
from graphql.execution.async_iterables import aclosing as closing
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from execution.access import Accesses
from execution.reference import Request, as_graphql_error, core_schema
from execution.shared import Shelf
from execution.state import Coroutine, Operation, State
from execution.tree import Selection, TreeBuilder, UnsupportedError, conditions_of, fragments_of
from execution.variables import VariableCoercer
from execution.waves import Wave
from execution.writer import Writer

LOGGER: Final = logging.getLogger(__name__)
MOST_VARIANTS: Final = 16
COMPILER_FAILURE: Final = "compiler failure"


@dataclass(frozen=True, slots=True)
class Variant:
    """The operation compiled for one set of conditions (the values that @skip and @include depend on)."""

    run: Callable[[Any, None, State], Any]
    in_region: bool
    loads_in_batches: bool
    source: str


@dataclass(slots=True)
class CompiledOperation:
    """One operation, compiled for each set of conditions when it is first met."""

    operation: Operation
    conditions: tuple[str, ...]
    _compile: Callable[[Mapping[str, bool]], Variant]
    _variants: dict[tuple[Any, ...], Variant] = field(default_factory=dict)
    generated: int = 0  # characters of code, of all variants

    def coerce(self, given: Mapping[str, object]) -> dict[str, Any] | list[GraphQLError]:
        """The request's variables, or the errors that refuse it."""
        return self.operation.coercer(given)

    def variant(self, variables: Mapping[str, Any]) -> Variant:
        """The code for a request with these variables.

        Refusals: UnsupportedError.
        """
        key = tuple([variables.get(name) for name in self.conditions]) if self.conditions else ()
        found = self._variants.get(key)
        if found is None:
            values = {name: value for name, value in zip(self.conditions, key, strict=True) if isinstance(value, bool)}
            if len(values) < len(key):
                raise UnsupportedError("condition without a value")
            if len(self._variants) >= MOST_VARIANTS:
                raise UnsupportedError("too many conditions")
            found = self._variants[key] = self._compile(values)
            self.generated += len(found.source)
        return found

    @property
    def loads_in_batches(self) -> bool:
        """Whether any field is loaded together with those of the other parents on its level."""
        return any(variant.loads_in_batches for variant in self._variants.values())

    def explain(self) -> str:
        """The generated code, for each set of conditions that was met so far."""
        parts = []
        for key, variant in self._variants.items():
            told = ", ".join(f"${name} = {value}" for name, value in zip(self.conditions, key, strict=True))
            parts.append((f"# where {told}\n" if told else "") + variant.source)
        return "\n\n".join(parts) or f"# compiled when the values of {', '.join(self.conditions)} are first met"

    async def run(self, variant: Variant, variables: dict[str, Any], request: Request) -> ExecutionResult:
        """Execute the operation once."""
        state = State(
            self.operation,
            given=request.variables,
            variables=variables,
            context=request.context,
            root=request.root,
        )
        try:
            if variant.in_region:
                wave = Wave.within(state, base=None, is_alone=True)
                data = variant.run(state.root, None, wave)
                if wave.unfinished or data.__class__ is Coroutine:
                    data = await wave.finish(data)
            else:
                data = variant.run(state.root, None, state)
                if data.__class__ is Coroutine:
                    data = await data
        except GraphQLError as error:
            state.add(error, None)
            data = None
        except Exception as error:  # noqa: BLE001  (what escapes is reported, as Strawberry does)
            return ExecutionResult(None, [as_graphql_error(error)])
        return ExecutionResult(data, state.errors or None)

    async def answers(
        self, variant: Variant, variables: dict[str, Any], events: AsyncIterable[object], request: Request
    ) -> AsyncGenerator[ExecutionResult, None]:
        """Execute the operation for each event of a subscription; the events are closed with the answers."""
        async with closing(aiter(events)) as source:
            async for event in source:
                yield await self.run(variant, variables, replace(request, root=event))


@contextmanager
def only_unsupported() -> Iterator[None]:
    """Whatever goes wrong while compiling, the operation can still be run by graphql-core; a bug here is logged."""
    try:
        yield
    except UnsupportedError:
        raise
    except RecursionError:
        raise UnsupportedError("too deep") from None
    except Exception as error:
        LOGGER.exception("an operation could not be compiled")
        raise UnsupportedError(COMPILER_FAILURE) from error


class Compiler:
    """Compiles the operations of one schema."""

    def __init__(self, schema: strawberry.Schema, *, shelf: Shelf | None = None) -> None:
        self._shelf = shelf
        self._core = core_schema(schema)
        self._accesses = Accesses(schema)
        self._info_class = schema.config.info_class
        self._background: set[Future[Any]] = set()
        self._refusal = _unknown_execution(schema)

    def compile(self, document: DocumentNode, operation: OperationDefinitionNode, *, label: str) -> CompiledOperation:
        """Make an operation ready to be compiled variant by variant; without conditions, its only one at once.

        Refusals: UnsupportedError.
        """
        if self._refusal:
            raise UnsupportedError(self._refusal)
        with only_unsupported():
            conditions = conditions_of(document, operation)
            coercer = VariableCoercer(self._core, operation)
        shared = Operation(
            schema=self._core,
            node=operation,
            fragments=fragments_of(document),
            coercer=coercer,
            info_class=self._info_class,
            background=self._background,
        )

        def compile_variant(values: Mapping[str, bool]) -> Variant:
            with only_unsupported():
                root = TreeBuilder(
                    self._core, document, operation, accesses=self._accesses, coercer=coercer, conditions=values
                ).build()
                return self._write(root, operation.operation, label)

        compiled = CompiledOperation(shared, conditions, compile_variant)
        if not conditions:
            compiled.variant({})
        return compiled

    def _write(self, root: Selection, operation_type: OperationType, label: str) -> Variant:
        serially = operation_type is OperationType.MUTATION
        waits, batched = root.nature()
        in_region = batched and not waits and not serially
        writer = Writer(self._accesses.converters, shelf=self._shelf)
        name = writer.write(root, serially=serially, in_region=in_region)
        source = writer.load(label)
        return Variant(writer.namespace[name], in_region, writer.loads_in_batches, source)


def _unknown_execution(schema: strawberry.Schema) -> str | None:
    """Why nothing of this schema can be compiled, if so."""
    if schema.directives:
        return "schema with operation directives"
    if schema.execution_context_class is not StrawberryGraphQLCoreExecutionContext:
        return "execution context class"
    return None
