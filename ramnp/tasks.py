"""The four tasks: scene, sensor, recipes, and the paper's figures to compare with."""

from ramnp.config import Config
from ramnp.errors import UserError

_SCENE_60 = {"canvas_size": 60, "patch_size": 12, "num_scales": 3, "num_glimpses": 8}

TASKS = {
    "centered": {"patch_size": 8, "num_scales": 1, "num_glimpses": 6},
    "translated": _SCENE_60,
    "cluttered": _SCENE_60 | {"num_clutter": 4},
    "cluttered-100": _SCENE_60
    | {"canvas_size": 100, "num_clutter": 8, "num_scales": 4},
}

# The paper's test errors in percent with as many glimpses: arXiv version, NIPS version.
PAPER_ERRORS = {
    "centered": (1.12, 1.29),
    "translated": (1.20, 1.84),
    "cluttered": (4.04, 5.23),
    "cluttered-100": (8.11, 10.83),
}

# Dense rewards, and a core that the policy gradient may shape a little.
_DENSE = {
    "locator_hidden_size": 128,
    "locator_tanh": True,
    "policy_into_core": True,
    "policy_weight": 0.1,
    "classify_every_step": True,
    "reward": "gain",
    "discount": 0.5,
    "optimizer": "adam",
    "learning_rate": 2e-3,
    "schedule": "cosine",
    "final_rate": 0.01,
    "batch_size": 128,
    "final_location_std": 0.05,
    "average_decay": 0.998,
}

# On a canvas the coarse patches see most of the scene from its centre, and tell where
# the digit is; a first glimpse at random is wasted. Centered digits would be learned by
# heart, were they always seen from the same place.
_DENSE_CANVAS = _DENSE | {"first_glimpse": "center"}

# The paper gives no weights of the loss terms. With 1 for all, the locations run away
# from the image within 30 steps, and the core with them, even at a tenth of the rate.
_PAPER = {"epochs": 200, "policy_weight": 0.01, "baseline_weight": 0.1}

RECIPES = {
    "paper": dict.fromkeys(TASKS, _PAPER),
    "quick": {
        # Larger batches keep two cores busier: more epochs fit into three minutes.
        "centered": _DENSE
        | {
            "epochs": 22,
            "batch_size": 256,
            "learning_rate": 3e-3,
            "average_decay": 0.996,
        },
        "translated": _DENSE_CANVAS | {"epochs": 20},
        "cluttered": _DENSE_CANVAS | {"epochs": 20},
        "cluttered-100": _DENSE_CANVAS | {"epochs": 15},
    },
    "best": {
        "centered": _DENSE | {"epochs": 100},
        "translated": _DENSE_CANVAS | {"epochs": 100},
        "cluttered": _DENSE_CANVAS | {"epochs": 100},
        "cluttered-100": _DENSE_CANVAS | {"epochs": 100},
    },
}


def make_config(task="centered", recipe="quick", **changes):
    """Return the configuration of a task under a recipe, with some fields changed."""
    if task not in TASKS:
        raise UserError(f"--task {task}: choose one of {', '.join(TASKS)}")
    if recipe not in RECIPES:
        raise UserError(f"--recipe {recipe}: choose one of {', '.join(RECIPES)}")
    settings = TASKS[task] | RECIPES[recipe][task] | changes
    return Config(task=task, recipe=recipe, **settings)
