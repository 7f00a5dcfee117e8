"""Every command in README and docs runs as it stands there, on small data."""

import importlib
import json
import os
import re
import shlex
import sys
from pathlib import Path

import pytest
from PIL import Image

from ramnp import __main__ as listing
from ramnp.figures import proofs
from ramnp.proofs import expectation, step_sizes
from ramnp.support import process
from tests.helpers import small_split
from tests.test_gradient_check import few_proofs  # noqa: F401
from tests.test_reproduce import tiny_study  # noqa: F401
from tests.test_train import make_photos

ROOT = Path(__file__).parents[2]
# What is put after a command: small data, and less of what takes time.
SHORTER = {
    "train": ["--epochs=1", "--h-size=16", "--g-size=16", "--hg-size=8"],
    "bench": ["--rounds=1", "--task=cluttered"],
    "reproduce": ["--rows", "best", "--epochs=1"],
    "search": ["--trials=1", "--epochs=1"],
}
ON_DIGITS = ("train", "evaluate", "watch", "bench")


def code_of(text):
    """Return the lines of code of a page: in blocks, indented, and in spans."""
    blocks = re.findall(r"```(?!python)\w*\n(.*?)```", text, flags=re.DOTALL)
    rest = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"^    (\S.*)$", rest, flags=re.MULTILINE)
    return lines + re.findall(r"`([^`\n]+)`", rest)


def commands(page):
    """Return the commands of ramnp on a page, in order, each once."""
    found = []
    for line in code_of(page.read_text("utf-8")):
        _, python, command = line.rpartition("python -m ramnp.")
        command = command.partition(" #")[0].strip()
        if python and command not in ("NAME", "train"):  # in sentences about options
            found.append(command)
    return [*dict.fromkeys(found)]


PAGES, once = {}, set()
for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
    # Its examples run in tests/test_train.py, on data made for each.
    if path.name != "OWN_DATA.md":
        PAGES[path.name] = [line for line in commands(path) if line not in once]
        # The others may leave a run that the same page uses.
        once |= {line for line in PAGES[path.name] if not line.startswith("train")}


@pytest.mark.usefixtures("few_proofs", "tiny_study", "brief_measurements")
@pytest.mark.parametrize("page", [page for page in PAGES if PAGES[page]])
def test_every_command_runs(page, digits_file, monkeypatch, capfd):
    """In the order of the page, in a folder with pictures of one's own."""
    monkeypatch.setattr(proofs, "draw_proofs", lambda *given: None)
    monkeypatch.setattr(expectation, "estimates", lambda seed: ["exact", seed])
    errors = [step_sizes.Errors(1e-5, 4e-9, 5e-9)]
    monkeypatch.setattr(step_sizes, "errors_by_step", lambda seed: errors)
    make_photos()
    Path("docs").mkdir()
    digit = Image.fromarray(255 - small_split(0, 1).images[0])
    for name in ("photo.jpg", "digit.jpg"):
        digit.resize((300, 300)).convert("RGB").save(name)
    for line in PAGES[page]:
        line = line.replace("RUN", "cluttered").replace("results/", f"{ROOT}/results/")
        name, *arguments = shlex.split(line)
        if "--resume" not in arguments and "--only-table" not in arguments:
            arguments += SHORTER.get(name, [])
        if name in ON_DIGITS and not {"--data", "--resume"} & {*arguments}:
            arguments += ["--data", digits_file]
        if name == "watch" and "--no-open" not in arguments:
            arguments.append("--no-open")
        try:
            code = importlib.import_module(f"ramnp.{name}").main(arguments)
        except SystemExit as end:  # --help-all
            code = end.code
        assert code == 0, line


def test_every_page_with_commands_is_known():
    """Where they are found today, they are looked for tomorrow."""
    numbers = {name: len(found) for name, found in PAGES.items() if found}
    assert numbers.keys() >= {"README.md", "COMMANDS.md", "GRADIENTS.md", "RESULTS.md"}
    rows = (
        (ROOT / "docs" / "COMMANDS.md").read_text("utf-8").count("| `python -m ramnp.")
    )
    assert numbers["COMMANDS.md"] == rows > 10 and numbers["README.md"] >= 6


def test_the_page_of_commands_has_them_all():
    """Each command has its line in docs/COMMANDS.md."""
    text = (ROOT / "docs" / "COMMANDS.md").read_text("utf-8")
    for name in listing.commands():
        assert f"| `python -m ramnp.{name}" in text, name


def test_the_page_of_commands_has_every_environment_variable():
    """All that the package reads, but for those between its own processes."""
    text = (ROOT / "docs" / "COMMANDS.md").read_text("utf-8")
    sources = "".join(p.read_text("utf-8") for p in (ROOT / "ramnp").rglob("*.py"))
    names = {*re.findall(r'"([A-Z]+_[A-Z_]+)"', sources)}
    assert len(names) == 6
    names -= {process.SUPERVISED, process.WORKER}
    assert {name for name in names if f"`{name}`" not in text} == set()


@pytest.mark.usefixtures("no_pictures")
def test_the_example_in_python_runs(digits_file, tmp_path, monkeypatch, capsys):
    """ramnp.fit, as it stands in docs/COMMANDS.md, on small data."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "COMMANDS.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    exec(code.replace("epochs=", f"data={digits_file!r}, h_size=16, epochs="), {})  # noqa: S102
    assert 0 <= float(capsys.readouterr().out.splitlines()[-1]) <= 100


def test_the_cost_of_images_is_measured_and_drawn(digits_file, tmp_path, monkeypatch):
    """benchmarks/cost_growth.py, at one or two points each."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    script = importlib.import_module("cost_growth")
    for name in ("cost_growth", "figures"):
        monkeypatch.delitem(sys.modules, name)
    for name, values in (
        ("GLIMPSES", (2, 3)),
        ("BATCHES", (1, 2)),
        ("SIDES", (28, 40)),
    ):
        monkeypatch.setattr(script, name, values)
    monkeypatch.setattr(script, "ROUNDS", 1)
    monkeypatch.setattr(script, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    script.main(["--data", digits_file])
    assert sorted(os.listdir(tmp_path / "docs")) == [
        "cost_growth.json",
        "cost_growth.png",
    ]
    report = json.loads((tmp_path / "docs" / "cost_growth.json").read_text())
    assert [point["side"] for point in report["side"]] == [28, 40]
