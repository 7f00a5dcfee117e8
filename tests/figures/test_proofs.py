"""The picture of the proofs is drawn, whole and from what was measured."""

import numpy as np
import pytest
from PIL import Image

from ramnp.figures import proofs
from ramnp.proofs import expectation, step_sizes
from ramnp.proofs.step_sizes import Errors


@pytest.fixture
def quick(monkeypatch):
    """Little to measure: three steps, two batches."""
    monkeypatch.setattr(expectation, "BATCHES", 2)
    monkeypatch.setattr(
        expectation.sampled_gradients.__wrapped__, "__defaults__", (("policy",), 2)
    )
    errors = [Errors(10.0**-i, 10.0**-2 * i, 10.0**i) for i in range(3)]
    monkeypatch.setattr(step_sizes, "errors_by_step", lambda seed: errors)


def test_draws_a_picture(quick, oracle_rows, tmp_path):
    """A PNG with something in each of its parts; nothing but it is left."""
    path = tmp_path / "proofs.png"
    proofs.draw_proofs(oracle_rows, 0, path)
    pixels = np.asarray(Image.open(path).convert("L"))
    height, width = pixels.shape
    for part in (
        pixels[:, : width // 2],
        pixels[: height // 2, width // 2 :],
        pixels[height // 2 :, width // 2 :],
    ):
        assert (part < 200).mean() > 0.005
    assert [*tmp_path.iterdir()] == [path]
