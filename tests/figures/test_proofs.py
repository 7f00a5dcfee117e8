"""The picture of the proofs shows all that it is given."""

import numpy as np
from PIL import Image

from ramnp.figures import proofs

ERRORS = {
    "complex step": {"core.W_h": 1e-15, "core.b_h": 0.0},
    "central differences": {"core.W_h": 1e-9, "core.b_h": 1e-10},
    "PyTorch": {"core.W_h": 1e-14, "core.b_h": 1e-15},
}
LIMITS = {"complex step": 1e-12, "central differences": 1e-6, "PyTorch": 1e-12}
STEPS = [(10.0**-i, 10.0 ** (-2 * i), 10.0**-i) for i in range(1, 4)]
ESTIMATES = {"no baseline": np.array([-2.0, 1.0]), "learned": np.array([-1.0, 0.0])}


def draw(path):
    proofs.draw_proofs(ERRORS, LIMITS, STEPS, -0.25, ESTIMATES, path)


def test_shows_the_numbers(monkeypatch):
    """Errors and limits, errors by step, estimates with their mean and exact value."""
    figures = []
    monkeypatch.setattr(proofs, "save", lambda figure, path: figures.append(figure))
    draw(None)
    (errors, steps, baselines) = figures[0].axes

    def xs(ax):
        return [[*line.get_xdata()] for line in ax.lines]

    assert xs(errors)[:3] == [[1e-9, 1e-10], [1e-14, 1e-15], [1e-15, 1e-17]]
    assert {1e-6, 1e-12} < {x for x, *_ in xs(errors)[3:]}
    tensors = [label.get_text() for label in errors.get_yticklabels()]
    assert tensors == ["core.W_h", "core.b_h"]
    by_differences, by_complex_step = (line.get_ydata() for line in steps.lines)
    assert [*zip(xs(steps)[0], by_complex_step, by_differences)] == STEPS
    assert xs(baselines) == [[-2, 1], [-0.5], [-1, 0], [-0.5], [-0.25, -0.25]]


def test_writes_one_file(tmp_path):
    """The PNG has the size of the one in the document; no other file remains."""
    path = tmp_path / "proofs.png"
    draw(path)
    with Image.open(path) as image:
        assert image.format == "PNG" and image.size == (1210, 704)
    assert [*tmp_path.iterdir()] == [path]
