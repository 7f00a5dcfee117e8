# %% [markdown]
# # 3. Combine what and where
#
# [← 2. Backpropagate by hand](02_backpropagate_by_hand.ipynb) ·
# [Contents](README.md) ·
# [4. Unroll through time →](04_unroll_through_time.ipynb)
#
# A short upright stroke in the middle of a page may be a one. The same stroke to the
# right of an angle makes a four. If you see the world through a small hole, you have to
# know *where* the hole was. This chapter joins what was seen with where it was seen.
#
# **What you'll do.** Write the glimpse network $f_g$ of section 3.1 B of the paper forward
# and backward, unit by unit, and prove it equal to the package's form. See what each of its
# two branches contributes.
#
# **What you'll learn.** How a location becomes part of what is seen; why two biases can be
# one; and how to derive a network that forks and joins.
#
# **What you need.** Chapters 1 and 2. 20 minutes. **Running time.** 2 seconds.

# %%
import matplotlib.pyplot as plt
import numpy as np
from common import COLOURS, digits, outline, show

from ramnp.agent import glimpse_network, glimpse_sensor
from ramnp.proofs import complex_step

rng = np.random.default_rng(3)

# %% [markdown]
# ## Two branches in, one out
#
# A glimpse alone says *what* was seen: $\rho(x, l)$. A stroke at the top and the same stroke
# at the bottom make different digits, so the agent also has to know *where*: $l$. The paper
# gives each a hidden layer, adds, and rectifies:
#
# $$h_g = \mathrm{Rect}(\mathrm{Linear}(\rho))$$
#
# $$h_l = \mathrm{Rect}(\mathrm{Linear}(l))$$
#
# $$g = \mathrm{Rect}(\mathrm{Linear}(h_g) + \mathrm{Linear}(h_l))$$
#
# The paper has 128, 128 and 256 units. We take few, and all sizes different:

# %%
B, rho_size, hg_size, hl_size, g_size = 3, 4, 5, 6, 7
params = glimpse_network.init(rng, rho_size, hg_size, hl_size, g_size, float)
params = {name: rng.standard_normal(array.shape) for name, array in params.items()}
rho = rng.standard_normal((B, rho_size))
l = rng.uniform(-1, 1, size=(B, 2))
for name, array in params.items():
    print(f"{name:5} {array.shape}")

# %% [markdown]
# Two linear maps with two biases are $h_g V + b_V + h_l U + b_U$. Only the sum of the two
# biases has an effect. And $h_g V + h_l U$ is one map of the pair $(h_g, h_l)$, laid side
# by side, whose matrix is $V$ above $U$. So $W_g$ has 5 + 6 rows, and there is one $b_g$:

# %%
hg = rng.standard_normal((B, hg_size))
hl = rng.standard_normal((B, hl_size))
V, U = params["W_g"][:hg_size], params["W_g"][hg_size:]
b_V = rng.standard_normal(g_size)
b_U = params["b_g"] - b_V
pair = np.concatenate([hg, hl], axis=1)
two_maps, one_map = hg @ V + b_V + hl @ U + b_U, pair @ params["W_g"] + params["b_g"]
print(f"two maps and one: {np.abs(two_maps - one_map).max():.0e} apart")
assert np.allclose(two_maps, one_map)

# %% [markdown]
# ## Forward, one example, unit by unit


# %%
def linear(x, W, b):
    y = [bias for bias in b]
    for j in range(len(y)):
        for i in range(len(x)):
            y[j] += x[i] * W[i][j]
    return y


def rect(x):
    return [max(value, 0.0) for value in x]


def forward(p, rho, l):
    hg = rect(linear(rho, p["W_hg"], p["b_hg"]))
    hl = rect(linear(l, p["W_hl"], p["b_hl"]))
    g = rect(linear(hg + hl, p["W_g"], p["b_g"]))  # + joins two lists
    return g, (hg, hl)


g, cache = glimpse_network.forward(params, rho, l)
slow = np.array([forward(params, rho[n], l[n])[0] for n in range(B)])
assert np.allclose(g, slow, rtol=1e-13)
print(f"g {g.shape}, {np.abs(g - slow).max():.0e} from the loops")

# %% [markdown]
# ## Backward
#
# We start at the output. Let $z$ be what goes into a rectifier: $z_g$ into that of $g$,
# $z_{hg}$ into that of $h_g$.
#
# $$\mathrm{d}z_g = \mathrm{d}g \cdot [g > 0]$$
#
# $$\mathrm{d}W_g = (h_g, h_l)^\top \mathrm{d}z_g \qquad \mathrm{d}b_g = \mathrm{d}z_g$$
#
# $$(\mathrm{d}h_g, \mathrm{d}h_l) = \mathrm{d}z_g W_g^\top$$
#
# Where the forward pass joins two vectors, the backward pass cuts one in two: the first 5
# numbers belong to *what*, the other 6 to *where*.
#
# $$\mathrm{d}z_{hg} = \mathrm{d}h_g \cdot [h_g > 0]$$
#
# $$\mathrm{d}W_{hg} = \rho^\top \mathrm{d}z_{hg} \qquad
#   \mathrm{d}\rho = \mathrm{d}z_{hg} W_{hg}^\top$$
#
# and the same for $l$. A weight serves all examples of a batch, so its gradient is the sum
# over them.


