"""Files are written atomically, and a run folder has one process."""

import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys

import pytest

from ramnp.support import files
from ramnp.support.errors import UserError
from ramnp.support.files import RunLock, remove_leftovers, write_atomically
from tests.processes import ROOT

HOLDER = """
import sys
from ramnp.support.files import RunLock
with RunLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def lock_held_elsewhere(folder):
    """Start another process that holds the lock of `folder`."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        try:
            assert process.stdout.readline() == b"held\n"
            yield process
        finally:
            process.kill()


def test_bytes_and_text_replace_the_old_content(tmp_path):
    """Bytes unchanged, text as UTF-8 with its own line ends; no other file stays."""
    path = tmp_path / "file"
    write_atomically(path, b"\x00\r\n\xff")
    assert path.read_bytes() == b"\x00\r\n\xff"
    write_atomically(str(path), "σ\n")
    assert path.read_bytes() == b"\xcf\x83\n"
    assert os.listdir(tmp_path) == ["file"]


def test_mode_is_that_of_any_new_file(tmp_path):
    """The user's umask decides who may read a written file."""
    (tmp_path / "plain").touch()
    write_atomically(tmp_path / "file", b"")
    mode = stat.S_IMODE((tmp_path / "file").stat().st_mode)
    assert mode == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_an_unwritable_place_is_one_line(tmp_path):
    """A missing folder, a file as folder, a folder as target, too long a name."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for path in ("missing/file", "file/file", "folder", "n" * 300):
        with pytest.raises(UserError) as error:
            write_atomically(tmp_path / path, b"new")
        (line,) = str(error.value).splitlines()
        assert str(tmp_path / path) in line
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
    assert os.listdir(tmp_path / "folder") == []
    for path in (".", "/"):
        with pytest.raises(UserError, match=f"^cannot write {path}, a folder: name"):
            write_atomically(path, b"new")


def test_a_folder_is_created_or_the_error_names_it(tmp_path):
    """Together with its parents; a failure is one line with the advice."""
    for _ in range(2):
        files.make_folder(tmp_path / "new" / "newer")
    assert (tmp_path / "new" / "newer").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot make the folder .*/sub: .*; do this$"):
        files.make_folder(tmp_path / "file" / "sub", "do this")


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_full_disk_is_one_line(tmp_path, monkeypatch, size):
    """If the flush or the write fails for lack of space, the old file stays."""

    def open_full(*_):
        return open("/dev/full", "wb")

    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(files, "open", open_full, raising=False)
    with pytest.raises(UserError, match="No space left on device; make room"):
        write_atomically(path, bytes(size))
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_an_interrupt_leaves_no_temporary_file(tmp_path, monkeypatch, call):
    """Ctrl-C during a write is passed on; only the old file stays."""

    def interrupt(*_):
        raise KeyboardInterrupt

    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, call, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_disks_that_cannot_sync_a_folder_are_accepted(tmp_path, monkeypatch, code):
    """Writing works if only files can be synced; real failures are reported."""
    sync = os.fsync

    def sync_files_only(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", sync_files_only)
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    code = errno.EIO
    with pytest.raises(UserError, match="Input/output error"):
        write_atomically(tmp_path / "file", b"newer")


def test_only_leftovers_of_dead_writers_are_removed(tmp_path, monkeypatch):
    """The temporary file of a live writer stays until it is moved; the user's do, too."""
    seen = []

    def looking_around(step):
        def look_around(*arguments):
            remove_leftovers(tmp_path)
            seen.append(set(os.listdir(tmp_path)))
            return step(*arguments)

        return look_around

    mine = {"notes.tmp", ".notes.tmp", ".notes.0123456g.tmp", ".lock"}
    for name in mine | {".checkpoint.npz.0123abcd.tmp"}:
        (tmp_path / name).touch()
    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, looking_around(getattr(os, name)))
    write_atomically(tmp_path / "file", b"new")
    (temporary,) = seen[0] - mine
    assert temporary.startswith(".file.") and seen[1] == seen[0]
    assert set(os.listdir(tmp_path)) == mine | {"file"}
    remove_leftovers(tmp_path / "missing")


def test_a_second_process_is_refused(tmp_path):
    """The error names the holder of the lock; once it is released, the next may run."""
    with lock_held_elsewhere(tmp_path) as holder:
        with pytest.raises(UserError) as error, RunLock(tmp_path):
            pass
        (line,) = str(error.value).splitlines()
        assert str(tmp_path) in line
        assert f"process {holder.pid}:" in line
        holder.communicate()  # it leaves the with block
        with RunLock(tmp_path):
            pass


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    """At once after SIGKILL; the file then names the next holder."""
    with lock_held_elsewhere(tmp_path) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert (tmp_path / ".lock").read_text() == str(holder.pid)
        with RunLock(tmp_path):
            assert (tmp_path / ".lock").read_text() == str(os.getpid())


@pytest.mark.parametrize("content", ["itself", "1", "", "not a number"])
def test_the_content_of_a_lock_file_does_not_lock(tmp_path, content):
    """A reused process id or a damaged lock file does not block a process."""
    (tmp_path / ".lock").write_text(content)
    with RunLock(tmp_path):
        (tmp_path / ".lock").write_text(content)
        with pytest.raises(UserError, match="in use by"), RunLock(tmp_path):
            pass


def test_an_unlockable_folder_is_one_line(tmp_path, monkeypatch):
    """A missing folder, and a disk without file locks."""
    with pytest.raises(UserError, match="cannot lock .*missing: No such file"):
        RunLock(tmp_path / "missing").__enter__()

    def no_locks(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(files.fcntl, "flock", no_locks)
    with pytest.raises(UserError, match="No locks available"):
        RunLock(tmp_path).__enter__()
    write_atomically(tmp_path / "file", b"new")
    remove_leftovers(tmp_path)


def test_without_fcntl(tmp_path, monkeypatch):
    """On Windows, msvcrt's lock lies beyond the process id, which stays readable."""

    class Msvcrt:
        LK_NBLCK = 2
        locked = False

        def locking(self, descriptor, mode, size):
            assert os.lseek(descriptor, 0, os.SEEK_CUR) > 20
            if self.locked:
                raise PermissionError(errno.EACCES, "Permission denied")
            self.locked = True

    monkeypatch.setattr(files, "fcntl", None)
    monkeypatch.setattr(files, "msvcrt", Msvcrt(), raising=False)
    with RunLock(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())
        with pytest.raises(UserError, match=f"process {os.getpid()}:"):
            RunLock(tmp_path).__enter__()
    files.msvcrt.locked = False
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
