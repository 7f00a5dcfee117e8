"""Installed from its wheel, away from any checkout, it has all that it needs."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import small_split

ROOT = Path(__file__).parents[1]


def test_the_wheel_has_every_room():
    """The list of packages in pyproject.toml is the list of folders."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    rooms = {path.parent.name for path in (ROOT / "ramnp").glob("*/__init__.py")}
    expected = {"ramnp", "ramnp.trained", *(f"ramnp.{room}" for room in rooms)}
    assert {*pyproject["tool"]["setuptools"]["packages"]} == expected


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the installed wheel, without the packages that it needs."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    source = folder / "source"
    source.mkdir()
    files = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    for name in files.split("\0"):
        if name.startswith(("ramnp/", "data/", "pyproject", "README", "LICENSE")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    wheels = str(folder / "wheels")
    subprocess.run([*pip, "wheel", "--no-deps", "-w", wheels, str(source)], check=True)
    (wheel,) = Path(wheels).glob("*.whl")
    target = str(folder / "site")
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", target, str(wheel)], check=True
    )
    return target


@pytest.mark.slow
def test_from_an_empty_folder_every_command_works(installed, tmp_path):
    """load, evaluate, watch and train, with nothing of the checkout in reach."""
    split = small_split(0, 126)
    np.savez(tmp_path / "bars.npz", images=split.images, labels=split.labels)
    environment = os.environ | {"PYTHONPATH": installed, "PYTHONSAFEPATH": "1"}

    def call(*arguments):
        return subprocess.check_output(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, text=True
        )

    where = call("-c", "import ramnp; ramnp.load('cluttered'); print(ramnp.__file__)")
    assert where.startswith(installed)
    data = ["--data", "bars.npz"]
    assert "test scenes" in call("-m", "ramnp.evaluate", "cluttered", *data)
    page = ["--no-open", "--output", "page.html"]
    call("-m", "ramnp.watch", "cluttered", *data, *page)
    assert (tmp_path / "page.html").read_text("utf-8").startswith("<!doctype html>")
    assert "one rollout" in call("-m", "ramnp.train", *data, "--epochs=1")
    assert "Train an agent" in call("-m", "ramnp")
