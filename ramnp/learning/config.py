"""Every setting of a run: one flat record with bounds, units and help texts."""

import dataclasses
import difflib
import sys
from dataclasses import dataclass, field

from ramnp.agent.location_network import BOUNDS
from ramnp.comparison.convolutional_network import grid_shape
from ramnp.learning.choices import CHOICES
from ramnp.support.errors import UserError

LARGEST_CELL = 256
# Below these bounds, allocation raises MemoryError; NumPy refuses larger arrays.
LARGEST_SIDE = LARGEST_LAYER = 2**14
LARGEST_COUNT = 2**20


def _setting(default, help, low=None, high=None, above=None, choices=None):
    """Describe a field: inclusive bounds low and high, exclusive bound above."""
    bounds = {"low": low, "high": high, "above": above, "choices": choices}
    return field(default=default, metadata=bounds | {"help": help})


def _count(default, help, low=0):
    return _setting(default, help, low, LARGEST_COUNT)


def _pixels(default, help, low=0):
    return _setting(default, help, low, LARGEST_SIDE)


def _units(default, help, low=1):
    return _setting(default, help, low, LARGEST_LAYER)


def _fraction(default, help):
    return _setting(default, help, 0.0, 1.0)


@dataclass(frozen=True)
class Config:
    """The settings of a run; the defaults are the paper's form of the agent."""

    task: str = _setting(
        "centered",
        "scenes to learn; own: your own images, unchanged, with settings chosen by "
        "their number and size",
        choices=("centered", "translated", "cluttered", "cluttered-100", "own"),
    )
    recipe: str = _setting(
        "quick",
        "set of defaults: quick gives a first result in minutes, paper has the "
        "settings of the paper, best those with the lowest error that we found",
        choices=("quick", "paper", "best"),
    )
    model: str = _setting(
        "ram",
        "the recurrent attention model, or a comparison network that sees the whole "
        "image: fc has two fully connected layers, conv a convolutional and a fully "
        "connected layer",
        choices=CHOICES["model"],
    )
    seed: int = _setting(0, "seed of every random stream of the run", low=0)
    epochs: int = _setting(20, "passes over the training digits", low=1)

    # Scenes
    canvas_size: int = _pixels(
        0, "side of the scene in pixels; 0: the images themselves"
    )
    num_clutter: int = _count(0, "number of pieces of other digits in a scene")
    clutter_size: int = _pixels(8, "side of a piece of clutter in pixels", low=1)
    max_shift: int = _pixels(
        0,
        "augmentation: largest shift of training images in pixels per axis; only "
        "without a canvas",
    )
    deformation: float = _setting(
        0.0,
        "augmentation: random deformation of training digits, as the standard "
        "deviation in pixels of the displacements of a coarse grid",
        low=0.0,
        high=100.0,
    )
    plain_share: float = _fraction(
        0.0, "fraction of the epochs, at the end of the run, without augmentation"
    )
    num_classes: int = _units(10, "number of classes; set by the data", low=2)

    # Glimpse sensor
    sensor: str = _setting(
        "pyramid",
        "the glimpse sensor: concentric patches; wider ones are coarser",
        choices=CHOICES["sensor"],
    )
    patch_size: int = _setting(8, "side of a patch in cells, g_w", low=1, high=1024)
    num_scales: int = _setting(1, "patches in a glimpse, k", low=1, high=16)
    scale_factor: int = _setting(
        2, "ratio of the widths of a patch and the one before", low=1, high=16
    )
    background: float = _fraction(
        0.0, "pixel value beyond the border, 0 to 1, in every channel"
    )

    # Agent
    num_glimpses: int = _count(6, "glimpses at an image, T", low=1)
    policy: str = _setting(
        "learned",
        "locations of the glimpses after the first: learned with REINFORCE, or "
        "uniformly random, for comparison",
        choices=("learned", "random"),
    )
    first_glimpse: str = _setting(
        "random",
        "location of the first glimpse, which is not learned: uniformly random, the "
        "centre, or near it, drawn like the others around a mean that is the centre",
        choices=("random", "center", "near-center"),
    )
    hg_size: int = _units(128, "units that encode what was seen, h_g")
    hl_size: int = _units(128, "units that encode where it was seen, h_l")
    g_size: int = _units(256, "units of a glimpse, g")
    h_size: int = _units(256, "units of the core, h")
    core: str = _setting(
        "rectified", "the core network: rectified units", choices=CHOICES["core"]
    )
    identity_recurrence: bool = _setting(
        False, "initialise the recurrent weights of the core as the identity"
    )
    locator_hidden_size: int = _units(
        0,
        "units of a hidden layer in the location network, trained only by the policy "
        "gradient; 0: no hidden layer",
        low=0,
    )
    locator_bound: str = _setting(
        "none",
        "keep the policy's mean, but not the sample, inside the image by a function "
        "through which the policy gradient passes: hard-tanh is linear up to the border, "
        "where its derivative is 0",
        choices=tuple(BOUNDS),
    )
    location_std: float = _setting(
        0.15, "standard deviation of the policy, in half image sides", above=0.0
    )
    final_location_std: float = _setting(
        0.0,
        "standard deviation at the end of training, approached geometrically; "
        "0: constant",
        low=0.0,
    )
    evaluation_location_std: float = _setting(
        0.0,
        "standard deviation at evaluation and prediction; 0: that of training at the "
        "same epoch",
        low=0.0,
    )
    policy_into_core: bool = _setting(
        False,
        "also backpropagate the policy loss through the location network into the core "
        "and the glimpse network",
    )
    baseline_into_core: bool = _setting(
        False, "also backpropagate the baseline loss into the core"
    )
    classify_every_step: bool = _setting(
        False,
        "apply the cross-entropy after every glimpse, not only after the last: opens a "
        "gradient path into the core at every step",
    )

    # Images
    image_height: int = _pixels(
        28, "height of the images in pixels; set by the data", low=1
    )
    image_width: int = _pixels(
        28, "width of the images in pixels; set by the data", low=1
    )
    channels: int = _setting(
        1,
        "1: images in grey, to which colour is converted; 3: in colour",
        choices=(1, 3),
    )
    resize: bool = _setting(
        False,
        "fit images of another size into --image-height and --image-width, as --size "
        "does: their aspect is kept, the rest is background",
    )
    invert: bool = _setting(False, "turn dark ink on white into white ink on black")

    # Comparison networks
    fc_size: int = _units(256, "units of each fully connected layer of fc and conv")
    num_filter_layers: int = _setting(
        1, "layers of filters of conv, all alike", low=1, high=16
    )
    num_filters: int = _units(16, "filters of each layer of conv")
    filter_size: int = _pixels(10, "side of a filter of conv in pixels", low=1)
    filter_stride: int = _setting(5, "stride of the filters of conv in pixels", low=1)

    # REINFORCE
    reward: str = _setting(
        "final",
        "reward of the policy: 1 for the right class at the end, the log-probability "
        "of the right class after each glimpse, or the gain in it",
        choices=CHOICES["reward"],
    )
    discount: float = _fraction(1.0, "discount of rewards per step, 0 to 1")
    baseline: str = _setting(
        "learned",
        "what is subtracted from the return: the baseline network's output, the mean "
        "return of the image's other rollouts, or nothing",
        choices=("learned", "leave-one-out", "none"),
    )
    num_rollouts: int = _count(1, "rollouts per training image, M", low=1)
    policy_weight: float = _setting(1.0, "weight of the policy loss", low=0.0)
    baseline_weight: float = _setting(1.0, "weight of the baseline loss", low=0.0)

    # Optimisation
    optimizer: str = _setting(
        "sgd",
        "SGD with momentum, Adam, or Muon (which uses Adam for vectors and small "
        "matrices)",
        choices=CHOICES["optimizer"],
    )
    learning_rate: float = _setting(0.01, "step size at the start", above=0.0)
    momentum: float = _setting(
        0.9,
        "momentum of SGD and Muon, decay of Adam's first moment",
        low=0.0,
        high=0.9999,
    )
    schedule: str = _setting(
        "linear",
        "decay of the step size over the run",
        choices=("constant", "linear", "cosine"),
    )
    final_rate: float = _fraction(
        0.0, "step size at the end, as a fraction of the first"
    )
    weight_decay: float = _setting(
        0.0,
        "each step shrinks the weights, but not the biases, by this fraction of the "
        "step size",
        low=0.0,
    )
    clip_norm: float = _setting(
        0.0,
        "clip the norm of the whole gradient at this value; 0: no clipping",
        low=0.0,
    )
    average_decay: float = _setting(
        0.0,
        "decay per step of a running average of the weights, which is evaluated and "
        "saved as the best; 0: no average",
        low=0.0,
        high=0.999999,
    )
    batch_size: int = _count(20, "training images per step", low=1)
    num_shards: int = _setting(
        2, "number of parts of a batch, which threads process in parallel", low=1
    )
    rollouts: int = _setting(
        10, "rollouts averaged in the second test error", low=1, high=1000
    )
    locator_tanh: dataclasses.InitVar[bool | None] = None  # see old_bound

    def __post_init__(self, locator_tanh):
        if locator_tanh is not None:
            object.__setattr__(self, "locator_bound", old_bound(locator_tanh))
        for spec in dataclasses.fields(self):
            check_value(spec, getattr(self, spec.name))
        if self.num_shards > self.batch_size:
            raise UserError(
                f"--num-shards {self.num_shards} is more than the {self.batch_size} "
                "images of a batch: lower it, or raise --batch-size"
            )
        if self.baseline == "leave-one-out" and self.num_rollouts < 2:
            raise UserError(
                "--baseline leave-one-out compares the rollouts of an image: "
                "set --training-rollouts to 2 or more"
            )
        if self.model == "conv":
            shape, seen, remedy = self.scene_shape, "images of {} x {} pixels", ""
            for layer in range(1, self.num_filter_layers + 1):
                if self.filter_size > min(shape):
                    raise UserError(
                        f"--filter-size {self.filter_size} is too large for "
                        f"{seen.format(*shape)}: make it {min(shape)} or less{remedy}"
                    )
                shape = grid_shape(shape, self.filter_size, self.filter_stride)
                seen = f"the {{}} x {{}} places of layer {layer}"
                remedy = ", or lower --num-filter-layers"
        if self.weight_decay * self.learning_rate > 1:
            raise UserError(
                f"--weight-decay {self.weight_decay} times --learning-rate "
                f"{self.learning_rate} is more than 1, which would flip the sign of "
                "weights: lower one of them"
            )
        # Images are padded by cells of the widest patch: bounds the memory.
        widest_cell = self.scale_factor ** (self.num_scales - 1)
        if widest_cell > LARGEST_CELL:
            raise UserError(
                f"--num-scales {self.num_scales} with --scale-factor "
                f"{self.scale_factor} makes cells {widest_cell} pixels wide, more "
                f"than {LARGEST_CELL}: lower one of them"
            )

    @property
    def scene_shape(self):
        """The height and width in pixels of a scene of images of these sizes."""
        if self.canvas_size:
            return self.canvas_size, self.canvas_size
        return self.image_height, self.image_width

    @property
    def input_shape(self):
        """The shape of such a scene: (height, width) or, in colour, (..., 3)."""
        return self.scene_shape + (3,) * (self.channels == 3)


