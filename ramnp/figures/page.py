"""The page that shows an agent looking at images: one self-contained HTML file.

Its sources are in the folder page/: text, style and scripts, of which agent.js
implements the forward pass. This module assembles them into one file with an agent's
weights, settings and some scenes.
"""

import base64
import hashlib
import json
import math
import re
from pathlib import Path

import numpy as np

from ramnp.agent import parameters
from ramnp.support.errors import UserError, brief

SOURCE = Path(__file__).parent / "page"
SCRIPTS = ("agent.js", "scene.js", "page.js", "view.js", "controls.js")
# The settings that the script needs.
SETTINGS = (
    "policy",
    "first_glimpse",
    "num_glimpses",
    "patch_size",
    "num_scales",
    "scale_factor",
    "background",
    "locator_bound",
    "num_clutter",
    "clutter_size",
    "invert",
)
# The named choices that the script implements.
KNOWN = {"core": "rectified", "sensor": "pyramid"}
NETWORKS = ("glimpse", "core", "location", "action")
# The page stays small enough to be mailed: scenes and digits are cut off at these sizes.
MOST_SCENES = 100
SCENE_BYTES = 250_000
DIGIT_BYTES = 50_000


def check(agent, name):
    """Raise UserError if the page cannot show the agent of this name."""
    if agent.config.model != "ram":
        raise UserError(
            f"{name} is a comparison network ({agent.config.model}), which has no "
            "glimpses: choose an agent whose --model is ram"
        )
    for setting, known in KNOWN.items():
        chosen = getattr(agent.config, setting)
        if chosen != known:
            raise UserError(
                f"{name} has the {setting} {brief(chosen)}, which the page's script does "
                f"not compute: choose an agent with the {setting} {known}"
            )


def fill(agent, name, scenes, labels, digits, class_names):
    """Return the page as HTML, for an agent called `name`.

    scenes (N, height, width, ...) in 0..1 with labels (N,) are its test scenes, digits
    (N, height, width, ...) the uint8 images that they are made of. As many of them as
    fit go into the page. Equal arguments give equal text.
    """
    check(agent, name)
    scenes = scenes[: min(MOST_SCENES, max(4, SCENE_BYTES // scenes[0].size))]
    digits = digits[: max(2, DIGIT_BYTES // digits[0].size)]
    cut_for_clutter = digits if agent.config.num_clutter else digits[:1]
    weights = {network: agent.params[network] for network in NETWORKS}
    vector, _ = parameters.flatten(weights)
    data = {
        "name": name,
        "config": {key: getattr(agent.config, key) for key in SETTINGS},
        "location_std": agent.location_std,
        "num_weights": agent.num_parameters,
        "shapes": [
            [network, key, array.size]
            for network, arrays in weights.items()
            for key, array in arrays.items()
        ],
        **_encode_weights(vector),
        "classes": [str(label) for label in class_names],
        "scenes": _encode_images(np.rint(255 * scenes).astype(np.uint8))
        | {"labels": labels[: len(scenes)].tolist()},
        "digits": _encode_images(cut_for_clutter),
    }
    style = _read("page.css")
    script = "\n".join(_read(part) for part in SCRIPTS)
    return assemble(_read("page.html"), style, script, data)


def assemble(html, style, script, data):
    """Put the parts into the places that page.html keeps for them.

    Inserted parts are not searched for places, so data stays data. As JSON without a
    "<" it cannot end the element that contains it, and the page's Content-Security-
    Policy allows no other script.
    """
    parts = {
        "style": style,
        "script": script,
        "style hash": _hash(style),
        "script hash": _hash(script),
        "data": json.dumps(data, allow_nan=False).replace("<", "\\u003c"),
    }
    return re.sub(r"\{\{([a-z ]+)\}\}", lambda match: parts[match[1]], html)


def _read(name):
    return (SOURCE / name).read_text("utf-8")


def _hash(text):
    """Return the Content-Security-Policy's name of an inline style or script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _encode_weights(vector):
    """Encode float32 as float16 if that is lossless, as in an agent's file."""
    with np.errstate(over="ignore"):
        half = vector.astype("<f2")
    exact = np.array_equal(half.astype(np.float32), vector)
    kept = half if exact else vector.astype("<f4")
    return {
        "dtype": kept.dtype.name,
        "weights": base64.b64encode(kept.tobytes()).decode(),
    }


def _encode_images(images):
    _, height, width, *channels = images.shape
    size = {"height": height, "width": width, "channels": math.prod(channels)}
    return size | {"bytes": base64.b64encode(images.tobytes()).decode()}
