"""The tests notice when the numerical files are changed, whatever the change.

Needs mutmut and about an hour: pip install "mutmut>=3.5,<4"; pytest -m slow
tests/test_mutation.py
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NUMERICAL = [
    "ramnp/networks/*.py",
    "ramnp/model.py",
    "ramnp/reinforce.py",
    "ramnp/parameters.py",
    "ramnp/optimizers.py",
    "ramnp/datasets/scenes.py",
]
TESTS = [
    "tests/networks",
    "tests/test_model.py",
    "tests/test_reinforce.py",
    "tests/test_parameters.py",
    "tests/test_optimizers.py",
    "tests/datasets/test_scenes.py",
    "tests/proofs/test_stored_oracle.py",
]
SETTINGS = f"""
[tool.mutmut]
source_paths = ["ramnp"]
only_mutate = {NUMERICAL}
pytest_add_cli_args_test_selection = {TESTS}
use_git_change_detection = false
"""


@pytest.mark.slow
def test_mutants_are_killed(tmp_path):
    """Of all mutants of the numerical files at least 85 % fail a test.

    The rest print with `mutmut results`; many are no mistakes, such as another
    spelling of the same number or a default that no one relies on.
    """
    for name in ("ramnp", "tests"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    (tmp_path / "pyproject.toml").write_text(project + SETTINGS, "utf-8")

    for command in ("run", "export-cicd-stats"):
        arguments = [sys.executable, "-m", "mutmut", command]
        subprocess.run(arguments, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    stats = json.loads((tmp_path / "mutants/mutmut-cicd-stats.json").read_text())
    killed = stats["killed"] + stats["timeout"] + stats["segfault"]
    assert stats["total"] > 1000
    assert killed >= 0.85 * stats["total"], stats
