"""Every document that is written anywhere in the repository is answered alike by both ways of execution."""

import ast
import gc
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

import pytest
from graphql import GraphQLError, OperationDefinitionNode, parse, print_ast

from execution import Executor
from execution.compiled import COMPILER_FAILURE
from tests.execution.documents import VariableDrawer, Written
from tests.execution.patches import mocked
from tests.execution.sameness import Pair, everything_settled, serialised
from tests.execution.schemas import SUBJECTS

ROOT = Path(__file__).parents[2]
SOURCES = ("app", "benchmarks", "docs", "resolvers", "schema", "tests")
SUFFIXES = {".graphql", ".js", ".jsx", ".md", ".mjs", ".py"}
BEGINNING = re.compile(r"\s*(#.*\n\s*)*(query|mutation|subscription|fragment|\{)", re.ASCII)
FENCED = re.compile(r"```graphql\n(.*?)```", re.DOTALL)
JS_TEXT = re.compile(r"`((?:[^`\\]|\\.)*)`|'((?:[^'\\\n]|\\.)*)'|\"((?:[^\"\\\n]|\\.)*)\"", re.DOTALL)
JS_HOLE = re.compile(r"\$\{[^{}]*\}")
# What may stand where a text is put together when it runs: some name, value or nothing makes a document of it.
FILLINGS = ("id", "", "1", '"1"', "__typename", "{ __typename }", "first: 1")
LINE_TO_FILL = re.compile(r"^\{\w+\}$", re.MULTILINE)
RUNS = 3


def texts_of(file: Path) -> Iterator[str]:
    """What may be a document in this file."""
    text = file.read_text(encoding="utf-8")
    match file.suffix:
        case ".graphql":
            yield text
        case ".md":
            yield from FENCED.findall(text)
        case ".py":
            yield from texts_of_python(ast.parse(text))
        case _:
            for groups in JS_TEXT.findall(text):
                parts = JS_HOLE.split(unescaped("".join(groups)))
                yield from (filling.join(parts) for filling in FILLINGS[: len(FILLINGS) if len(parts) > 1 else 1])


def unescaped(text: str) -> str:
    """As JavaScript reads what stands between the quotes."""
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), text, flags=re.DOTALL)


