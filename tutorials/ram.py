"""The Recurrent Attention Model (Mnih et al., NIPS 2014) in one file, NumPy alone.

    python tutorials/ram.py          follow a sign, in seconds
    python tutorials/ram.py mnist    read digits, in minutes, with MNIST in data/

After each of T glimpses of an image the agent names a class, taught by cross-entropy,
and chooses where to look next, taught by REINFORCE: l_t, the location of glimpse t, is
drawn around mu_t, made of glimpses 1 to t - 1. B: images, p: weights, c: settings.
"""

import sys

import numpy as np

SIGN = {"T": 2, "patch": 8, "scales": 1, "C": 2, "size": 32, "first": "center"}
SIGN |= {"B": 64, "steps": 1000, "rate": 5e-3, "std": (0.5, 0.1), "slow": {}}
MNIST = {"T": 6, "patch": 8, "scales": 1, "C": 10, "size": 256, "first": "random"}
MNIST |= {"B": 128, "steps": 7000, "rate": 2e-3, "std": (0.2, 0.05), "slow": {"mu": 10}}


def glimpse(x, l, patch, scales):
    """Return rho(x, l) (B, scales · patch²): means over larger squares; even sides."""
    B, side, _ = x.shape
    framed = np.pad(x, ((0, 0), (1, 1), (1, 1)))  # a black frame: beyond is black, too
    shift = l * side / 2  # l is (-1, -1) at the top left, (1, 1) opposite
    first = (side - patch) // 2 + np.sign(shift) * np.floor(np.abs(shift) + 0.5)
    rho = []
    for cell in 2 ** np.arange(scales):
        pixels = np.arange(patch * cell) - patch * (cell - 1) // 2
        at = (first.astype(int)[:, :, None] + pixels).clip(-1, side) + 1
        seen = framed[np.arange(B)[:, None, None], at[:, 1, :, None], at[:, 0, None]]
        rho.append(seen.reshape(B, patch, cell, patch, cell).mean(axis=(2, 4)))
    return np.stack(rho, axis=1).reshape(B, -1)


