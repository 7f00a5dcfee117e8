"""Installed from its wheel, away from any checkout, it has all that it needs."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
pytestmark = pytest.mark.slow


def build(source, folder):
    """Return the path of the wheel of a source tree, built into a folder."""
    command = [*PIP, "wheel", "--no-deps", "-w", str(folder), str(source)]
    subprocess.run(command, check=True)
    (path,) = folder.glob("*.whl")
    return path


def readme_of(wheel):
    """Return the text that a package index shows."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (n for n in archive.namelist() if n.endswith("/METADATA"))
        return archive.read(metadata).decode().partition("\n\n")[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The path of the wheel, built in an environment of its own."""
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


def test_it_holds_the_package_the_agents_and_the_digits(wheel):
    """Each file of ramnp/, and what load, evaluate, watch and --data digits read."""
    command = ["git", "ls-files", "ramnp", "data/trained"]
    tracked = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    files = {name.replace("data/trained", "ramnp/trained") for name in tracked}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == files | {"ramnp/digits.npz"}


def test_no_link_of_its_readme_leads_nowhere(wheel):
    """A package index has no other page of ours: a relative link becomes its words."""
    readme = readme_of(wheel)
    assert "## Quick start" in readme and "CONTRIBUTING.md" in readme
    assert readme.count("](") == readme.count("](http")


def test_with_the_address_of_the_repository_the_links_are_absolute(tmp_path):
    """Once pyproject.toml states it, each file and picture of README is reached."""
    names = ["README.md", "LICENSE", "hatch_build.py", "data/trained"]
    for name in [*names, "tutorials/digits.npz", "ramnp/__init__.py"]:
        target = tmp_path / "tree" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, target)
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    known = "[project.urls]\nRepository = 'https://example.org/ramnp'"
    project = project.replace("[project.urls]", known)
    (tmp_path / "tree" / "pyproject.toml").write_text(project, "utf-8")
    found = re.findall(r"\]\(([^)]*)\)", readme_of(build(tmp_path / "tree", tmp_path)))
    readme = (ROOT / "README.md").read_text("utf-8")
    for target, link in zip(re.findall(r"\]\(([^)]*)\)", readme), found, strict=True):
        place = "raw" if target.endswith((".gif", ".svg")) else "blob"
        assert link == f"https://example.org/ramnp/{place}/HEAD/{target}"


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
