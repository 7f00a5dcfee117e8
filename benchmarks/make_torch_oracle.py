"""Compute losses and gradients of three small agents with PyTorch, in float64.

    pip install torch==2.13.0 numpy
    python benchmarks/make_torch_oracle.py ramnp/proofs/torch_oracle.npz

Nothing here is ours but the definition: the agent is written anew, example by example
and pixel by pixel where that is the plainest, and autograd differentiates it. The
proofs read the file; PyTorch itself is needed only to make it again.
"""

import json
import math
import sys

import numpy as np
import torch

SIZES = {"hg_size": 5, "hl_size": 6, "g_size": 7, "h_size": 8, "num_classes": 4}
CONFIGURATIONS = {
    "paper": {"patch_size": 4, "num_glimpses": 4, "location_std": 0.3},
    "dense": {
        "patch_size": 3,
        "num_scales": 3,
        "background": 0.3,
        "num_glimpses": 3,
        "locator_bound": "hard-tanh",
        "baseline_into_core": True,
        "reward": "log-probability",
        "num_rollouts": 2,
        "location_std": 0.5,
    },
    "shared": {
        "patch_size": 3,
        "num_scales": 2,
        "scale_factor": 3,
        "num_glimpses": 5,
        "locator_hidden_size": 9,
        "locator_bound": "tanh",
        "policy_into_core": True,
        "classify_every_step": True,
        "reward": "gain",
        "discount": 0.5,
        "baseline": "leave-one-out",
        "num_rollouts": 3,
        "policy_weight": 0.3,
        "baseline_weight": 0.7,
        "location_std": 0.2,
    },
}
BOUNDS = {
    "none": lambda mean: mean,
    "tanh": torch.tanh,
    "hard-tanh": torch.nn.functional.hardtanh,
}
DEFAULTS = {
    "num_scales": 1,
    "scale_factor": 2,
    "background": 0.0,
    "locator_hidden_size": 0,
    "locator_bound": "none",
    "policy_into_core": False,
    "baseline_into_core": False,
    "classify_every_step": False,
    "reward": "final",
    "discount": 1.0,
    "baseline": "learned",
    "num_rollouts": 1,
    "policy_weight": 1.0,
    "baseline_weight": 1.0,
}


def draw_parameters(rng, c):
    """Draw {network.name: leaf tensor} of order 1, biases too."""
    pair_size = c["hg_size"] + c["hl_size"]
    hidden_size = c["locator_hidden_size"]
    shapes = {
        "glimpse.W_hg": (c["num_scales"] * c["patch_size"] ** 2, c["hg_size"]),
        "glimpse.b_hg": (c["hg_size"],),
        "glimpse.W_hl": (2, c["hl_size"]),
        "glimpse.b_hl": (c["hl_size"],),
        "glimpse.W_g": (pair_size, c["g_size"]),
        "glimpse.b_g": (c["g_size"],),
        "core.W_h": (c["h_size"], c["h_size"]),
        "core.W_g": (c["g_size"], c["h_size"]),
        "core.b_h": (c["h_size"],),
        "location.W_mu": (hidden_size or c["h_size"], 2),
        "location.b_mu": (2,),
        "action.W_a": (c["h_size"], c["num_classes"]),
        "action.b_a": (c["num_classes"],),
        "baseline.W_b": (c["h_size"], 1),
        "baseline.b_b": (1,),
    }
    if hidden_size:
        shapes["location.W_hidden"] = (c["h_size"], hidden_size)
        shapes["location.b_hidden"] = (hidden_size,)
    parameters = {}
    for name, shape in shapes.items():
        fan_in = shape[0] if len(shape) == 2 else 1
        value = rng.standard_normal(shape) / math.sqrt(fan_in)
        parameters[name] = torch.tensor(value, requires_grad=True)
    return parameters


def overlaps(start, cell, patch_size, length):
    """Return (patch, length), the share of each cell of a patch that a pixel covers."""
    rows = torch.zeros(patch_size, length, dtype=torch.float64)
    for i in range(patch_size):
        low, high = start + i * cell, start + (i + 1) * cell
        for pixel in range(length):
            rows[i, pixel] = max(0.0, min(high, pixel + 1) - max(low, pixel)) / cell
    return rows


def glimpse(image, l, c):
    """Return rho for one image and one location: means over areas, scale by scale."""
    height, width = image.shape
    patch_size, scales = c["patch_size"], []
    # The finest patch starts at the whole pixel nearest to where l asks for it.
    centre = [
        round((float(position) + 1) / 2 * length - patch_size / 2) + patch_size / 2
        for position, length in zip(l, (width, height))
    ]
    for j in range(c["num_scales"]):
        cell = c["scale_factor"] ** j
        x, y = (middle - patch_size * cell / 2 for middle in centre)
        columns = overlaps(x, cell, patch_size, width)
        rows = overlaps(y, cell, patch_size, height)
        patch = rows @ (image - c["background"]) @ columns.T + c["background"]
        scales.append(patch.flatten())
    return torch.cat(scales)


