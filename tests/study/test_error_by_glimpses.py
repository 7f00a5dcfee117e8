"""glimpses.png: the errors after each glimpse, from the results."""

import dataclasses
import json
import os

import pytest

from ramnp.figures import curves
from ramnp.study import error_by_glimpses, rows
from ramnp.support.errors import UserError
from tests.study.test_table import put


@pytest.fixture
def panels(monkeypatch):
    """The latest drawing: {title: {name: (glimpses, errors)}}."""
    drawn = {}

    def draw(panels, path, label):
        assert label == "glimpses"
        drawn.clear()
        for title, lines in panels.items():
            drawn[title] = {n: ([*x], [*map(float, y)]) for n, _, x, y, _ in lines}

    monkeypatch.setattr(curves, "draw_errors", draw)
    return drawn


def put_with_metrics(results, table, row, after, **changes):
    """Write a result of one epoch with these errors after each glimpse."""
    config = dataclasses.replace(rows.row_config(table, row), **changes)
    put(results, table, row, config)
    folder = os.path.join(results, rows.Job(table, row, config).folder)
    row = {"epoch": 1, "valid_error": after[-1], "valid_error_after_glimpse": after}
    with open(os.path.join(folder, "metrics.jsonl"), "w") as file:
        file.write(json.dumps(row) + "\n")
    return folder


def test_lines_are_the_means_over_seeds(tmp_path, panels):
    """Of the first configuration of each row that has results."""
    put_with_metrics(tmp_path, "2a", "best", [30.0, 4.0, 2.0])
    put_with_metrics(tmp_path, "2a", "best", [20.0, 3.0, 1.0], seed=1)
    put_with_metrics(tmp_path, "2a", "best", [90.0, 90.0, 90.0], seed=2, h_size=7)
    put_with_metrics(tmp_path, "2a", "ram-8", [80.0, 70.0])
    put_with_metrics(tmp_path, "2a", "ram-6", [1.0])
    put_with_metrics(tmp_path, "2b", "random-8", [60.0, 50.0])
    path = error_by_glimpses.draw_figure(tmp_path)
    assert path == os.path.join(tmp_path, "glimpses.png")
    assert [*panels] == [
        "table 1a: centered",
        "table 1b: translated",
        "table 2a: cluttered",
        "table 2b: cluttered-100",
    ]
    lines = panels["table 2a: cluttered"]
    assert lines["recipe best, validation"] == ([1, 2, 3], [25.0, 3.5, 1.5])
    assert lines["recipe paper, validation"] == ([1, 2], [80.0, 70.0])
    assert lines["the paper, test"] == ([4, 6, 8], [4.96, 4.08, 4.04])
    assert len(lines) == 3
    lines = panels["table 2b: cluttered-100"]
    assert lines["random glimpses, validation"] == ([1, 2], [60.0, 50.0])
    assert lines["the paper, test"] == ([4, 6, 8], [9.41, 8.31, 8.11])
    assert panels["table 1a: centered"].keys() == {"the paper, test"}


def test_without_results_the_papers_points_are_drawn(tmp_path):
    """The same bytes each time."""
    pictures = []
    for _ in range(2):
        with open(error_by_glimpses.draw_figure(tmp_path / "results"), "rb") as file:
            pictures.append(file.read())
    assert pictures[0] == pictures[1] and pictures[0].startswith(b"\x89PNG")


def test_a_result_without_its_metrics_is_one_line(tmp_path, panels):
    """It names the file."""
    folder = put_with_metrics(tmp_path, "1a", "best", [1.0])
    os.remove(os.path.join(folder, "metrics.jsonl"))
    with pytest.raises(UserError, match=r"seed-0/metrics\.jsonl is missing"):
        error_by_glimpses.draw_figure(tmp_path)
