"""Writing files so that no crash leaves half of one, and one process per run folder."""

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
    """Write all of `data` to `path`, or leave what stood there before.

    The bytes go to a temporary file beside the target, reach the disk, and are moved
    into place in one step. Raises UserError when the system refuses any of it; if only
    the last step fails, which makes the move itself durable, the new file stands.
    """
    path = Path(path)
    if isinstance(data, str):
        data = data.encode()
    temporary = None
    try:
        file, temporary = _open_temporary(path)
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}; "
            "make room or choose a folder that can be written to"
        ) from error
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                temporary.unlink()


def make_folder(folder, advice="choose a place where files can be written"):
    """Make a folder and those above it, unless they exist; UserError with the advice."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make the folder {folder}: {error.strerror}; {advice}"
        ) from error


def _open_temporary(path):
    """Opens a new file beside `path`, locked so that remove_leftovers spares it.

    Before it is locked it may be taken for a leftover and go: then another one is made.
    """
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        file = open(temporary, "xb")  # noqa: SIM115, the caller closes it
        try:
            kept = _try_lock(file) and os.fstat(file.fileno()).st_nlink
        except OSError:
            kept = True  # a disk without locks, where nothing is taken for a leftover
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

    The kernel holds the lock and drops it with the process, however that ends, so a
    lock is never stale; the process id in the file only serves the message. The file
    stays, since removing it would let two processes lock two files of one name.
    Raises UserError when another process holds the lock.
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
                f"cannot lock {self.folder}: {error.strerror}; choose a run folder "
                "that exists, on a disk that can be written to and has file locks"
            ) from error
        holder = f"process {int(pid)}" if pid.isdigit() else "another process"
        raise UserError(
            f"{self.folder} is in use by {holder}: "
            "wait for it, stop it, or choose another run folder"
        )

    def __exit__(self, *exception):
        self._file.close()


def _try_lock(file) -> bool:
    """Lock an open file until it is closed; False when another holder has it."""
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            # Windows forbids others to read locked bytes: lock one beyond the content.
            file.seek(1 << 30)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            file.seek(0)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _sync_folder(folder) -> None:
    """Make a move within `folder` survive a power cut."""
    if os.name == "nt":  # folders can't be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network disks
            raise
    finally:
        os.close(descriptor)
