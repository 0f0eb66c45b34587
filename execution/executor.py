from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, Literal

import strawberry
from graphql import (
    ASTValidationRule,
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from execution.compiled import CompiledOperation, Compiler, Variant
from execution.kept import MOST_PLANS, MOST_TEXT, KeptPlans
from execution.plan import Plan, find_operation
from execution.reference import Reference, Request, Source, as_graphql_error, core_schema
from execution.result import OnError, Result, format_error
from execution.shared import MOST_BYTES, Serialise, Shelf
from execution.tree import UnsupportedError

Mode = Literal["compiled", "reference"]
NO_VARIABLES: Final[Mapping[str, object]] = {}


@dataclass(slots=True)
class Counters:
    """What the executor did since it was made; only ever counts up.

    `misses` are documents that were parsed and checked, `hits` operations that ran on a plan that had been run before,
    whoever kept it. `fallbacks` are operations that graphql-core ran, by the reason, of which there are a fixed few.
    """

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    compiled: int = 0
    fallbacks: Counter[str] = field(default_factory=Counter)


class Executor:
    """Runs the operations of one schema; each document is parsed, validated and compiled once.

    `mode="reference"` runs graphql-core alone. `rules` are validation rules besides the specified ones. `max_tokens`
    bounds what is parsed at all. `on_error` writes each error for the client (to mask it, log it, or add extensions).
    `fragments` serialises objects that many answers show alike, to be kept (see README.md), up to so many bytes.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        mode: Mode = "compiled",
        cache_size: int = MOST_PLANS,
        cache_text: int = MOST_TEXT,
        rules: Collection[type[ASTValidationRule]] = (),
        max_tokens: int | None = None,
        on_error: OnError = format_error,
        fragments: Serialise | None = None,
        fragments_bytes: int = MOST_BYTES,
    ) -> None:
        if schema.extensions:
            raise ValueError("schema extensions are not run: put what they do around the executor")
        if schema.config.enable_experimental_incremental_execution:
            raise ValueError("incremental delivery (@defer, @stream) is not supported")
        self.schema: Final = schema
        self.mode: Final[Mode] = mode
        self.counters: Final = Counters()
        self._core = core_schema(schema)
        self._kept = KeptPlans(most=cache_size, most_text=cache_text)
        self._rules = (*specified_rules, *rules, MaybeNullValidationRule, OneOfInputValidationRule)
        self._max_tokens = max_tokens
        self._on_error = on_error
        self._reference = Reference(schema)
        self._compiler = Compiler(
            schema, shelf=None if fragments is None else Shelf(fragments, most_bytes=fragments_bytes)
        )

    def prepare(self, document: str, operation_name: str | None = None) -> Plan:
        """The plan of an operation: from the cache, or parsed and validated now.

        A document that cannot be run gives a plan with `errors`, which is not kept: only good documents may push
        others out of the cache.
        """
        kept = self._kept.find(document, operation_name)
        if kept is not None:
            return kept
        self.counters.misses += 1
        plan = self._make(document, operation_name)
        if not plan.errors:
            self.counters.evictions += self._kept.keep(plan)
        return plan

    def kept(self, document: str, operation_name: str | None = None) -> Plan | None:
        """The plan of an operation that was prepared lately, or None."""
        return self._kept.find(document, operation_name)

    def _count(self, plan: Plan) -> None:
        if plan.was_run:
            self.counters.hits += 1
        else:
            plan.was_run = True

    def _make(self, source: str, operation_name: str | None) -> Plan:
        try:
            document = parse(source, max_tokens=self._max_tokens)
            errors = validate(self._core, document, self._rules)
        except GraphQLError as error:
            return self._invalid(source, operation_name, [error])
        if errors:
            return self._invalid(source, operation_name, errors)
        operation = find_operation(document, operation_name)
        if isinstance(operation, GraphQLError):
            return self._invalid(source, operation_name, [operation])
        plan = Plan(source, operation_name, document, operation)
        if self.mode == "compiled":
            self._compile(plan, document, operation)
        return plan

    def _compile(self, plan: Plan, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        try:
            plan.compiled = self._compiler.compile(document, operation, label=f"<plan {plan.digest[:12]}>")
            self.counters.compiled += 1
        except UnsupportedError as reason:
            plan.fallback = str(reason)

    def _invalid(self, source: str, operation_name: str | None, errors: list[GraphQLError]) -> Plan:
        return Plan(source, operation_name, None, None, tuple(errors), [self._on_error(error) for error in errors])

    async def execute(
        self,
        plan: Plan,
        variables: Mapping[str, object] | None = None,
        context: object = None,
        root: object = None,
    ) -> Result:
        """Run a query or a mutation. Never raises for what the operation does: errors are in the result."""
        if plan.document is None:
            return Result(None, plan.formatted_errors, executed=False)
        self._count(plan)
        request = Request(variables or NO_VARIABLES, context, root)
        compiled = plan.compiled
        if compiled is not None:
            coerced = compiled.coerce(request.variables)
            if isinstance(coerced, list):
                return Result(None, [self._on_error(error) for error in coerced], executed=False)
            try:
                variant = self._variant(plan, compiled, coerced)
            except UnsupportedError as reason:
                self.counters.fallbacks[str(reason)] += 1
            else:
                return self._result(await compiled.run(variant, coerced, request))
        elif self.mode == "compiled":
            self.counters.fallbacks[plan.fallback] += 1
        return self._result(
            await self._reference.execute(plan.document, operation_name=plan.operation_name, request=request)
        )

    def _variant(self, plan: Plan, compiled: CompiledOperation, variables: Mapping[str, object]) -> Variant:
        generated = compiled.generated
        variant = compiled.variant(variables)
        if compiled.generated != generated:
            self.counters.evictions += self._kept.weigh_again(plan)
        return variant

    async def subscribe(
        self,
        plan: Plan,
        variables: Mapping[str, object] | None = None,
        context: object = None,
        root: object = None,
    ) -> AsyncIterator[Result] | Result:
        """Start a subscription: its stream of results, or the one result that says why there is none."""
        if plan.document is None:
            return Result(None, plan.formatted_errors, executed=False)
        self._count(plan)
        request = Request(variables or NO_VARIABLES, context, root)
        source = await self._reference.open(plan.document, operation_name=plan.operation_name, request=request)
        if isinstance(source, ExecutionResult):
            return self._result(source)
        return self._results(self._answers(plan, source, request))

    def _answers(self, plan: Plan, source: Source, request: Request) -> AsyncGenerator[ExecutionResult, None]:
        reason = plan.fallback
        if plan.compiled is not None:
            variables = source.executor.variable_values.coerced
            try:
                variant = self._variant(plan, plan.compiled, variables)
                return plan.compiled.answers(variant, variables, source.events, request)
            except UnsupportedError as unsupported:
                reason = str(unsupported)
        if self.mode == "compiled":
            self.counters.fallbacks[reason] += 1
        return source.results()

    async def _results(self, answers: AsyncGenerator[ExecutionResult, None]) -> AsyncIterator[Result]:
        async with aclosing(answers):
            try:
                async for result in answers:
                    yield self._result(result)
            except Exception as error:  # noqa: BLE001  (a source that breaks ends its stream with an error)
                yield Result(None, [self._on_error(as_graphql_error(error))])

    def _result(self, result: ExecutionResult) -> Result:
        if not result.errors:
            return Result(result.data)
        # A field's error always has a path; an operation that never began has errors without one.
        executed = result.data is not None or any(error.path is not None for error in result.errors)
        return Result(result.data, [self._on_error(error) for error in result.errors], executed=executed)

    def explain(self, plan: Plan, variables: Mapping[str, object] | None = None) -> str:
        """How the plan will be run, for people to read; with these variables, where they are known."""
        if plan.errors:
            return "\n".join(f"cannot be run: {error.message}" for error in plan.errors)
        if plan.compiled is None:
            return f"run by graphql-core: {plan.fallback}"
        coerced = None if variables is None else plan.compiled.coerce(variables)
        if isinstance(coerced, dict):
            try:
                self._variant(plan, plan.compiled, coerced)
            except UnsupportedError as reason:
                return f"run by graphql-core: {reason}"
        return plan.compiled.explain()