def texts_of_python(tree: ast.Module) -> Iterator[str]:
    constants = {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield LINE_TO_FILL.sub("", node.value)
        elif isinstance(node, ast.JoinedStr):
            yield from ("".join(filled(part, constants, filling) for part in node.values) for filling in FILLINGS)


def filled(part: ast.expr, constants: Mapping[str, str], filling: str) -> str:
    """A part of a text that is put together: itself, the constant that it names, or what may stand there."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    return constants.get(part.value.id, filling) if isinstance(part.value, ast.Name) else filling


def operations_in(text: str) -> list[tuple[str | None, Written]]:
    """The operations of a document with their variables; none where it is no document."""
    if not BEGINNING.match(text):
        return []
    try:
        document = parse(text)
    except GraphQLError:
        return []
    return [
        (
            node.name.value if node.name else None,
            Written(
                text,
                {one.variable.name.value: print_ast(one.type) for one in node.variable_definitions or ()},
                node.operation.value,
            ),
        )
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    ]


def documents_of_the_repository() -> Mapping[str, Path]:
    """All of them, each once, with the file that has it."""
    files = [
        file
        for source in SOURCES
        for file in sorted((ROOT / source).rglob("*"))
        if file.suffix in SUFFIXES and not {"node_modules", "dist"} & set(file.parts)
    ]
    found: dict[str, Path] = {}
    for file in files:
        for text in texts_of(file):
            # `{ __typename }` and braces alone are what is left of texts that are no documents.
            if operations_in(text) and re.search(r"[a-z]", text.replace("__typename", "")):
                found.setdefault(text, file.relative_to(ROOT))
    return found


DOCUMENTS = documents_of_the_repository()
WRONG = "has documents that are wrong, to see them refused"
PUT_TOGETHER = "has documents that are put together of names that only its callers know"
# Where there is a document that no schema here can run, and why.
NOT_RUN = {
    "benchmarks/peers/postgraphile.py": "speaks the schema that PostGraphile makes",
    "docs/coupons.md": "leaves the variables of one example to the reader",
    "tests/app/test_documents_command.py": WRONG,
    "tests/app/test_explain.py": WRONG,
    "tests/app/test_http.py": WRONG,
    "tests/app/test_http_documents.py": WRONG,
    "tests/app/test_limits.py": "measures documents of a schema without resolvers",
    "tests/app/test_logs.py": "writes down documents that nobody runs",
    "tests/app/test_sockets_operations.py": WRONG,
    "tests/clients/apollo.test.mjs": PUT_TOGETHER,
    "tests/clients/urql.test.mjs": WRONG,
    "tests/e2e/graphiql/prepared.test.mjs": PUT_TOGETHER,
    "tests/e2e/test_redeem.py": PUT_TOGETHER,
    "tests/execution/test_batches.py": "has a schema more, of a single test",
    "tests/execution/test_columns.py": "has a schema of its own",
    "tests/execution/test_declared.py": "has a schema of its own",
    "tests/execution/test_executor.py": WRONG,
    "tests/execution/test_kept_plans.py": "has a schema of its own",
    "tests/execution/test_specification.py": "has schemas of single tests",
    "tests/execution/test_specification_fields.py": "has schemas of single tests",
    "tests/persistence/test_documents.py": "keeps documents that nobody runs",
    "tests/persistence/test_second_wall.py": PUT_TOGETHER,
    "tests/resolvers/stage.py": PUT_TOGETHER,
    "tests/resolvers/test_campaigns.py": WRONG,
    "tests/resolvers/test_listed_pages.py": PUT_TOGETHER,
    "tests/resolvers/test_partial_budgets.py": PUT_TOGETHER,
    "tests/resolvers/test_wallet_selections.py": PUT_TOGETHER,
    "tests/soak/shop.py": PUT_TOGETHER,
    "tests/world.py": PUT_TOGETHER,
}


def test_every_document_of_the_repository_is_run_on_some_schema_but_for_those_of_which_it_is_said_why_not() -> None:
    readers = [Executor(make().schema, mode="reference") for make in SUBJECTS.values()]

    def is_run(text: str) -> bool:
        names = [name for name, _ in operations_in(text)]
        return any(not reader.prepare(text, name).errors for reader in readers for name in names)

    run = {text for text in DOCUMENTS if is_run(text)}
    assert {str(file) for text, file in DOCUMENTS.items() if text not in run} == set(NOT_RUN)
    kinds = Counter(DOCUMENTS[text].suffix for text in run)
    assert {kind for kind, count in kinds.items() if count >= 3} == {".py", ".md", ".mjs", ".js"}
    assert kinds.total() > 300


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SUBJECTS)
async def test_every_document_of_the_repository_is_answered_alike(name: str) -> None:
    subject = SUBJECTS[name]()
    tried = 0
    with mocked(subject.schema) as mocks:
        pair = Pair.of(subject.schema, fragments=serialised)
        random = Random(1)
        drawer = VariableDrawer(random, subject.schema._schema, wrong=0.01)
        for text in DOCUMENTS:
            for operation, written in operations_in(text):
                if pair.reference.prepare(text, operation).errors:
                    continue
                tried += 1
                for run in range(RUNS):
                    await pair.same(
                        text,
                        drawer.draw(written),
                        operation_name=operation,
                        before=lambda run=run: mocks.start(run, fault_rate=run * 0.1, soon_rate=0),  # type: ignore[misc]
                        context=subject.context,
                    )
                    await everything_settled()
        assert COMPILER_FAILURE not in pair.compiled.counters.fallbacks
    gc.collect()
    assert tried > (200 if name == "service" else 15), "the repository has documents for every schema"