# %%
def linear_backward(dy, x, W, dW, db):
    """Add to dW and db; return dx."""
    dx = [0.0] * len(x)
    for j in range(len(dy)):
        db[j] += dy[j]
        for i in range(len(x)):
            dW[i][j] += x[i] * dy[j]
            dx[i] += dy[j] * W[i][j]
    return dx


def rect_backward(dy, y):
    return [d if value > 0 else 0.0 for d, value in zip(dy, y)]


def backward(p, dg, rho, l, g, kept, grads):
    hg, hl = kept
    dz_g = rect_backward(dg, g)
    dpair = linear_backward(dz_g, hg + hl, p["W_g"], grads["W_g"], grads["b_g"])
    dz_hl = rect_backward(dpair[len(hg) :], hl)
    dl = linear_backward(dz_hl, l, p["W_hl"], grads["W_hl"], grads["b_hl"])
    dz_hg = rect_backward(dpair[: len(hg)], hg)
    drho = linear_backward(dz_hg, rho, p["W_hg"], grads["W_hg"], grads["b_hg"])
    return drho, dl


dg = rng.standard_normal(g.shape)
(drho, dl), grads = glimpse_network.backward(dg, cache)

slow = {name: np.zeros_like(array) for name, array in params.items()}
for n in range(B):
    g_n, kept = forward(params, rho[n], l[n])
    drho_n, dl_n = backward(params, dg[n], rho[n], l[n], g_n, kept, slow)
    assert np.allclose(drho[n], drho_n, rtol=1e-12, atol=1e-14)
    assert np.allclose(dl[n], dl_n, rtol=1e-12, atol=1e-14)
assert grads.keys() == slow.keys()
for name in grads:
    assert np.allclose(grads[name], slow[name], rtol=1e-12, atol=1e-14)
    print(f"d{name:5} {np.abs(grads[name] - slow[name]).max():.0e} from the loops")

# %% [markdown]
# Both could be wrong in the same way. The complex step knows nothing of our derivation:


# %%
def loss(a):
    g, _ = glimpse_network.forward({name: a[name] for name in params}, a["rho"], a["l"])
    return (dg * g).sum()


exact = complex_step.derivatives(loss, params | {"rho": rho, "l": l})
by_hand = grads | {"rho": drho, "l": dl}
assert complex_step.failures(by_hand, exact) == {}

swapped = by_hand | {"W_g": np.roll(by_hand["W_g"], hl_size, axis=0)}
count = sum(array.size for array in exact.values())
largest = max(e for e, _ in complex_step.worst_errors(by_hand, exact).values())
print(f"{count} derivatives agree; largest relative error {largest:.0e}")
print("halves of dW_g swapped: caught in", *complex_step.failures(swapped, exact))

# %% [markdown]
# All 145 derivatives are right, those by $\rho$ and $l$ included, and the swapped halves
# are caught. The agent needs neither $\mathrm{d}\rho$ nor $\mathrm{d}l$: nothing that can
# learn lies below $\rho$, and $l$ is a *sample*. $\mathrm{d}l$ exists, as you see, but
# following it back to the location network would be a mistake: it says how $g$ changes if
# another $l$ is reported while the pixels stay the same. In the agent, the gradient stops
# here (`with_inputs=False`).
#
# ## Why the agent needs *where*
#
# Put the same digit at two places, and let the agent look straight at it both times.

# %%
images, labels = digits()
scenes = np.zeros((2, 60, 60))
scenes[0, 4:32, 2:30] = images[labels == 5][0]
scenes[1, 24:52, 30:58] = images[labels == 5][0]
places = np.array([[16, 18], [44, 38]]) / 30 - 1

pyramid = glimpse_sensor.prepare(scenes, patch_size=12)
rho = glimpse_sensor.forward(pyramid, places)
full = glimpse_network.init(rng, 144, 128, 128, 256, float)
g, _ = glimpse_network.forward(full, rho, places)
blind = full | {"W_hl": np.zeros((2, 128))}
g_blind, _ = glimpse_network.forward(blind, rho, places)

print("entries of rho that differ:", np.sum(rho[0] != rho[1]), "of", rho[0].size)
for name, values in (("what and where", g), ("what alone", g_blind)):
    differ = np.mean(values[0] != values[1])
    print(f"{name}: {100 * differ:.0f} % of the units of g differ")
