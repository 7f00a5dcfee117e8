"""Registries of the choices that a configuration names, and the place to add more.

    choices.register("reward", "half", my_function)

adds the choice --reward half. A core or a sensor is a module with the functions of
agent/core_network.py or agent/glimpse_sensor.py, an optimiser an
optimizers.Optimizer, a reward a function like those of reinforce.REWARDS.
"""

from ramnp.agent import model
from ramnp.comparison import whole_image
from ramnp.learning import optimizers, reinforce

MODELS = {"ram": model, "fc": whole_image, "conv": whole_image}
CHOICES = {
    "model": MODELS,
    "core": model.CORES,
    "sensor": model.SENSORS,
    "reward": reinforce.REWARDS,
    "optimizer": optimizers.OPTIMIZERS,
}


def register(setting, name, choice):
    """Add a choice to a setting; raises ValueError if the name is taken."""
    if CHOICES[setting].setdefault(name, choice) is not choice:
        raise ValueError(f"{setting} {name} is already registered")


def model_of(config):
    """Return the module with shapes, init, rollout and backward for a configuration."""
    return MODELS[config.model]


def origins(config):
    """Return {setting: (module, name)}, where each choice of a configuration is defined.

    Two processes compute the same if their origins are equal.
    """
    return {
        setting: _origin(choices.get(getattr(config, setting)))
        for setting, choices in CHOICES.items()
    }


def _origin(choice):
    if hasattr(choice, "__file__"):  # a module
        return choice.__name__, ""
    choice = getattr(choice, "step", choice)
    return getattr(choice, "__module__", ""), getattr(choice, "__qualname__", "")
