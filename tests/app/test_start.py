"""What a start imports, and when: every library that it need not have at once makes an outage longer."""

import subprocess
import sys
from pathlib import Path

from app.executor import service_schema
from app.imports import not_found

HEAVY = ("cryptography", "httpx", "jwt", "opentelemetry", "redis", "sqlalchemy", "strawberry")
NOT_FOR_SERVING = ("alembic", "app.demo.load", "duckdb", "httpx", "opentelemetry", "rich", "sqlalchemy.orm")


def imported(code: str, *, among: tuple[str, ...]) -> list[str]:
    """Which of these modules are there when the code has run in a process of its own."""
    shown = f"import sys; print(*(name for name in {among!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{shown}"], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_serve_launches_its_servers_before_it_imports_what_is_heavy() -> None:
    assert imported("import app.__main__, app.serve", among=HEAVY) == []


def test_the_worker_launches_its_servers_before_it_imports_what_is_heavy() -> None:
    assert imported("import app.__main__, app.commands.background", among=HEAVY) == []


def test_serve_imports_nothing_that_serving_does_not_need(tmp_path: Path) -> None:
    code = (
        "from app.serve import _import_application; from app.settings import Settings;"
        f"_import_application(Settings(data_dir={str(tmp_path)!r}))"
    )
    assert imported(code, among=NOT_FOR_SERVING) == []


def test_the_worker_imports_neither_the_schema_nor_what_it_does_not_need() -> None:
    code = "from app.commands.background import _import_application; _import_application()"
    assert imported(code, among=("strawberry", *NOT_FOR_SERVING)) == []


def test_all_who_serve_in_one_process_share_one_schema() -> None:
    assert service_schema() is service_schema()


def test_a_library_is_not_found_for_a_while_and_then_is() -> None:
    code = (
        "import sys; from app.imports import not_found\n"
        "with not_found('colorsys'):\n"
        "    try: import colorsys\n"
        "    except ImportError: sys.stderr.write('away')\n"
        "import colorsys"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "away"


def test_a_library_that_is_imported_already_stays_found() -> None:
    there = sys.modules["subprocess"]
    with not_found("subprocess"):
        assert sys.modules["subprocess"] is there
    assert sys.modules["subprocess"] is there
