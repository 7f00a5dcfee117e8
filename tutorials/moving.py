"""Something to move in a notebook: sliders and a canvas, by plain JavaScript.

Each function returns an object that a notebook shows as HTML. It needs no library and
no network, and still moves in the saved notebook, where that is trusted to run scripts.
"""

import base64
import json
from pathlib import Path

import numpy as np

from ramnp.figures.style import COLOURS

SCRIPT = Path(__file__).with_suffix(".js")
STYLE = (
    "background:#fff;color:#1F2430;padding:12px;max-width:640px;"
    "box-sizing:border-box;font:14px sans-serif"
)


class Moving:
    """A box that one function of moving.js fills from data."""

    def __init__(self, kind, data):
        self.kind, self.data = kind, data

    def __repr__(self):
        return f"something to move: {self.kind}"

    def script(self):
        """Return moving.js with the colours of all pictures."""
        text = SCRIPT.read_text("utf-8")
        return text.replace("/*COLOURS*/ {}", json.dumps(COLOURS))

    def _repr_html_(self):
        data = json.dumps(self.data, separators=(",", ":"))
        name = f"ramnp-{self.kind}"
        return (
            f'<div class="{name}" style="{STYLE}"></div>\n<script>(() => {{\n'
            f"{self.script()}\nconst data = {data};\n"
            f'document.querySelectorAll(".{name}:empty").forEach('
            f"(box) => ramnp.{self.kind}(box, data));\n}})();</script>"
        )


def retina(images, patch_size, num_scales):
    """Drag the retina over square images (N, side, side) with pixels in 0..1."""
    data = {"side": images.shape[1], "patch": patch_size, "scales": num_scales}
    return Moving("retina", data | {"images": _packed(images)})


def darts(peak, width, mu, std):
    """Throw darts at a bump of this width, and see REINFORCE's gradient."""
    data = {"peak": list(peak), "width": width, "mu": list(mu), "std": std}
    return Moving("darts", data)


def agent(images, labels, seen, config):
    """Go through the glimpses of a trained agent; seen is what `predict` returned."""
    data = {
        "side": images.shape[1],
        "patch": config.patch_size,
        "scales": config.num_scales,
        "images": _packed(images),
        "labels": [int(label) for label in labels],
        "locations": np.round(seen.locations.astype(float), 6).tolist(),
        "probabilities": np.round(seen.step_probabilities.astype(float), 4).tolist(),
    }
    return Moving("agent", data)


def _packed(images):
    """Return each image as text: its bytes in base 64."""
    pixels = np.rint(255 * images).astype(np.uint8)
    return [base64.b64encode(image.tobytes()).decode("ascii") for image in pixels]