# The first field of each group of options in --help.
SECTIONS = {
    "task": "run",
    "canvas_size": "scenes",
    "sensor": "glimpse sensor",
    "num_glimpses": "agent",
    "image_height": "comparison networks, and images of your own",
    "reward": "REINFORCE",
    "optimizer": "optimisation",
}
# Options with a clearer name than their field; the field's name is accepted, too.
_OPTIONS = {"num_rollouts": "--training-rollouts", "rollouts": "--test-rollouts"}


def old_bound(locator_tanh):
    """Return the locator_bound that its predecessor, locator_tanh, stands for."""
    return {"True": "tanh", "False": "none"}.get(str(locator_tanh), locator_tanh)


def field_named(name):
    """Return the field that a name, its own or its option's, means; or UserError."""
    known = {}
    for spec in dataclasses.fields(Config):
        known[option_name(spec.name)[2:].replace("-", "_")] = known[spec.name] = spec
    name = name.removeprefix("--").replace("-", "_")
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise UserError(f"there is no setting {name}{meant}")
    return known[name]


def option_name(field_name):
    """Return the command-line name of a field."""
    return _OPTIONS.get(field_name, "--" + field_name.replace("_", "-"))


def check_value(spec, value):
    """Raise a UserError that names the option if its value is unusable."""
    bounds = spec.metadata
    name = option_name(spec.name)
    # isinstance would accept a bool as an int.
    right = type(value) is spec.type or (spec.type is float and type(value) is int)
    if not right:
        raise UserError(f"{name} must be of type {spec.type.__name__}, not {value!r}")
    if bounds["choices"] and value not in bounds["choices"]:
        choices = ", ".join(map(str, bounds["choices"]))
        raise UserError(f"{name} {value}: choose one of {choices}")
    # Integers beyond the largest float are not infinite, but overflow.
    if spec.type is float and not abs(value) <= sys.float_info.max:
        raise UserError(f"{name} {value}: must be a finite number")
    for key, wrong, words in (
        ("low", lambda bound: value < bound, "at least"),
        ("high", lambda bound: value > bound, "at most"),
        ("above", lambda bound: value <= bound, "more than"),
    ):
        if bounds[key] is not None and wrong(bounds[key]):
            raise UserError(f"{name} {value}: must be {words} {bounds[key]}")
