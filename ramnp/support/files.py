"""Atomic writing of files, and one process per run folder."""

import contextlib
import errno
import os
import secrets
from pathlib import Path

from ramnp.support.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt


def write_atomically(path, data: bytes | str) -> None:
    """Write all of `data` to `path`, or leave the file as it was.

    The data is written to a temporary file beside the target, flushed to the disk and
    moved into place. Raises UserError if the system refuses any of these steps. If only
    the last step fails, which makes the move durable, the new file stays.
    """
    path = Path(path)
    if not path.name:
        raise UserError(f"cannot write {path}, a folder: name a file in it")
    if isinstance(data, str):
        data = data.encode()
    temporary = None
    try:
        file, temporary = _open_temporary(path)
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if fcntl:  # moved while locked: no other process takes it for a leftover
                os.replace(temporary, path)
        if not fcntl:  # Windows moves no open file
            os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}; "
            "make room or choose a writable folder"
        ) from error
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                temporary.unlink()


def make_folder(folder, advice="choose a writable place"):
    """Make a folder and its parents unless they exist; UserError with the advice."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make the folder {folder}: {error.strerror}; {advice}"
        ) from error


def _open_temporary(path):
    """Open a new file beside `path`, locked to distinguish it from a leftover.

    If another process removes it as a leftover before it is locked, open another one.
    """
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        file = open(temporary, "xb")  # noqa: SIM115, the caller closes it
        try:
            kept = _try_lock(file) and os.fstat(file.fileno()).st_nlink
        except OSError:
            kept = True  # without file locks, remove_leftovers removes nothing
        if kept:
            return file, temporary
        file.close()


def remove_leftovers(folder) -> None:
    """Remove the temporary files in `folder` whose writers were killed."""
    for path in Path(folder).glob(f".*.{'[0-9a-f]' * 8}.tmp"):
        with contextlib.suppress(OSError):
            with open(path, "r+b") as file:
                abandoned = _try_lock(file)
            if abandoned:
                path.unlink()


class RunLock:
    """One process per run folder, while `with RunLock(folder):` lasts.

    The kernel holds the lock and drops it when the process ends in any way: a lock is
    never stale. The process id in the file only serves the message. The file is never
    removed, or two processes could lock two files of the same name. Raises UserError if
    another process holds the lock.
    """

    def __init__(self, folder):
        self.folder = Path(folder)

    def __enter__(self):
        try:
            with contextlib.ExitStack() as on_refusal:
                file = open(self.folder / ".lock", "a+b", buffering=0)
                on_refusal.enter_context(file)
                if _try_lock(file):
                    file.truncate(0)
                    file.write(str(os.getpid()).encode())
                    on_refusal.pop_all()
                    self._file = file
                    return self
                file.seek(0)
                pid = file.read(20)
        except OSError as error:
            raise UserError(
                f"cannot lock {self.folder}: {error.strerror}; choose an existing run "
                "folder on a writable disk that supports file locks"
            ) from error
        holder = f"process {int(pid)}" if pid.isdigit() else "another process"
        raise UserError(
            f"{self.folder} is in use by {holder}: "
            "wait for it, stop it, or choose another run folder"
        )

    def __exit__(self, *exception):
        self._file.close()


def _try_lock(file) -> bool:
    """Lock an open file until it is closed; return False if another holder has it."""
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            # Windows denies access to locked bytes: lock one beyond the content.
            file.seek(1 << 30)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            file.seek(0)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _sync_folder(folder) -> None:
    """Make a move within `folder` survive a power cut."""
    if os.name == "nt":  # folders cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network disks
            raise
    finally:
        os.close(descriptor)
