"""python -m ramnp.watch: one file, from a run folder, an agent's file or a task."""

import json
import webbrowser

import pytest

from ramnp import train, watch
from ramnp.support.errors import CheckpointError, DataError, UserError
from tests.figures.test_page import data_of
from tests.helpers import TINY_RUN


@pytest.fixture
def opened(monkeypatch):
    """The addresses that a browser was asked to open."""
    addresses = []
    monkeypatch.setattr(webbrowser, "open", addresses.append)
    return addresses


def test_a_run_folder_gets_its_page_on_its_own_data(finished_run, opened, capsys):
    """Scenes come from the data of the run; the page opens in the browser."""
    assert watch.main([str(finished_run)]) == 0
    path = finished_run / "watch.html"
    assert opened == [path.resolve().as_uri()]
    assert str(path) in capsys.readouterr().out
    data = data_of(path.read_text())
    assert data["name"] == finished_run.name
    assert data["scenes"]["width"] == 12
    path.unlink()


def test_an_agents_file_needs_the_data(finished_run, digits_file, tmp_path, opened):
    """--output and --no-open; equal arguments write equal bytes."""
    pages = []
    for name in ("a.html", "b.html"):
        output = tmp_path / name
        arguments = [str(finished_run / "best.npz"), "--data", digits_file]
        watch.main([*arguments, "--no-open", "--output", str(output)])
        pages.append(output.read_bytes())
    assert pages[0] == pages[1] and not opened


def test_a_comparison_network_is_one_line(digits_file, tmp_path, no_pictures):
    """Networks that see the whole image, told before any data is read."""
    folder = str(tmp_path / "whole")
    settings = ["--model=fc", "--image-height=12", "--image-width=12"]
    train.main([*TINY_RUN, *settings, "--data", digits_file, "--run", folder])
    with pytest.raises(UserError, match="has no glimpses") as caught:
        watch.main([folder, "--no-open"])
    assert "\n" not in str(caught.value)


def test_user_errors(finished_run, tmp_path):
    """No such run, no such option, a place that can't be written to, other images."""
    best = str(finished_run / "best.npz")
    for arguments, error in (
        ([str(tmp_path / "nowhere")], CheckpointError),
        (["--nothing"], UserError),
        ([best, "--data", str(tmp_path / "none.npz")], DataError),
        ([str(finished_run), "--no-open", "--output", f"{best}/page"], UserError),
    ):
        with pytest.raises(error) as caught:
            watch.main(arguments)
        assert "\n" not in str(caught.value)


def test_cluttered_is_the_default():
    """The agent that has most to show."""
    assert watch.parse([]).run == "cluttered"


def test_a_moved_run_without_its_config_still_opens(
    finished_run, digits_file, tmp_path, opened
):
    """A folder may hold best.npz alone, if the data is named."""
    folder = tmp_path / "moved"
    folder.mkdir()
    (folder / "best.npz").write_bytes((finished_run / "best.npz").read_bytes())
    assert watch.main([str(folder), "--data", digits_file]) == 0
    config = json.loads((finished_run / "config.json").read_text())
    data = data_of((folder / "watch.html").read_text())
    assert data["config"]["num_glimpses"] == config["num_glimpses"]
