"""cost.png: the errors by multiply-adds, from the results."""

import dataclasses
import os

import pytest

from ramnp.agent import parameters
from ramnp.figures import curves
from ramnp.learning.choices import model_of
from ramnp.study import error_by_cost, rows
from tests.study.test_table import put


def test_the_agents_multiply_adds():
    """T glimpses, T - 1 locations, one classification; no baseline."""
    config = rows.row_config("2a", "best")
    g = 3 * 12**2 * 576 + 2 * 128 + (576 + 128) * 256
    h = 256 * 384 + 384**2
    location = 384 * 128 + 128 * 2
    expected = 8 * (g + h) + 7 * location + 384 * 10
    assert error_by_cost.cost(config) == expected


def test_the_multiply_adds_of_networks_that_see_the_whole_image():
    """A filter works at each place of its grid, all else once."""
    fc = 3600 * 64 + 64 * 64 + 64 * 10
    assert error_by_cost.cost(rows.row_config("2a", "fc-64")) == fc
    conv = 11**2 * 100 * 16 + 11**2 * 16 * 256 + 256 * 10
    assert error_by_cost.cost(rows.row_config("2a", "conv")) == conv
    layers = 29**2 * 9 * 64 + (14**2 + 6**2 + 2**2) * 9 * 64 * 64
    deep = layers + 2**2 * 64 * 256 + 256 * 10
    assert error_by_cost.cost(rows.row_config("2a", "conv-best")) == deep


@pytest.mark.parametrize("table", ["1a", "1b", "2a", "2b"])
def test_the_larger_network_has_no_more_parameters_than_the_agent(table):
    """So the comparison is one of how they look, not of their sizes."""
    ours, theirs = (
        parameters.size(model_of(config).shapes(config))
        for config in (rows.row_config(table, row) for row in ("best", "conv-best"))
    )
    assert theirs <= ours


def test_lines_are_the_means_of_each_row(tmp_path, monkeypatch):
    """The paper's points, ours as far as there are results, and the lowest published."""
    monkeypatch.setattr(curves, "draw_errors", lambda *drawn, log: panels.append(drawn))
    panels = []
    best = rows.row_config("2a", "best")
    put(tmp_path, "2a", "best", best, test_error=1.0)
    put(tmp_path, "2a", "best", dataclasses.replace(best, seed=1), test_error=2.0)
    for row, error in (("ram-8", 5.0), ("ram-4", 6.0), ("fc-64", 30.0), ("conv", 9.0)):
        put(tmp_path, "2a", row, rows.row_config("2a", row), test_error=error)
    for row in ("best-plain", "random-8"):
        put(tmp_path, "2a", row, rows.row_config("2a", row), test_error=99.0)
    path = error_by_cost.draw_figure(tmp_path)
    assert path == os.path.join(tmp_path, "cost.png")
    ((drawn, _, label),) = panels
    assert label == "million multiply-adds per image"
    assert len(drawn) == 4
    lines = {line.name: line for line in drawn["table 2a: cluttered"]}
    assert lines["recipe best"].errors == [1.5]
    (cost,) = lines["recipe best"].x
    assert cost == error_by_cost.cost(best) / 1e6
    assert lines["recipe paper"].errors == [6.0, 5.0]  # by cost
    assert lines["whole image, recipe quick"].errors == [30.0, 9.0]
    assert lines["the paper, glimpses"].errors == [4.96, 4.08, 4.04]
    assert sorted(lines["the paper, whole image"].errors) == [8.09, 11.96, 28.58]
    published = lines["lowest published, glimpses only"]
    assert published.errors == [2.63, 2.63]
    costs = [x for line in lines.values() for x in line.x]
    assert published.x == [min(costs), max(costs)]
    assert "recipe quick" not in lines and "whole image, recipe best" not in lines


def test_without_results_the_papers_points_are_drawn(tmp_path):
    """The same bytes each time."""
    pictures = []
    for _ in range(2):
        with open(error_by_cost.draw_figure(tmp_path / "results"), "rb") as file:
            pictures.append(file.read())
    assert pictures[0] == pictures[1]
