"""Where the embedded services keep their files, and as whom they run.

PostgreSQL refuses to run as root. Started by root, the servers run as the system account
``tongda`` instead, so their folders, sockets and programs must be reachable for it,
wherever the gateway itself was installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import IO, NamedTuple

from gateway.ops import ServiceRefused

ACCOUNT = "tongda"
"""The system account that root's servers run as; made once by ``useradd --system``."""

SOCKET_PATH_LIMIT = 100
"""Longest path of a unix socket: ``sun_path`` of unix(7) holds 108 bytes with the final NUL."""


class Account(NamedTuple):
    """Whom a server runs as."""

    uid: int
    gid: int

    def popen(self) -> dict[str, int | list[int]]:
        """Return what ``subprocess`` needs to start a program as this account; nothing if we are it."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def default_state_dir() -> Path:
    """Return where the state lies unless a setting says otherwise.

    ``/var/lib/tongda`` for root, else ``$XDG_STATE_HOME/tongda`` or ``~/.local/state/tongda``.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/tongda")
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "tongda"


def temporary_state_dir() -> Path:
    """Make a state folder for a demo or a test, in a place that the servers' account reaches.

    The caller removes it.
    """
    who = account()
    bases = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108 - mkdtemp below
    base = next((base for base in bases if base.is_dir() and not closed_to(who, base)), bases[0])
    return prepare(Path(tempfile.mkdtemp(prefix="tongda-", dir=base)))


def prepare(state_dir: Path) -> Path:
    """Make the state folder if it is absent and return it resolved.

    Raises:
        ServiceRefused: we may not write there, or the servers' account cannot reach it.
    """
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        state_dir = state_dir.resolve()
        if os.geteuid() == 0:
            # Others may pass through to what is theirs; they cannot list what else is here.
            state_dir.chmod(stat.S_IMODE(state_dir.stat().st_mode) | 0o111)
    except OSError as error:
        raise _not_ours(state_dir, (error.strerror or "cannot be made").lower()) from error
    if not os.access(state_dir, os.W_OK):
        raise _not_ours(state_dir, "belongs to somebody else")
    return state_dir


def _not_ours(state_dir: Path, why: str) -> ServiceRefused:
    return ServiceRefused(f"state_dir {state_dir}: {why}; set TONGDA_STATE_DIR to a folder you may write")


def account(data: Path | None = None) -> Account:
    """Return whom a server with this data folder runs as.

    Ourselves, unless we are root: then the owner of the data, or the system account for new data.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if data is not None and data.is_dir() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid)
    entry = _system_account()
    return Account(entry.pw_uid, entry.pw_gid)


def _system_account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        pass
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd:
        command = [useradd, "--system", "--no-create-home", "--home-dir", "/nonexistent"]
        command += ["--shell", "/usr/sbin/nologin", "--user-group", ACCOUNT]
        # Whether it was us or somebody at the same moment who made it does not matter.
        subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - fixed words
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        raise ServiceRefused(
            f"PostgreSQL does not run as root and no system account {ACCOUNT!r} could be made;"
            f" make one (useradd --system {ACCOUNT}) or start the gateway as an ordinary user"
        ) from None


def closed_to(who: Account, path: Path) -> Path | None:
    """Return the first folder on the way to ``path`` (or itself) that ``who`` may not enter, if any."""
    for step in [*reversed(path.parents), path]:
        status = step.stat()
        if status.st_uid == who.uid:
            bit = stat.S_IXUSR
        elif status.st_gid == who.gid:
            bit = stat.S_IXGRP
        else:
            bit = stat.S_IXOTH
        if who.uid and not status.st_mode & bit:
            return step
    return None


def require_reachable(who: Account, state_dir: Path) -> None:
    """Refuse a state folder that the servers' account cannot get to."""
    closed = closed_to(who, state_dir)
    if closed:
        raise ServiceRefused(
            f"state_dir {state_dir}: the account that PostgreSQL runs as may not enter {closed};"
            " set TONGDA_STATE_DIR to a folder such as /var/lib/tongda"
        )


def own_folder(path: Path, who: Account) -> Path:
    """Make ``path`` a folder that only ``who`` (and root) may enter.

    Raises:
        ServiceRefused: something that is not such a folder lies there.
    """
    try:
        path.mkdir(mode=0o700, parents=True)
        if who.uid != os.geteuid():
            os.chown(path, who.uid, who.gid)
    except FileExistsError:
        pass
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != who.uid:
        raise ServiceRefused(
            f"{path} is in the way: it should be a folder of account number {who.uid}; remove it"
        )
    path.chmod(0o700)
    return path


def socket_folder(state_dir: Path, service: str, longest: str, who: Account) -> Path:
    """Return a private folder for a server's unix socket, short enough for the kernel.

    Args:
        state_dir: the resolved state folder; the socket lies under it where the path allows.
        service: the folder's name.
        longest: the longest file name that the server makes in it.
        who: the account that owns it; its mode 0700 is what keeps strangers from the socket.
    """
    folder = state_dir / "run" / service
    if len(os.fsencode(folder / longest)) > SOCKET_PATH_LIMIT:
        digest = hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:12]
        return own_folder(Path("/tmp") / f"tongda-{digest}-{service}", who)  # noqa: S108 - owner is checked
    folder.parent.mkdir(exist_ok=True)
    folder.parent.chmod(0o711)  # whatever our umask is, the account passes through to its own
    return own_folder(folder, who)


def programs(root: Path, wanted: tuple[str, ...], name: str, state_dir: Path, who: Account) -> Path:
    """Return a folder with the programs of ``root`` that ``who`` can run.

    That is ``root`` itself, or a copy below the state folder where the gateway is installed
    out of the account's reach (below the home of root, for example).

    Args:
        root: the folder inside the wheel.
        wanted: patterns relative to ``root``; the first one is the program itself.
        name: names the version, so that an upgrade makes a copy of its own.
        state_dir: the resolved state folder.
        who: the account that runs them.
    """
    if closed_to(who, root / wanted[0]) is None:
        return root
    copy = state_dir / "programs" / name
    if not copy.exists():
        partial = Path(tempfile.mkdtemp(dir=_open_folder(copy.parent), prefix=".partial-"))
        for pattern in wanted:
            for source in root.glob(pattern):
                _copy(source, partial / source.relative_to(root))
        _open_to_all(partial)
        try:
            partial.rename(copy)
        except OSError:  # somebody else was quicker
            shutil.rmtree(partial, ignore_errors=True)
    return copy


def _open_folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    path.chmod(0o755)
    return path


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy(source, target)


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            runnable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runnable else 0o644)


def lock(path: Path) -> IO[str] | None:
    """Take the lock file for as long as the returned file stays open; None if somebody holds it.

    The kernel lets go of it when the holder dies, however it dies.
    """
    file = path.open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