def unroll(p, images, locations, c):
    """Return lists over time: logits, means of the policy, baselines."""
    logits, means, baselines = [], [], []
    h = torch.zeros(len(images), c["h_size"], dtype=torch.float64)
    for l in locations:
        rho = torch.stack([glimpse(*pair, c) for pair in zip(images, l)])
        hg = torch.relu(rho @ p["glimpse.W_hg"] + p["glimpse.b_hg"])
        hl = torch.relu(l @ p["glimpse.W_hl"] + p["glimpse.b_hl"])
        pair = torch.cat([hg, hl], dim=1)
        g = torch.relu(pair @ p["glimpse.W_g"] + p["glimpse.b_g"])
        h = torch.relu(h @ p["core.W_h"] + g @ p["core.W_g"] + p["core.b_h"])
        logits.append(h @ p["action.W_a"] + p["action.b_a"])
        below = h if c["policy_into_core"] else h.detach()
        if c["locator_hidden_size"]:
            below = torch.relu(below @ p["location.W_hidden"] + p["location.b_hidden"])
        mean = below @ p["location.W_mu"] + p["location.b_mu"]
        means.append(BOUNDS[c["locator_bound"]](mean))
        below = h if c["baseline_into_core"] else h.detach()
        baselines.append((below @ p["baseline.W_b"] + p["baseline.b_b"])[:, 0])
    return logits, means[:-1], baselines[:-1]


def returns(logits, labels, c):
    """Return R (T - 1, N), the discounted return of each choice."""
    log_p = torch.stack(
        [torch.log_softmax(z, dim=1)[range(len(labels)), labels] for z in logits]
    )
    if c["reward"] == "log-probability":
        reward = log_p
    elif c["reward"] == "gain":
        reward = torch.cat([torch.zeros_like(log_p[:1]), log_p[1:] - log_p[:-1]])
    else:
        reward = torch.zeros_like(log_p)
        reward[-1] = (logits[-1].argmax(dim=1) == labels).double()
    T = len(reward)
    R = [
        sum(c["discount"] ** (s - t - 1) * reward[s] for s in range(t + 1, T))
        for t in range(T - 1)
    ]
    return torch.stack(R).detach()


def advantages(R, baselines, c):
    """Return R less the learned baseline, or less the mean of the other rollouts."""
    if c["baseline"] == "learned":
        return R - torch.stack(baselines).detach()
    M = c["num_rollouts"]
    per_image = R.reshape(len(R), M, -1)
    advantage = torch.empty_like(per_image)
    for m in range(M):
        others = [i for i in range(M) if i != m]
        advantage[:, m] = per_image[:, m] - per_image[:, others].mean(dim=1)
    return advantage.reshape(R.shape)


def solve(rng, settings):
    """Return the stored arrays of one configuration, {name: array}."""
    c = DEFAULTS | SIZES | settings
    parameters = draw_parameters(rng, c)
    images = torch.tensor(rng.random((3, 10, 13)))
    labels = torch.tensor(rng.integers(c["num_classes"], size=3))
    M = c["num_rollouts"]
    shape = (c["num_glimpses"], 3 * M, 2)
    # Some of the locations lie beyond the border.
    locations = torch.tensor(rng.uniform(-1.3, 1.3, shape))
    every_image, every_label = images.repeat(M, 1, 1), labels.repeat(M)

    logits, means, baselines = unroll(parameters, every_image, locations, c)
    R = returns(logits, every_label, c)
    advantage = advantages(R, baselines, c)
    asked = logits if c["classify_every_step"] else logits[-1:]
    cross_entropy = sum(
        torch.nn.functional.cross_entropy(z, every_label) for z in asked
    )
    policy = baseline = 0
    for t, mean in enumerate(means):
        density = torch.distributions.Normal(mean, c["location_std"])
        log_pi = density.log_prob(locations[t + 1]).sum(dim=1)
        policy = policy - c["policy_weight"] * (advantage[t] * log_pi).mean()
        error = torch.nn.functional.mse_loss(baselines[t], R[t])
        baseline = baseline + c["baseline_weight"] * error
    (cross_entropy + policy + baseline).backward()

    stored = {
        "settings": np.array(json.dumps(SIZES | settings)),
        "images": images,
        "labels": labels,
        "locations": locations,
        "R": R,
        "advantage": advantage,
        "losses": torch.stack([cross_entropy, policy, baseline]),
    }
    for name, parameter in parameters.items():
        stored[f"parameter {name}"] = parameter
        stored[f"gradient {name}"] = parameter.grad
    return {
        name: value.detach().numpy() if torch.is_tensor(value) else value
        for name, value in stored.items()
    }


def main(path):
    rng = np.random.default_rng(1406_6247)
    stored = {}
    for configuration, settings in CONFIGURATIONS.items():
        for name, value in solve(rng, settings).items():
            stored[f"{configuration}/{name}"] = value
    np.savez_compressed(path, torch_version=np.array(torch.__version__), **stored)


if __name__ == "__main__":
    main(sys.argv[1])
