# %% [markdown]
# # 4. Unroll through time
#
# **What you'll do.** Write the core network $f_h$ of section 3.1 C, unroll it over $T$
# glimpses, and derive backpropagation through time: first step by step, then as the package
# does it, one product per weight for all steps together. Put the action network on top, and
# see where the gradient stops.
#
# **What you'll learn.** Why only $\mathrm{d}h$ is recursive; why a gradient fades on its way
# back; and which parts of the agent the cross-entropy can never teach.
#
# **What you need.** Tutorials 1 to 3. 25 minutes.

# %%
import matplotlib.pyplot as plt
import numpy as np
from common import COLOURS, arrow

from ramnp.agent import (
    action_network,
    core_network,
    glimpse_network,
    glimpse_sensor,
    model,
)
from ramnp.learning import reinforce
from ramnp.learning.config import Config
from ramnp.proofs import complex_step
from ramnp.proofs.complex_step import flat, nested

rng = np.random.default_rng(4)

# %% [markdown]
# ## Forward
#
# The agent remembers in one vector, $h_t$. Each glimpse $g_t$ is mixed in:
#
# $$z_t = h_{t-1} W_h + g_t W_g + b_h \qquad h_t = \mathrm{Rect}(z_t) \qquad h_0 = 0$$
#
# After the last glimpse the action network $f_a$ is asked for the class:
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
for n in range(B):
    assert np.allclose(h[:, n], forward(params, g[:, n])[1:], rtol=1e-12)
print("h:", h.shape, "(time, batch, feature)")

# %% [markdown]
# The weights are *the same* at every step, so nothing may be kept inside a layer: each step
# has a cache of its own. A layer that
# remembered its last input would teach the weights from the last step only.
#
# ## The way back
#
# $h_t$ is used twice: by whoever stands above it at time $t$ (the action network, the
# location network), and by $h_{t+1}$. A derivative sums over uses. Let $\mathrm{d}h_t$ be what
# comes from above, and $\mathrm{d}z_{T+1} = 0$:
#
# $$\mathrm{d}z_t = \big( \mathrm{d}h_t + \mathrm{d}z_{t+1} W_h^\top \big) \cdot [h_t > 0]$$
#
# That is the only recursion. Each weight is used $T$ times, so its gradient is a sum over time:
#
# $$\mathrm{d}W_h = \sum_t h_{t-1}^\top \mathrm{d}z_t \qquad
#   \mathrm{d}W_g = \sum_t g_t^\top \mathrm{d}z_t \qquad
#   \mathrm{d}b_h = \sum_t \mathrm{d}z_t \qquad
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
dz, dg, grads = core_network.backward_through_time(dh, caches)
dg = dg.reshape(g.shape)

slow = {name: 0.0 for name in params}
for n in range(B):
    dg_n, grads_n = backward(params, dh[:, n], g[:, n])
    slow = {name: slow[name] + grads_n[name] for name in params}
    assert np.allclose(dg[:, n], dg_n, rtol=1e-11, atol=1e-13)
for name in params:
    assert np.allclose(grads[name], slow[name], rtol=1e-11, atol=1e-13)

# %% [markdown]
# ## Once over T · B rows
#
# A sum over time of products over the batch, $\sum_t h_{t-1}^\top \mathrm{d}z_t$, is one product
# of all rows: stack the $T$ matrices $h_{t-1}$ of $B$ rows to one of $T \cdot B$ rows, the
# $\mathrm{d}z_t$ likewise. So the package first walks back once for $\mathrm{d}z$, and then
# computes each gradient in one go. Three ways to the same numbers: stacked, added up step by
# step, and the complex step, which knows nothing of either.

# %%
h_tm1 = np.concatenate([np.zeros((1, B, h_size)), h[:-1]])
stacked = h_tm1.reshape(T * B, h_size).T @ dz.reshape(T * B, h_size)
assert np.allclose(grads["W_h"], stacked, rtol=1e-12)

summed = {name: 0.0 for name in params}
dh_later = 0.0
for t in reversed(range(T)):
    ((dh_later,), _), step = core_network.backward((dh[t] + dh_later,), caches[t])
    summed = {name: summed[name] + step[name] for name in params}
assert all(np.allclose(grads[name], summed[name], rtol=1e-11) for name in params)


