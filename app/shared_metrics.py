"""The folder in which several server processes share their metrics.

The metrics library looks for it once, when it is imported: prepare it before anything imports `app.telemetry`.
"""

import os
import shutil
from pathlib import Path
from typing import Final

SHARED_FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


def share_metrics(data_dir: Path) -> None:
    """Prepares an empty folder for several processes, which find it through their environment. For their parent."""
    folder = data_dir / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ[SHARED_FOLDER_VARIABLE] = str(folder.resolve())
