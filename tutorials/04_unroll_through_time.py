# %% [markdown]
# # 4. Unroll through time
#
# [← 3. Combine what and where](03_combine_what_and_where.ipynb) ·
# [Contents](README.md) ·
# [5. Learn without derivatives →](05_learn_without_derivatives.ipynb)
#
# An agent takes six glimpses of a digit and names a class once, after the last. If the
# class is wrong, which glimpse was read badly? The memory passes through the same weights
# at every glimpse, so the error has to travel back through time, to each use of each
# weight. That is *backpropagation through time*.
#
# **What you'll do.** Write the core network $f_h$ of section 3.1 C of the paper, unroll it
# over $T$ glimpses, and derive backpropagation through time: first step by step, then as
# the package does it, one product per weight for all steps together. Put the action
# network on top, and see where the gradient stops.
#
# **What you'll learn.** Why only $\mathrm{d}h$ is recursive; why a gradient fades on its way
# back; and which parts of the agent the cross-entropy can never teach.
#
# **What you need.** Chapters 1 to 3. 25 minutes. **Running time.** 3 seconds.

# %%
import matplotlib.pyplot as plt
import numpy as np
from common import COLOURS, DIGITS, unrolled

import ramnp
from ramnp.agent import (
    action_network,
    core_network,
    glimpse_network,
    glimpse_sensor,
    model,
)
from ramnp.datasets import mnist, scenes
from ramnp.learning import reinforce
from ramnp.learning.config import Config
from ramnp.proofs import complex_step
from ramnp.proofs.complex_step import flat, nested

rng = np.random.default_rng(4)

# %% [markdown]
# ## Forward
#
# The agent's memory is one vector, $h_t$. Each glimpse $g_t$ is added to it:
#
# $$z_t = h_{t-1} W_h + g_t W_g + b_h$$
#
# $$h_t = \mathrm{Rect}(z_t) \qquad h_0 = 0$$
#
# (Each network has its own weights: this $W_g$ is the core's, not the glimpse network's.)
# After the last glimpse the action network $f_a$ gives the probabilities of the classes,
# $p = \mathrm{softmax}(h_T W_a + b_a)$.

# %%
T, B, g_size, h_size = 4, 3, 6, 5
params = core_network.init(rng, g_size, h_size, dtype=float)
params = {name: rng.standard_normal(a.shape) / 2 for name, a in params.items()}
g = rng.standard_normal((T, B, g_size))


def forward(p, g):
    """h_0, h_1, ... h_T for one example, unit by unit; g (T, g_size)."""
    h = [[0.0] * len(p["b_h"])]
    for t in range(len(g)):
        h_t = []
        for j in range(len(p["b_h"])):
            z = p["b_h"][j]
            for i in range(len(p["W_h"])):
                z += h[-1][i] * p["W_h"][i, j]
            for i in range(len(p["W_g"])):
                z += g[t, i] * p["W_g"][i, j]
            h_t.append(max(z, 0.0))
        h.append(h_t)
    return np.array(h)


state = core_network.initial_state(params, B)
h, caches = [], []
for t in range(T):
    state, cache = core_network.forward(params, state, g[t])
    h.append(state[0])
    caches.append(cache)
h = np.stack(h)
slow = np.stack([forward(params, g[:, n])[1:] for n in range(B)], axis=1)
assert np.allclose(h, slow, rtol=1e-12)
print(
    f"h {h.shape} (time, batch, feature), {np.abs(h - slow).max():.0e} from the loops"
)

# %% [markdown]
# The weights are *the same* at every step, so nothing may be kept inside a layer: each step
# has a cache of its own. A layer that kept only its last input would compute all gradients
# from the last step.
#
# ## The way back
#
# $h_t$ is used twice: by the networks above it at time $t$ (action, location and baseline
# network), and by $h_{t+1}$. A derivative sums over uses. Let $\mathrm{d}h_t$ be what comes
# from above, and $\mathrm{d}z_{T+1} = 0$:
#
# $$\mathrm{d}z_t = \big( \mathrm{d}h_t + \mathrm{d}z_{t+1} W_h^\top \big) \cdot [h_t > 0]$$
#
# This is the only recursion. Each weight is used $T$ times, so its gradient is a sum
# over time:
#
# $$\mathrm{d}W_h = \sum_t h_{t-1}^\top \mathrm{d}z_t \qquad
#   \mathrm{d}W_g = \sum_t g_t^\top \mathrm{d}z_t$$
#
# $$\mathrm{d}b_h = \sum_t \mathrm{d}z_t \qquad
#   \mathrm{d}g_t = \mathrm{d}z_t W_g^\top$$