off = (g == 0).all(axis=0)
print(f"{100 * off.mean():.0f} % of the units are 0 in both scenes")

# %% figure
figure = plt.figure(figsize=(9, 3.6))
grid = figure.add_gridspec(2, 2, width_ratios=[1, 3])
for n in range(2):
    ax = figure.add_subplot(grid[n, 0])
    show(ax, scenes[n])
    outline(ax, glimpse_sensor.windows(places, (60, 60), 12)[n, 0], COLOURS["what"])
for row, (title, values) in enumerate(
    (("what and where", g), ("what alone: location weights 0", g_blind))
):
    ax = figure.add_subplot(grid[row, 1])
    ax.plot(values[0, :64], color=COLOURS["where"], label="upper scene")
    ax.plot(values[1, :64], ":", color=COLOURS["ink"], label="lower scene")
    ax.set(title=title, ylabel="$g$", xlabel="unit" if row else "")
    ax.legend(loc="upper right", ncols=2)
    ax.set_ylim(0, 1.5 * values[:, :64].max())
plt.show()

# %% [markdown]
# **Figure.** Left, a five at the upper left and at the lower right of a scene, each
# with the frame of a glimpse at its middle. Right, the first 64 of 256 units of $g$ for
# both. With the location, the two curves differ. With its weights set to 0 they coincide:
# $\rho$ is the same to the last bit, and nothing can tell the two scenes apart.
#
# With fresh random weights, 66 % of the units already differ. All others are 0 in both
# scenes.
#
# ## How a unit sees *where*
#
# A unit of $h_l$ is 0 on one side of a line in the plane of $l$, and a ramp on the other. A
# unit of $g$ adds many such ramps to what was seen, and rectifies again: a landscape of
# folded planes, raised or lowered by the picture.

# %% figure
axis = np.linspace(-1, 1, 81)
plane = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
hl = np.maximum(plane @ full["W_hl"] + full["b_hl"], 0)

seen = rho[0]
nothing = np.zeros_like(seen)
unit = int(np.argmax(g[0]))
maps = [(f"$h_l$, unit {u}", hl[:, u], COLOURS["where"]) for u in (0, 1)]
for name, what in (("a stroke", seen), ("black", nothing)):
    values, _ = glimpse_network.forward(full, np.tile(what, (len(plane), 1)), plane)
    maps.append((f"$g$, unit {unit}, seeing {name}", values[:, unit], COLOURS["what"]))

figure, axes = plt.subplots(1, 4, figsize=(11, 2.9), sharey=True)
for ax, (title, values, colour) in zip(axes, maps):
    values = values.reshape(81, 81)
    ax.contourf(axis, axis, values, levels=9, cmap="Greys")
    ax.contour(axis, axis, values, levels=9, colors=colour, linewidths=0.9)
    ax.set(title=title, xlabel="$l_x$", aspect="equal", xticks=[-1, 0, 1])
axes[0].set(ylabel="$l_y$", yticks=[-1, 0, 1], ylim=(1, -1))
plt.show()

# %% [markdown]
# **Figure.** Activity over all locations, darker is more. Two units of $h_l$: a ramp on
# one side of a line through the centre (biases start at 0). One unit of $g$ while the
# glimpse shows a stroke and while it shows nothing: the same folds, raised by what was
# seen. *What* and *where* are added inside one rectifier, so a unit can respond to a stroke
# only if it is *at the top*.
#
# > **In short.** $g = \mathrm{Rect}((h_g, h_l)\, W_g + b_g)$: what and where side by side, one
# > map, one bias. Where forward joins, backward cuts. Without $l$, equal glimpses at different
# > places are the same to the last bit.
#
# ## In practice, and in the paper
#
# - The paper adds. DRAM (J. Ba, V. Mnih, K. Kavukcuoglu, [*Multiple object recognition with
#   visual attention*](https://arxiv.org/abs/1412.7755), ICLR 2015) multiplies the two
#   branches instead: exercise 3.
# - $l$ is given in half sides, of order 1. In pixels of a 60 × 60 scene, it would be 30
#   times as large.
# - Weights start as Gaussian numbers of variance 2 / inputs: a rectifier discards half
#   of the mean square, and the 2 puts it back. The paper does not say how it starts.
# - In training, $f_g$ goes backward in *one* call for all glimpses of all images,
#   $T \cdot B$ rows at once, because no gradient flows through a location: next chapter.
#
# ## Exercises
#
# In `exercises/03_combine_what_and_where.py`; `python -m pytest exercises -k 03` checks them.
#
# 1. *Ten minutes.* Predict first, with the paper's sizes and the glimpses of chapter 1: which
#    of the three maps has the most parameters? Then count them for any sizes.
# 2. *An hour.* For a fixed location, $f_g$ is an ordinary two-layer network of $\rho$:
#    find its biases.
# 3. *Half a day.* Multiply instead of add: forward, backward, proved by the complex step.
