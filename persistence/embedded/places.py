"""Which account the servers run as, and where their files are when that account cannot reach the data folder."""

import hashlib
import os
import pwd
import secrets
import shutil
import socket
import tempfile
from pathlib import Path

from persistence.embedded.errors import EmbeddedError
from persistence.embedded.processes import Account, can_enter

SHARED_STATE = Path("/var/lib/laurel")  # root's: what the servers' account must reach and cannot where it is
_LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"
_SOCKET_PATH_BYTES = 103  # macOS has 104 with the end mark, Linux 108
_NOTE = "servers-are-elsewhere.txt"


def servers_account() -> Account | None:
    """None to stay who we are. Root drops to an account that exists; none is ever made."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=found.pw_uid, gid=found.pw_gid)
    raise EmbeddedError(
        "PostgreSQL does not run as root, and there is no account 'postgres' or 'nobody' to run it: set DATABASE_URL"
    )


def make_data_folder(data_dir: Path, *, account: Account | None) -> None:
    """Make the data folder, for us alone; root leaves the way through it open to the servers' account."""
    try:
        if not data_dir.exists():
            data_dir.mkdir(parents=True)
            data_dir.chmod(0o700 if account is None else 0o711)
    except OSError as error:
        raise EmbeddedError(f"DATA_DIR {data_dir} cannot be made: {error.strerror}") from None
    if not data_dir.is_dir() or not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        raise EmbeddedError(f"DATA_DIR {data_dir} is not a folder that this account can write")


def place_of_servers(data_dir: Path, *, account: Account | None) -> Path:
    """The folder of the servers' own files: the data folder itself wherever their account can reach it.

    Below a closed folder such as /root it is one in /var/lib/laurel, told by a note in the data folder. It belongs to
    the note: with the data folder removed, the next start begins anew.
    """
    note = data_dir / _NOTE
    if account is None:
        if note.exists():
            raise EmbeddedError(f"DATA_DIR {data_dir} was made by root: start as root, or choose another DATA_DIR")
        return data_dir
    elsewhere = SHARED_STATE / "data" / hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    token = elsewhere / "token"
    if (
        note.exists()
        and token.exists()
        and token.read_text(encoding="utf-8").strip() in note.read_text(encoding="utf-8")
    ):
        return elsewhere
    if can_enter(data_dir, account=account):
        return data_dir
    if note.exists() or (data_dir / "postgres").exists():
        raise EmbeddedError(f"The files of {data_dir} are not where account {account.name} can reach them: see {note}")
    return _make_elsewhere(elsewhere, data_dir=data_dir, account=account)


def make_passable(folder: Path) -> None:
    """Make `folder` below our shared state, open to pass through whatever the umask."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in (folder, *folder.parents):
        if part.is_relative_to(SHARED_STATE):
            part.chmod(0o755)


def make_private(folder: Path, *, account: Account | None) -> None:
    """Make an empty folder that only the servers' account can enter."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    if account is not None:
        account.own(folder)


def make_socket_folder(home: Path, *, account: Account | None) -> Path:
    """An empty private folder for sockets: beside the data, or a temporary one where a socket there cannot be."""
    folder = home / "run"
    make_private(folder, account=None)
    if not _takes_sockets(folder):
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="laurel-", dir="/tmp"))
    if account is not None:
        account.own(folder)
    return folder


def _takes_sockets(folder: Path) -> bool:
    if len(os.fsencode(folder / _LONGEST_SOCKET_NAME)) > _SOCKET_PATH_BYTES:
        return False
    trial = folder / "trial"
    with socket.socket(socket.AF_UNIX) as attempt:
        try:
            attempt.bind(str(trial))
        except OSError:  # some shared and network file systems have none
            return False
        trial.unlink()
    return True


def _make_elsewhere(elsewhere: Path, *, data_dir: Path, account: Account) -> Path:
    token = secrets.token_hex(8)
    try:
        shutil.rmtree(elsewhere, ignore_errors=True)
        make_passable(elsewhere)
        (elsewhere / "token").write_text(f"{token}\n", encoding="utf-8")
        (elsewhere / "data_dir").write_text(f"{data_dir}\n", encoding="utf-8")
        if not can_enter(elsewhere, account=account):
            raise EmbeddedError(f"Account {account.name} can reach neither {data_dir} nor {elsewhere}")
        (data_dir / _NOTE).write_text(
            f"The servers' files are in {elsewhere}, as their account ({account.name}) cannot pass the folders\n"
            f"down to this one. Remove this folder and they are removed at the next start. Token: {token}\n",
            encoding="utf-8",
        )
    except OSError as error:
        raise EmbeddedError(
            f"Account {account.name} cannot reach {data_dir}, and {error.filename} cannot be written: {error.strerror}"
        ) from None
    return elsewhere