# %%
def backward(p, dh, g):
    """dg and the gradients for one example; dh (T, h_size) from above."""
    h = forward(p, g)
    grads = {name: np.zeros_like(array) for name, array in p.items()}
    dg = np.zeros_like(g)
    dz_next = np.zeros(len(p["b_h"]))
    for t in reversed(range(len(g))):
        dz = np.zeros_like(dz_next)
        for i in range(len(dz)):
            total = dh[t, i]
            for j in range(len(dz)):
                total += dz_next[j] * p["W_h"][i, j]
            dz[i] = total if h[t + 1, i] > 0 else 0.0
        for j in range(len(dz)):
            grads["b_h"][j] += dz[j]
            for i in range(len(dz)):
                grads["W_h"][i, j] += h[t, i] * dz[j]
            for i in range(g.shape[1]):
                grads["W_g"][i, j] += g[t, i] * dz[j]
                dg[t, i] += dz[j] * p["W_g"][i, j]
        dz_next = dz
    return dg, grads


dh = rng.standard_normal(h.shape)
(dg,), grads = core_network.backward_through_time(dh, caches)
dg = dg.reshape(g.shape)

slow = {name: 0.0 for name in params}
for n in range(B):  # the gradient of a batch is the sum over its rows
    dg_n, grads_n = backward(params, dh[:, n], g[:, n])
    slow = {name: slow[name] + grads_n[name] for name in params}
    assert np.allclose(dg[:, n], dg_n, rtol=1e-11, atol=1e-13)
for name in params:
    assert np.allclose(grads[name], slow[name], rtol=1e-11, atol=1e-13)
    print(f"d{name} {np.abs(grads[name] - slow[name]).max():.0e} from the loops")

# %% [markdown]
# ## Once over T · B rows
#
# A sum over time of products over the batch, $\sum_t h_{t-1}^\top \mathrm{d}z_t$, is
# one product of all rows: stack the $T$ matrices $h_{t-1}$ of $B$ rows to one of
# $T \cdot B$ rows, and the $\mathrm{d}z_t$ likewise. The package first walks back once
# for $\mathrm{d}z$, and then computes each weight's gradient in one product. Here are
# three ways to the same numbers: stacked, added up step by step, and by the complex step.


# %%
def walk_back(dh, h, W_h):
    """The recursion alone, for B examples at once: every dz_t (T, B, h)."""
    dz = np.empty_like(dh)
    dz_next = np.zeros_like(dh[0])
    for t in reversed(range(len(dh))):
        dz[t] = dz_next = (dh[t] + dz_next @ W_h.T) * (h[t] > 0)
    return dz


dz = walk_back(dh, h, params["W_h"])
h_tm1 = np.concatenate([np.zeros((1, B, h_size)), h[:-1]])
stacked = h_tm1.reshape(T * B, h_size).T @ dz.reshape(T * B, h_size)
assert np.allclose(grads["W_h"], stacked, rtol=1e-12)
print(f"dW_h, stacked: {np.abs(grads['W_h'] - stacked).max():.0e} from the package's")

summed = {name: 0.0 for name in params}
dh_later = 0.0
for t in reversed(range(T)):
    ((dh_later,), _), step = core_network.backward((dh[t] + dh_later,), caches[t])
    summed = {name: summed[name] + step[name] for name in params}
assert all(np.allclose(grads[name], summed[name], rtol=1e-11) for name in params)
apart = max(np.abs(grads[name] - summed[name]).max() for name in params)
print(f"all weights, step by step: {apart:.0e}")


def loss(a):
    state = core_network.initial_state({"b_h": a["b_h"]}, B)
    total = 0.0
    for t in range(T):
        state, _ = core_network.forward(a, state, a["g"][t])
        total = total + (dh[t] * state[0]).sum()
    return total


exact = complex_step.derivatives(loss, params | {"g": g})
assert complex_step.failures(grads | {"g": dg}, exact) == {}
largest = max(
    e for e, _ in complex_step.worst_errors(grads | {"g": dg}, exact).values()
)
count = sum(array.size for array in exact.values())
print(f"complex step: {count} derivatives agree, largest relative error {largest:.0e}")

# %% [markdown]
# ## The gradient fades
#
# Each step back multiplies by $W_h^\top$ and sets to 0 what the rectifier had set to 0.
# So the size of $\mathrm{d}z_t$ changes by about the same factor at every step: it
# vanishes or explodes like a power. The factor depends on the size of $W_h$. The package
# draws all weights that meet in one rectifier with a variance of 2 / inputs, counting
# *all* its inputs, from $h$ and from $g$. The option `identity_recurrence` starts $W_h$ at
# the identity instead.

