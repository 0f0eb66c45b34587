"""Secret files that a development machine makes for itself at its first start."""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import mkstemp

PRIVATE_FOLDER_MODE = 0o700
_OTHERS = 0o077


class KeysUnusable(Exception):
    """Keys are missing or malformed. The message is one line for whoever starts the process and holds no secret."""


def read_or_make_key_file(path: Path, *, make: Callable[[], bytes]) -> bytes:
    """The content of a key file, made by `make` if there is none; mode 600 in a folder of mode 700.

    Processes that start at once agree: the first to link its file wins, and the others read the winner's.
    """
    try:
        return _read_private(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise KeysUnusable(f"{path}: {error.strerror}") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER_MODE)
        _link_new(path, content=make())
        return _read_private(path)
    except OSError as error:
        raise KeysUnusable(f"{path}: {error.strerror}") from None


def _read_private(path: Path) -> bytes:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & _OTHERS:
            raise KeysUnusable(f"{path} can be read by others: replace the key, or chmod 600 the file")
        return file.read()


def _link_new(path: Path, *, content: bytes) -> None:
    # A link appears whole or not at all, and never replaces what another process has linked first.
    descriptor, name = mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 600 by itself
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(name, path)
    except FileExistsError:
        pass
    finally:
        Path(name).unlink()
