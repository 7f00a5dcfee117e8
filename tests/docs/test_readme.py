"""The links, commands and code in README and docs work."""

import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ramnp import __main__ as listing
from ramnp.learning import diagnostics
from ramnp.runs import agent_file
from tests.helpers import small_split

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = PAGES[0].read_text("utf-8")


def commands(text):
    """Return the command lines of a page, in blocks and in code spans."""
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    found = [line.partition("python -m ramnp.")[2] for line in lines]
    return [line.partition(" #")[0] for line in found if line]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(page):
    """Relative links name files that exist."""
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_is_one_that_the_parser_takes(page):
    """No option in README or docs is misspelt or gone."""
    for line in commands(page.read_text("utf-8")):
        name, *arguments = shlex.split(line)
        if arguments and not {"RUN", "NAME", "--help-all"} & {name, *arguments}:
            importlib.import_module(f"ramnp.{name}").parse(arguments)


def test_the_page_of_commands_has_them_all():
    """Each command has its line in docs/COMMANDS.md."""
    text = (ROOT / "docs" / "COMMANDS.md").read_text("utf-8")
    for name in listing.commands():
        assert f"| `python -m ramnp.{name}" in text, name


def test_the_map_has_every_file():
    """Each source file is named in docs/MAP.md, in the row of its room."""
    text = (ROOT / "docs" / "MAP.md").read_text("utf-8")
    lesson, _, text = text.partition("## Every file")
    rooms = dict(re.findall(r"\| `([\w/]+)/` \| (.*) \|", text))
    for path in sorted((ROOT / "ramnp").rglob("*.py")):
        room, stem = path.parent.name, path.stem
        in_lesson = f"../ramnp/{room}/{path.name}" in lesson
        assert stem == "__init__" or in_lesson or f"`{stem}`" in rooms[room], path
    assert {*rooms} == {"ramnp"} | {
        path.parent.name for path in (ROOT / "ramnp").glob("*/__init__.py")
    }


def test_the_readme_is_short():
    """At most 900 words and 60 numbers: the rest is in docs/."""
    assert len(README.split()) <= 900
    assert len(re.findall(r"(?<![\w.])\d[\d,.]*", README)) <= 60


def test_the_code_of_the_readme_runs(tmp_path):
    """Pasted into a folder with a picture, it says a class and where it looked."""
    digit = small_split(0, 1).images[0]
    Image.fromarray(digit).convert("RGB").save(tmp_path / "picture.png")
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    printed = subprocess.check_output(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
    )
    assert re.match(r"\[\d\] [01]\.\d+\n\[\[\[", printed), printed


def test_metrics_are_all_explained():
    """Each key of metrics.jsonl and result.json has its line in docs/METRICS.md."""
    text = (ROOT / "docs" / "METRICS.md").read_text("utf-8")
    result = (ROOT / "data" / "trained" / "centered.json").read_text("utf-8")
    keys = {*agent_file.METRICS, *diagnostics.METRICS, *re.findall(r'"(\w+)":', result)}
    assert not {key for key in keys if f"`{key}`" not in text}
