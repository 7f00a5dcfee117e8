"""Installed from its wheel, away from any checkout, it has all that it needs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The path of the wheel, built in an environment of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [*PIP, "wheel", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    (path,) = folder.glob("*.whl")
    return path


def test_it_holds_the_package_the_agents_and_the_digits(wheel):
    """Each file of ramnp/, and what load, evaluate, watch and --data digits read."""
    command = ["git", "ls-files", "ramnp", "data/trained"]
    tracked = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    files = {name.replace("data/trained", "ramnp/trained") for name in tracked}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        (metadata,) = (n for n in archive.namelist() if n.endswith("/METADATA"))
        readme = archive.read(metadata).decode().partition("\n\n")[2]
    assert held == files | {"ramnp/digits.npz"}
    # A package index has no other page of ours that a link could lead to.
    assert "## Quick start" in readme
    assert readme.count("](") == readme.count("](http")


def test_from_an_empty_folder_every_command_works(wheel, tmp_path):
    """load, evaluate, watch and train, with nothing of the checkout in reach."""
    site, empty = str(tmp_path / "site"), tmp_path / "empty"
    command = [*PIP, "install", "--no-deps", "--target", site, str(wheel)]
    subprocess.run(command, check=True)
    empty.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    kept |= {"PYTHONPATH": site, "PYTHONSAFEPATH": "1", "XDG_CACHE_HOME": "/cache"}

    def call(*arguments, **environment):
        return subprocess.check_output(
            [sys.executable, *arguments],
            cwd=empty,
            env=kept | environment,
            text=True,
        )

    where = call("-c", "import ramnp; ramnp.load('cluttered'); print(ramnp.__file__)")
    assert where.startswith(site)
    data = ["--data", "digits"]
    assert "1,000 test scenes" in call("-m", "ramnp.evaluate", "cluttered", *data)
    page = ["--no-open", "--output", "page.html"]
    call("-m", "ramnp.watch", "cluttered", *data, *page)
    assert (empty / "page.html").read_text("utf-8").startswith("<!doctype html>")
    assert "one rollout" in call("-m", "ramnp.train", *data, "--epochs=1")
    assert "Train an agent" in call("-m", "ramnp")
    assert call("-m", "ramnp", "--version").startswith("ramnp ")
    # MNIST would go into the user's cache, or where the user wants it.
    asked = "from ramnp.datasets import mnist; print(mnist.default_folder())"
    if sys.platform == "linux":
        assert call("-c", asked) == "/cache/ramnp\n"
    assert call("-c", asked, RAMNP_DATA="there") == "there\n"
    assert sorted(path.name for path in empty.iterdir()) == ["page.html", "runs"]
