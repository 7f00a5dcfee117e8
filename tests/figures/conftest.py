"""What the tests of figures share: an agent's look at random images, figures caught."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ramnp.agent import glimpse_sensor
from ramnp.learning.config import Config
from ramnp.learning.predictor import Seen


def scenario(images=2, shape=(28, 28), spread=0.5, classes=10, **settings):
    """Draw random images, labels, and what an agent could have seen of them."""
    config = Config(num_classes=classes, **{"num_glimpses": 2} | settings)
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet(np.ones(classes), (images, config.num_glimpses))
    final = probabilities[:, -1]
    seen = Seen(
        classes=final.argmax(axis=1),
        probabilities=final,
        locations=rng.normal(0, spread, (images, config.num_glimpses, 2)),
        step_probabilities=probabilities,
    )
    labels = rng.integers(classes, size=images).astype(np.uint8)
    return rng.random((images, *shape)), labels, seen, config


def drawn_boxes(ax):
    """Edges (n, 4) of the boxes in axes, in the order in which they were drawn."""
    boxes = [p.get_bbox().extents for p in ax.patches if isinstance(p, Rectangle)]
    return np.array(boxes)


def sensor_windows(image, locations, config):
    """The sensor's own windows (T, k, 4) at locations (T, 2) of an image."""
    return glimpse_sensor.windows(
        locations,
        image.shape[:2],
        config.patch_size,
        config.num_scales,
        config.scale_factor,
    )


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were made, in order."""
    made, init = [], Figure.__init__

    def keep(figure, *args, **kwargs):
        init(figure, *args, **kwargs)
        made.append(figure)

    monkeypatch.setattr(Figure, "__init__", keep)
    return made


def assert_whole(figure):
    """Every text that is not clipped, every title and all axes lie in the picture."""
    artists = [*figure.texts, *figure.axes]
    artists += [t for ax in figure.axes for t in ax.texts if not t.get_clip_on()]
    for artist in artists:
        box = artist.get_tightbbox() or artist.get_window_extent()
        assert -1 <= box.x0 < box.x1 <= figure.bbox.x1 + 1, artist  # pixels
        assert -1 <= box.y0 < box.y1 <= figure.bbox.y1 + 1, artist


def assert_apart(texts):
    """No two of the texts overlap."""
    boxes = [text.get_window_extent() for text in texts]
    for i, box in enumerate(boxes):
        for j in range(i):
            assert not box.overlaps(boxes[j]), (texts[i], texts[j])