# %%
STEPS, WIDE = 30, 256
inputs = np.abs(rng.standard_normal((STEPS, 20, WIDE)))
starts = {
    "identity": core_network.init(rng, WIDE, WIDE, identity=True, dtype=float),
    "the package's start": core_network.init(rng, WIDE, WIDE, dtype=float),
}
half = starts["the package's start"]
starts["half as large"] = half | {"W_h": half["W_h"] / 2}
styles = dict(zip(starts, ("--", "-", ":")))
fading = {}
for name, p in starts.items():
    p = p | {"W_g": p["W_g"] / 10}  # a quiet input: the recurrence alone
    state, kept = core_network.initial_state(p, 20), []
    for g_t in inputs:
        state, _ = core_network.forward(p, state, g_t)
        kept.append(state[0])
    only_last = np.zeros((STEPS, 20, WIDE))
    only_last[-1] = rng.standard_normal((20, WIDE))
    dz_back = walk_back(only_last, np.stack(kept), p["W_h"])
    norms = np.sqrt((dz_back**2).sum(axis=(1, 2)))[::-1]
    fading[name] = norms / norms[0]

for name, norms in fading.items():
    print(f"{name:20} times {norms[7] ** (1 / 7):.2f} a step,", end=" ")
    print(f"{100 * norms[7]:.2g} % after 7")

# %% [markdown]
# This is a core alone, fed with random numbers. Now take the agent that comes with the
# package, trained on cluttered scenes, and its networks before training. Let a gradient
# enter at the last memory, and go back:

# %%
trained = ramnp.load("cluttered")
test, seen = mnist.load(DIGITS).test, {}
images, labels = scenes.frozen_chunk(test, "test", 0, trained.config)
fresh = model.init(np.random.default_rng(0), trained.config)
for name, weights in (("before training", fresh), ("trained", trained.params)):
    run = model.rollout(weights, images, np.random.default_rng(0), trained.config)
    only_last = np.zeros((8, 250, trained.config.h_size), np.float32)
    only_last[-1] = rng.standard_normal(only_last[-1].shape)
    h_trained = np.stack([cache[-1] for cache in run.caches["core"]])
    dz_back = walk_back(only_last, h_trained, weights["core"]["W_h"])
    norms = np.sqrt((dz_back**2).sum(axis=(1, 2)))[::-1]
    seen[f"the agent, {name}"] = norms / norms[0]
    print(f"the agent, {name}: {100 * norms[7] / norms[0]:.2g} % after 7 steps")

# %% figure
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2))
for name, norms in fading.items():
    axes[0].semilogy(norms, styles[name], color=COLOURS["core"], label=name)
axes[0].axvline(7, color=COLOURS["muted"], lw=1)
axes[0].annotate("8 glimpses", (7, 1e-9), (4, 0), textcoords="offset points")
axes[0].set(xlabel="steps back", ylabel="size of $\\mathrm{d}z$")
axes[0].legend(loc="lower left")
start = fading["the package's start"][:8]
axes[1].plot(start, color=COLOURS["core"], label="the package's start")
for (name, norms), marker in zip(seen.items(), "so"):
    axes[1].plot(norms, f"{marker}-", ms=4, color=COLOURS["ink"], label=name)
axes[1].set(xlabel="steps back", ylim=(0, 1.05))
axes[1].legend(loc="lower left")
plt.show()

# %% [markdown]
# **Figure.** The size of $\mathrm{d}z$ for a gradient that enters at the last step only,
# against the number of steps it went back. Left, the core alone, on a logarithmic scale:
# straight lines. With the identity nearly all of the gradient arrives; with random weights it
# shrinks to about two thirds at every step, with weights half as large to one third. Right,
# on a linear scale, the agent before and after its training, beside the core alone.
#
# With eight glimpses the gradient takes seven steps back at most. In a core alone with the
# package's start, 6 % of it arrives. In the agent, 21 % arrives before training and 59 %
# afterwards: training has made the memory last. The gradient need not come from the end
# alone, either: with `classify_every_step`, it enters at every step.
#
# ## Where it stops
#
# Here is the whole agent, unrolled. Follow the gradient of the cross-entropy back.

# %% figure
unrolled(gradient=True)
plt.show()

# %% [markdown]
# **Figure.** Three glimpses, left to right. Thin grey arrows: the forward pass, from
# the glimpse $\rho_t$ and its location $l_t$ up to $g_t$, on to $h_t$, from there to
# the next $h_{t+1}$, to the mean $\mu_{t+1}$ of the policy, to the baseline $b_{t+1}$,
# and from the last one to the class. Thick arrows: the way of the gradient, down from
# the class and back along the row of $h$, into every $g_t$. Red crosses: it ends there.
# Dotted: $l_{t+1}$ is drawn from a Gaussian around $\mu_{t+1}$, and $\rho$ is a
# staircase in $l$. No derivative passes along a dotted arrow.
#
# The thick arrows never reach $\mu$ and $b$. However long we train on the cross-entropy,
# the location network and the baseline network get a gradient of exactly 0, not a small
# one. The next cell takes a whole agent, holds the locations where they were drawn
# (`replay`), and prints each network's largest gradient of the cross-entropy alone.

