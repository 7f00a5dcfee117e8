"""The four tasks: scene, sensor, recipes, and the paper's figures to compare with."""

from ramnp.config import Config
from ramnp.errors import UserError

RETINA_12 = dict(patch_size=12, num_glimpses=8)

TASKS = {
    "centered": dict(patch_size=8, num_scales=1, num_glimpses=6),
    "translated": dict(canvas_size=60, num_scales=3, **RETINA_12),
    "cluttered": dict(canvas_size=60, num_clutter=4, num_scales=3, **RETINA_12),
    "cluttered-100": dict(canvas_size=100, num_clutter=8, num_scales=4, **RETINA_12),
}

# Dense rewards, and a core that the policy gradient may shape a little.
STRONG = dict(
    locator_hidden_size=128,
    locator_tanh=True,
    policy_into_core=True,
    policy_weight=0.1,
    classify_every_step=True,
    reward="gain",
    discount=0.5,
    optimizer="adam",
    learning_rate=1e-3,
    schedule="cosine",
    final_rate=0.01,
    batch_size=128,
)

RECIPES = {
    "paper": dict.fromkeys(TASKS, dict(epochs=200)),
    "quick": {
        "centered": dict(STRONG, epochs=20),
        "translated": dict(STRONG, epochs=10),
        "cluttered": dict(STRONG, epochs=10),
        "cluttered-100": dict(STRONG, epochs=10),
    },
    "best": dict.fromkeys(TASKS, dict(STRONG, epochs=100)),
}


def make_config(task="centered", recipe="quick", **overrides):
    """Return the configuration of a task under a recipe, with some fields changed."""
    if task not in TASKS:
        raise UserError(f"--task {task}: choose one of {', '.join(TASKS)}")
    if recipe not in RECIPES:
        raise UserError(f"--recipe {recipe}: choose one of {', '.join(RECIPES)}")
    settings = TASKS[task] | RECIPES[recipe][task] | overrides
    return Config(task=task, recipe=recipe, **settings)
