"""Which model a configuration means: the agent, or one of the paper's baselines."""

from ramnp.agent import model
from ramnp.comparison import whole_image


def model_of(config):
    """Return the module whose init, num_parameters, rollout and backward to call."""
    return model if config.model == "ram" else whole_image