# %%
config = Config(
    num_glimpses=T,
    patch_size=3,
    num_classes=5,
    hg_size=6,
    hl_size=7,
    g_size=8,
    h_size=9,
)
agent = flat(model.init(rng, config, np.float64))
agent = {name: rng.standard_normal(a.shape) / 2 for name, a in agent.items()}
images, labels = rng.random((B, 11, 12)), np.array([3, 0, 4])
locations = model.rollout(nested(agent), images, rng, config).locations


def cross_entropy(a):
    trajectory = model.replay(nested(a), images, locations, config)
    zeros = np.zeros((T - 1, B))
    losses, cache = reinforce.hybrid_loss_forward(
        trajectory, labels, zeros, zeros, config, config.location_std
    )
    dlogits, dmu, dbaseline = reinforce.hybrid_loss_backward(cache)
    return losses.cross_entropy, (dlogits, 0 * dmu, 0 * dbaseline, trajectory)


_, upstream = cross_entropy(agent)
by_hand = flat(model.backward(*upstream, config))
exact = complex_step.derivatives(lambda a: cross_entropy(a)[0], agent)
assert complex_step.failures(by_hand, exact) == {}
for network, grads in nested(by_hand).items():
    largest = max(np.abs(gradient).max() for gradient in grads.values())
    print(f"{network:8} {largest:.3g}")

# %% [markdown]
# ## The glimpse network, all at once
#
# Because the way back never goes through an $l_t$, all $\mathrm{d}g_t$ are known as
# soon as the recursion is done. No glimpse has to wait for another: $f_g$ goes backward
# in one call over $T \cdot B$ rows. (If the gradient went through $l_t$, we would need
# $\mathrm{d}l_t$ before $\mathrm{d}h_{t-1}$, and $f_g$ would have to go backward
# step by step.) Added up step by step, its gradients are the same:

# %%
dlogits = upstream[0]
parts = nested(agent)
pyramid = glimpse_sensor.prepare(images, config.patch_size)
state = core_network.initial_state(parts["core"], B)
glimpse_caches, core_caches, dh = [], [], np.empty((T, B, config.h_size))
for t, l_t in enumerate(locations):
    rho_t = glimpse_sensor.forward(pyramid, l_t)
    g_t, cache = glimpse_network.forward(parts["glimpse"], rho_t, l_t)
    glimpse_caches.append(cache)
    state, cache = core_network.forward(parts["core"], state, g_t)
    core_caches.append(cache)
    _, cache = action_network.forward(parts["action"], state[0])
    (dh[t],), _ = action_network.backward(dlogits[t], cache)
print("largest dh before the last step:", np.abs(dh[:-1]).max())
(dg,), _ = core_network.backward_through_time(dh, core_caches)
dg = dg.reshape(T, B, -1)
steps = [glimpse_network.backward(dg[t], glimpse_caches[t])[1] for t in range(T)]
for name in steps[0]:
    total = sum(step[name] for step in steps)
    assert np.allclose(by_hand[f"glimpse.{name}"], total, rtol=1e-11, atol=1e-15)
    apart = np.abs(by_hand[f"glimpse.{name}"] - total).max()
    print(f"d{name}: {apart:.0e} apart")

# %% [markdown]
# > **In short.**
# > $\mathrm{d}z_t = (\mathrm{d}h_t + \mathrm{d}z_{t+1} W_h^\top) \cdot [h_t > 0]$ is
# > the only recursion; every weight's gradient is one product over all steps. The
# > cross-entropy reaches the glimpse network, the core and the action network. The location
# > and the baseline network get exactly 0.
#
# ## In practice, and in the paper
#
# - The paper asks for the class after the last glimpse only: the gradient has to come all
#   the way back to the first. `classify_every_step` asks after each glimpse, with the same
#   weights.
# - The paper adds two linear maps with two biases; here they share one, as in chapter 3.
# - Nothing is clipped inside the way back. If the whole gradient is too long, the
#   optimiser can shorten it (`clip_norm`).
# - The model treats the core's state as opaque, a tuple whose first entry is $h$: another core
#   is another file (exercise 3).
#
# ## Exercises
#
# In `exercises/04_unroll_through_time.py`; `python -m pytest exercises -k 04` checks them.
#
# 1. *Half an hour.* Truncate: the gradient of $W_h$ if each $\mathrm{d}h_t$ may contribute at
#    a few steps only, counted from step $t$ itself. Predict first: with eight glimpses, how
#    many steps cut nothing?
# 2. *An hour.* A backward pass that runs, and is wrong in two places. Find them.
# 3. *A day.* An LSTM core, whose state is a pair, forward and backward.