def loss(a):
    state = core_network.initial_state({"b_h": a["b_h"]}, B)
    total = 0.0
    for t in range(T):
        state, _ = core_network.forward(a, state, a["g"][t])
        total = total + (dh[t] * state[0]).sum()
    return total


exact = complex_step.derivatives(loss, params | {"g": g})
assert complex_step.failures(grads | {"g": dg}, exact) == {}
print(sum(array.size for array in exact.values()), "derivatives agree")
assert sum(array.size for array in exact.values()) == 132

# %% [markdown]
# ## The gradient fades
#
# Each step back multiplies by $W_h^\top$ and switches off what the rectifier had switched off.
# So the size of $\mathrm{d}z_t$ changes by about the same factor at every step: it vanishes or
# explodes like a power. What decides is the size of $W_h$ at the start. The package draws all
# weights that meet in one rectifier as $N(0, 2/n)$, $n$ counting *all* its inputs, from $h$ and
# from $g$; `identity_recurrence` starts $W_h$ at the identity instead.

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
        state, cache = core_network.forward(p, state, g_t)
        kept.append(cache)
    only_last = np.zeros((STEPS, 20, WIDE))
    only_last[-1] = rng.standard_normal((20, WIDE))
    dz_back, _, _ = core_network.backward_through_time(only_last, kept)
    norms = np.sqrt((dz_back**2).sum(axis=(1, 2)))[::-1]
    fading[name] = norms / norms[0]

figure, ax = plt.subplots(figsize=(7, 3.2))
for name, norms in fading.items():
    ax.semilogy(norms, styles[name], color=COLOURS["core"])
    ax.annotate(name, (29, norms[29]), (5, -3), textcoords="offset points")
ax.axvline(7, color=COLOURS["muted"], lw=1)
ax.annotate("8 glimpses", (7, 1e-12), (4, 0), textcoords="offset points")
ax.set(xlabel="steps back", ylabel="size of $\\mathrm{d}z$")
plt.show()

arrived = [f"{100 * norms[7]:.2g} %" for norms in fading.values()]
print("after 7 steps:", dict(zip(fading, arrived)))
assert arrived == ["92 %", "6 %", "0.045 %"]
factors = [f"{norms[7] ** (1 / 7):.2f}" for norms in fading.values()]
assert factors == ["0.99", "0.67", "0.33"]

# %% [markdown]
# **Figure.** The size of $\mathrm{d}z$ for a gradient that enters at the last step only, by how
# many steps it went back, on a logarithmic scale: straight lines. With the identity nearly all
# of it arrives; with random weights it shrinks to about two thirds at every step, and with
# weights half as large to one third.
#
# With eight glimpses the gradient takes seven steps back at most. 6 % of it arrives with the
# package's start, 92 % with the identity, 0.05 % with weights half as large. The gradient
# does not have to come from the end alone: that is what `classify_every_step` is for.
#
# ## Where it stops
#
# Here is the whole agent, unrolled. Follow the gradient of the cross-entropy back.

# %%
figure, ax = plt.subplots(figsize=(10, 4.6))
ax.set(xlim=(0, 11), ylim=(-0.4, 4.6), aspect="equal")
ax.axis("off")


def node(x, y, text, colour):
    style = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": colour, "lw": 2}
    ax.text(x, y, text, ha="center", va="center", bbox=style, zorder=3)


def forward_arrow(start, end, dotted=False):
    arrow(ax, start, end, COLOURS["muted"], 1, "->", gap=15, dotted=dotted)


def gradient_arrow(start, end, colour, bend=0.25):
    arrow(ax, start, end, colour, 2.2, bend=bend, gap=17)