def init(rng, c):
    """Draw the weights of all networks, W ~ N(0, gain² / inputs); biases are 0."""
    size, rho, gain = c["size"], c["scales"] * c["patch"] ** 2, np.sqrt(2)
    sizes = {"what": (rho, size // 2, gain), "where": (2, size // 2, gain)}
    sizes |= {"glimpse": (size, size, gain), "core": (2 * size, size, gain)}
    sizes |= {"mu": (size, 2, 0.1), "class": (size, c["C"], 1.0), "b": (size, 1, 0.1)}
    p = {}
    for name, (inputs, outputs, gain) in sizes.items():
        W = rng.standard_normal((inputs, outputs)) * gain / np.sqrt(inputs)
        p[name] = np.vstack([W, np.zeros(outputs)]).astype(np.float32)
    return p


def affine(W, x):
    """Return y = x W + b; b is the last row of the matrix."""
    return x @ W[:-1] + W[-1]


def affine_backward(dy, W, x):
    """Return dx, and dW summed over everything that W was used for."""
    rows, drows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    return dy @ W[:-1].T, np.vstack([rows.T @ drows, drows.sum(axis=0)])


def look(p, x, std, rng, c):
    """Look at images x (B, side, side); return all that was seen, (T, B, ...) each."""
    h, mu = np.zeros((len(x), c["size"]), x.dtype), np.zeros((len(x), 2), x.dtype)
    names, kept = ("l", "mu", "rho", "pair", "g", "gh", "h", "y", "b"), []
    for t in range(c["T"]):
        l = mu + std * rng.standard_normal(mu.shape, mu.dtype)
        if t == 0:
            l = mu if c["first"] == "center" else 2 * rng.random(mu.shape, mu.dtype) - 1
        rho = glimpse(x, l, c["patch"], c["scales"])
        what_where = [affine(p["what"], rho), affine(p["where"], l)]
        pair = np.maximum(np.concatenate(what_where, axis=1), 0)
        g = np.maximum(affine(p["glimpse"], pair), 0)
        gh = np.concatenate([g, h], axis=1)
        h = np.maximum(affine(p["core"], gh), 0)
        y, b = affine(p["class"], h), affine(p["b"], h)
        kept.append((l, mu, rho, pair, g, gh, h, y, b))
        mu = affine(p["mu"], h)
    return {name: np.stack(arrays) for name, arrays in zip(names, zip(*kept))}


def gradient(p, seen, labels, R, std, c):
    """Return the gradient of the hybrid loss by every W: `look` read upwards.

    Per image, with l_t, R and the factor (R - b) held fixed, b from glimpse t - 1:
      Σ_t -log p_t(label) - Σ_{t>1} (R - b) log N(l_t; mu_t, std²) + Σ_{t>1} (R - b)²
    """
    h, T, B, grads = seen["h"], len(seen["h"]), len(labels), {}
    e = np.exp(seen["y"] - seen["y"].max(axis=2, keepdims=True))
    dy = e / e.sum(axis=2, keepdims=True)
    dy[:, np.arange(B), labels] -= 1  # p - onehot(label)
    dh, grads["class"] = affine_backward(dy / B, p["class"], h)
    advantage, before = R[:, None] - seen["b"][:-1], h[:-1]
    dmu = -advantage / B * (seen["l"][1:] - seen["mu"][1:]) / std**2
    _, grads["mu"] = affine_backward(dmu, p["mu"], before)  # these two go no further
    _, grads["b"] = affine_backward(-2 / B * advantage, p["b"], before)
    dz, W_h = np.empty_like(dh), p["core"][c["size"] : -1]
    for t in reversed(range(T)):  # h_t is used at t and at t + 1: the only recursion
        dz[t] = (dh[t] + (dz[t + 1] @ W_h.T if t + 1 < T else 0)) * (h[t] > 0)
    dgh, grads["core"] = affine_backward(dz, p["core"], seen["gh"])
    dg = dgh[..., : c["size"]] * (seen["g"] > 0)
    dpair, grads["glimpse"] = affine_backward(dg, p["glimpse"], seen["pair"])
    dwhat, dwhere = np.split(dpair * (seen["pair"] > 0), 2, axis=2)
    _, grads["what"] = affine_backward(dwhat, p["what"], seen["rho"])
    _, grads["where"] = affine_backward(dwhere, p["where"], seen["l"])
    return grads


def train(c, x, labels, rng):
    """Return weights after c["steps"] steps of Adam, each on a batch drawn anew."""
    p = init(rng, c)
    m, v = ({name: np.zeros_like(W) for name, W in p.items()} for _ in range(2))
    for step in range(1, c["steps"] + 1):
        done, i = step / c["steps"], rng.integers(len(x), size=c["B"])
        std = c["std"][0] ** (1 - done) * c["std"][1] ** done  # explore, then aim
        seen = look(p, x[i], std, rng, c)
        R = (seen["y"][-1].argmax(axis=1) == labels[i]).astype(x.dtype)  # the reward
        rate = c["rate"] * (1 - done) * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        for key, dW in gradient(p, seen, labels[i], R, std, c).items():
            m[key] += 0.1 * (dW - m[key])
            v[key] += 0.001 * (dW**2 - v[key])
            p[key] -= rate / c["slow"].get(key, 1) * m[key] / np.sqrt(v[key] + 1e-16)
        if step % (c["steps"] // 10) == 0:
            print(f"step {step}: {100 * R.mean():.0f} % of the batch right", flush=True)
    return p


def signs(rng, B):
    """Draw scenes (B, 24, 24): a dot says which of two bars counts. Is it upright?"""
    x, upright = np.zeros((B, 24, 24), np.float32), rng.integers(2, size=(B, 2))
    side = rng.integers(2, size=B)
    for place, left in enumerate((1, 17)):
        x[upright[:, place] == 1, 9:15, left + 2 : left + 4] = 1
        x[upright[:, place] == 0, 11:13, left : left + 6] = 1
        x[side == place, 11:13, 10 + 2 * place : 12 + 2 * place] = 1
    return x, upright[np.arange(B), side]


def mnist(part):
    """Return the images (N, 28, 28) in 0..1 and labels of MNIST's "train" or "t10k"."""
    pixels = np.fromfile(f"data/{part}-images-idx3-ubyte", np.uint8)[16:]
    labels = np.fromfile(f"data/{part}-labels-idx1-ubyte", np.uint8)[8:]
    return pixels.reshape(-1, 28, 28) / np.float32(255), labels.astype(int)


if __name__ == "__main__":
    rng, c = np.random.default_rng(0), MNIST if "mnist" in sys.argv else SIGN
    learn = mnist("train") if c is MNIST else signs(rng, 2000)
    test = mnist("t10k") if c is MNIST else signs(rng, 2000)
    p = train(c, *learn, rng)
    answers = look(p, test[0], c["std"][1], rng, c)["y"][-1].argmax(axis=1)
    print(f"test error: {100 * np.mean(answers != test[1]):.2f} %")