for t, x in enumerate((1.2, 4.7, 8.2), start=1):
    node(x - 0.6, 0, f"$\\rho_{t}$", COLOURS["what"])
    node(x + 0.6, 0, f"$l_{t}$", COLOURS["where"])
    node(x, 1.4, f"$g_{t}$", COLOURS["what"])
    node(x, 2.8, f"$h_{t}$", COLOURS["core"])
    forward_arrow((x - 0.6, 0), (x, 1.4))
    forward_arrow((x + 0.6, 0), (x, 1.4))
    forward_arrow((x + 0.6, 0), (x - 0.6, 0), dotted=True)
    forward_arrow((x, 1.4), (x, 2.8))
    gradient_arrow((x, 2.8), (x, 1.4), COLOURS["core"])
    ax.plot(x - 0.42, 0.72, "x", color=COLOURS["wrong"], ms=10, mew=3, zorder=4)
    ax.plot(x + 0.42, 0.72, "x", color=COLOURS["wrong"], ms=10, mew=3, zorder=4)
    if t < 3:
        node(x + 1.4, 4.2, f"$\\mu_{t}$", COLOURS["policy"])
        node(x, 4.2, f"$b_{t}$", COLOURS["baseline"])
        forward_arrow((x, 2.8), (x + 1.4, 4.2))
        forward_arrow((x, 2.8), (x, 4.2))
        forward_arrow((x + 1.4, 4.2), (x + 4.1, 0), dotted=True)
        forward_arrow((x, 2.8), (x + 3.5, 2.8))
        gradient_arrow((x + 3.5, 2.8), (x, 2.8), COLOURS["core"], 0.18)
node(8.2, 4.2, "class", COLOURS["action"])
forward_arrow((8.2, 2.8), (8.2, 4.2))
gradient_arrow((8.2, 4.2), (8.2, 2.8), COLOURS["action"])
ax.text(8.9, 4.2, "cross-entropy", va="center", color=COLOURS["action"])
ax.text(9, 2.8, "dotted: drawn, or cut out;\nno derivative", va="center", fontsize=8)
plt.show()

# %% [markdown]
# **Figure.** Three glimpses, left to right. Thin grey arrows: the forward pass, from the glimpse
# $\rho_t$ and its location $l_t$ up to $g_t$, on to $h_t$, from there to the next $h_{t+1}$, to
# the mean $\mu_t$ of the policy, to the baseline $b_t$, and from the last one to the class. Thick
# arrows: the way of the gradient, down from the class and back along the row of $h$, into every
# $g_t$. Red crosses: it ends there. Dotted: $l_{t+1}$ is drawn from a Gaussian around $\mu_t$,
# and $\rho$ is a staircase in $l$, so no derivative goes either way.
#
# Look at what the thick arrows never reach: $\mu_t$ and $b_t$. However long we train on the
# cross-entropy, the location network and the baseline network get a gradient of exactly 0.
# Not a small one. The next cell takes a whole agent, holds the locations where they were drawn
# (`replay`), and asks for the gradient of the cross-entropy alone.

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
    assert (largest > 0) == (network in ("glimpse", "core", "action"))
    print(f"{network:8} {largest:.3g}")

# %% [markdown]
# ## The glimpse network, all at once
#
# Because the way back never goes through an $l_t$, all $\mathrm{d}g_t$ are known as soon as the
# recursion is done. No glimpse has to wait for another: $f_g$ goes backward in one call over
# $T \cdot B$ rows. (If the gradient went through $l_t$, we would need $\mathrm{d}l_t$ before
# $\mathrm{d}h_{t-1}$, and $f_g$ would have to be taken apart step by step.) The same from steps:

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
    dh[t], _ = action_network.backward(dlogits[t], cache)
assert not dh[:-1].any()  # the class is asked for at the last step only
_, dg, _ = core_network.backward_through_time(dh, core_caches)
dg = dg.reshape(T, B, -1)
steps = [glimpse_network.backward(dg[t], glimpse_caches[t])[1] for t in range(T)]
for name in steps[0]:
    total = sum(step[name] for step in steps)
    assert np.allclose(by_hand[f"glimpse.{name}"], total, rtol=1e-11, atol=1e-15)

# %% [markdown]
# ## In practice, and in the paper
#
# - The paper asks for the class after the last glimpse only, so the gradient has to come all the
#   way back to the first. `classify_every_step` asks after each one: the same weights, and a
#   gradient that enters everywhere.
# - The paper adds two linear maps with two biases; here they share one, as in tutorial 3.
# - Nothing is clipped inside the way back. If the whole gradient is too long, the optimiser can
#   shorten it (`clip_norm`).
# - The model treats the core's state as opaque, a tuple whose first entry is $h$: another core
#   is another file (exercise 3).
#
# ## Exercises
#
# In `exercises/04_unroll_through_time.py`; `pytest tutorials/exercises -k 04` checks them.
#
# 1. *Half an hour.* Truncate: the gradient of $W_h$ if it may go back $k$ steps at most.
# 2. *An hour.* A backward pass that runs, and is wrong in two places. Find them.
# 3. *A day.* An LSTM core, whose state is a pair, forward and backward.
