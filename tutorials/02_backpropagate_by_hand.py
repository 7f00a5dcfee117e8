# %% [markdown]
# # 2. Backpropagate by hand
#
# [← 1. Look through the retina](01_look_through_the_retina.ipynb) ·
# [Contents](README.md) ·
# [3. Combine what and where →](03_combine_what_and_where.ipynb)
#
# The agent has 200,000 weights. To learn, it must know for each one whether a little
# more of it would make the loss go up or down, and by how much. Trying them one by one
# costs 200,000 runs of the network. Backpropagation gets all the answers for the price
# of about two. You will derive it for the three operations that the whole agent is made
# of, and then find out whether your derivation is right, which matters more: a wrong
# gradient often still trains.
#
# **What you'll do.** Derive the three operations that the whole agent is made of, the
# affine map, the rectifier and the softmax cross-entropy; write each derivative in loops;
# chain them; and build the two instruments that tell a right gradient from one that merely
# trains.
#
# **What you'll learn.** Why every backward function is its forward function read upwards;
# why a gradient check has a best step size, and how the complex step does without one.
#
# **What you need.** The chain rule, matrix products. 25 minutes. **Running time.** 3 seconds.

# %%
import matplotlib.pyplot as plt
import numpy as np
from common import COLOURS, digits

from ramnp.agent import layers
from ramnp.proofs import complex_step, finite_differences

rng = np.random.default_rng(0)

# %% [markdown]
# ## The rules of the game
#
# $L$ is one number, the loss. We write $\mathrm{d}x$ for $\partial L / \partial x$: an array
# of exactly the shape of $x$. A function $y = f(x)$ inside the loss has a partner that turns
# $\mathrm{d}y$ into $\mathrm{d}x$, and the chain rule is all there is to it:
#
# $$\mathrm{d}x_i = \sum_j \mathrm{d}y_j \, \frac{\partial y_j}{\partial x_i}$$
#
# To test such a partner alone, let the loss be $L = \sum_j r_j y_j$ with random numbers $r$:
# then $\mathrm{d}y = r$. (With $r = 1$ everywhere, errors that cancel in a sum stay unseen.
# So do transposed indices, if two dimensions are equal: let all of them differ.)

# %%
B, n_in, n_out = 3, 4, 5
x = rng.standard_normal((B, n_in))
W = rng.standard_normal((n_in, n_out))
c = rng.standard_normal(n_out)
dy = rng.standard_normal((B, n_out))

# %% [markdown]
# ## The affine map
#
# Rows are examples, $W$ is (in, out):
#
# $$y_{nj} = \sum_i x_{ni} W_{ij} + c_j$$
#
# Each $x_{ni}$ is used once for every $j$, each $W_{ij}$ once for every example $n$, each
# bias $c_j$ likewise. A derivative sums over exactly these uses:
#
# $$\mathrm{d}x_{ni} = \sum_j \mathrm{d}y_{nj} W_{ij}$$
#
# $$\mathrm{d}W_{ij} = \sum_n x_{ni}\, \mathrm{d}y_{nj}$$
#
# $$\mathrm{d}c_j = \sum_n \mathrm{d}y_{nj}$$
#
# In loops, forward and backward are one and the same sentence. Each line of the forward
# pass, `y += x W`, becomes two of the backward pass, `dx += dy W` and `dW += x dy`.


# %%
def affine_forward(x, W, c):
    y = np.zeros((len(x), len(c)), x.dtype)
    for n in range(len(x)):
        for j in range(len(c)):
            y[n, j] = c[j]
            for i in range(len(W)):
                y[n, j] += x[n, i] * W[i, j]
    return y


def affine_backward(dy, x, W):
    dx, dW, dc = np.zeros_like(x), np.zeros_like(W), np.zeros_like(W[0])
    for n in range(len(x)):
        for j in range(len(dc)):
            dc[j] += dy[n, j]
            for i in range(len(W)):
                dx[n, i] += dy[n, j] * W[i, j]
                dW[i, j] += dy[n, j] * x[n, i]
    return dx, dW, dc


assert np.allclose(layers.affine_forward(x, W, c), affine_forward(x, W, c), rtol=1e-13)
for fast, slow in zip(layers.affine_backward(dy, x, W), affine_backward(dy, x, W)):
    assert fast.shape == slow.shape and np.allclose(fast, slow, rtol=1e-13)
    print(fast.shape, "largest difference from the loops:", np.abs(fast - slow).max())

# %% [markdown]
# As products: $\mathrm{d}x = \mathrm{d}y\, W^\top$, $\mathrm{d}W = x^\top \mathrm{d}y$. There
# is nothing to remember: of all products of these arrays, only these have the right shapes.
#
# ## The rectifier
#
# $$y = \max(x, 0) \qquad \mathrm{d}x = \mathrm{d}y \ \text{where}\ x > 0,\ \text{else}\ 0$$
#
# At $x = 0$ there is no derivative; we take 0. $y > 0$ says the same as $x > 0$, so the
# backward pass needs the output only.


# %%
def relu_backward(dy, y):
    dx = np.zeros_like(y)
    for index in np.ndindex(y.shape):
        if y[index] > 0:
            dx[index] = dy[index]
    return dx


y = layers.relu_forward(affine_forward(x, W, c))
assert (y >= 0).all() and (y == 0).any()
assert (layers.relu_backward(dy, y) == relu_backward(dy, y)).all()

# %% [markdown]
# ## Softmax and cross-entropy, together
#
# The action network gives a number $z_c$ for each class, a logit. The probability of class
# $c$ is $p_c = e^{z_c} / \sum_j e^{z_j}$, and the loss for an example of class $a$ is
# $L = -\log p_a = \log \sum_j e^{z_j} - z_a$. Differentiate the last form:
#
# $$\mathrm{d}z_c = \frac{e^{z_c}}{\sum_j e^{z_j}} - [c = a] = p_c - [c = a]$$
#
# What is believed minus what is true. It sums to 0 over the classes: a shift of all logits
# changes nothing, and we use that freedom to subtract the largest one before $\exp$, which
# would overflow.


# %%
def cross_entropy(logits, label):
    """-log p(label) and its derivative by the logits, for one example."""
    shifted = logits - logits.max()
    total = 0.0
    for z in shifted:
        total += np.exp(z)
    dlogits = np.array([np.exp(z) / total for z in shifted])
    dlogits[label] -= 1
    return np.log(total) - shifted[label], dlogits


logits = 3 * rng.standard_normal((B, n_out))
labels = np.array([4, 0, 2])
loss, log_p = layers.cross_entropy_forward(logits, labels)
dlogits = layers.cross_entropy_backward(np.ones(B), log_p, labels)
for n in range(B):
    slow_loss, slow_dlogits = cross_entropy(logits[n], labels[n])
    assert np.isclose(loss[n], slow_loss, rtol=1e-13)
    assert np.allclose(dlogits[n], slow_dlogits, rtol=1e-12, atol=1e-15)
assert np.abs(dlogits.sum(axis=1)).max() < 1e-14

huge, _ = layers.cross_entropy_forward(np.array([[1000.0, 0.0]]), np.array([1]))
assert huge[0] == 1000.0

# %% [markdown]
# ## The chain
#
# A network with one hidden layer, and a loss averaged over examples:
#
# $$z = \mathrm{Rect}(x W_1 + c_1)\, W_2 + c_2$$
#
# $$L = \tfrac{1}{B} \sum_n -\log p_{n, a_n}$$
#
# The backward pass is the forward pass from the last line to the first. The factor
# $\frac{1}{B}$ enters once, where the loss is; nothing below has to know about it. Each line
# takes what the line above it produced and what the forward pass kept.


# %%
def loss_of(p, x, labels):
    hidden = layers.relu_forward(layers.affine_forward(x, p["W_1"], p["c_1"]))
    logits = layers.affine_forward(hidden, p["W_2"], p["c_2"])
    loss, log_p = layers.cross_entropy_forward(logits, labels)
    return loss.sum() / len(labels), (hidden, log_p)


def gradients_of(p, x, labels, cache):
    hidden, log_p = cache
    dloss = np.full(len(labels), 1 / len(labels))
    grads = {}
    dlogits = layers.cross_entropy_backward(dloss, log_p, labels)
    dhidden, grads["W_2"], grads["c_2"] = layers.affine_backward(
        dlogits, hidden, p["W_2"]
    )
    dz = layers.relu_backward(dhidden, hidden)
    _, grads["W_1"], grads["c_1"] = layers.affine_backward(dz, x, p["W_1"])
    return grads


sizes = {"W_1": (6, 7), "c_1": (7,), "W_2": (7, 5), "c_2": (5,)}
p = {name: rng.standard_normal(shape) for name, shape in sizes.items()}
x, labels = rng.standard_normal((4, 6)), np.array([4, 0, 2, 1])
loss, cache = loss_of(p, x, labels)
by_hand = gradients_of(p, x, labels, cache)

# %% [markdown]
# ## Is it right? Finite differences
#
# $$f'(w) \approx \frac{f(w + \delta) - f(w - \delta)}{2\delta}$$
#
# Taylor's series says how wrong this is: $\frac{1}{6} f'''(w)\, \delta^2$, so let the step
# $\delta$ be small. But the two values of $f$ agree in ever more digits as $\delta$ shrinks,
# and subtracting them leaves the digits that rounding has spoilt: an error of about
# $10^{-16} f / \delta$. So let $\delta$ be large.
#
# Truncation grows like $\delta^2$, rounding like $1/\delta$. Their sum is smallest where its
# derivative is 0, and there rounding is *twice* as large as truncation: near
# $\delta = 10^{-5}$, with about ten digits right. No better is to be had this way. For
# $f = \sin$ at $w = 1$:

# %%
truncation, rounding = np.cos(1) / 6, 1.1e-16 * np.sin(1)  # times δ², over δ
deltas = np.logspace(-8, -3, 100_001)
total = truncation * deltas**2 + rounding / deltas
least = deltas[np.argmin(total)]
share = (rounding / least) / (truncation * least**2)
print(
    f"best step {least:.1e}, error {total.min():.1e}, rounding is {share:.2f} times truncation"
)
assert abs(share - 2) < 0.01

# %% [markdown]
#
# ## The complex step
#
# Extend $f$ to complex numbers and take a step in the *imaginary* direction:
#
# $$f(w + i\delta) = f(w) + i\delta f'(w) - \tfrac{1}{2} \delta^2 f''(w) - \dots$$
#
# $$f'(w) \approx \frac{\mathrm{Im}\, f(w + i\delta)}{\delta}$$
#
# Nothing is subtracted: the derivative travels in the imaginary part, alone. The error
# is of order $\delta^2$, and $\delta = 10^{-20}$ makes it vanish. Two conditions: $f$
# must be made of analytic pieces (so $z^2$, never $|z|^2$), and where it branches, as
# the rectifier does, the real part must decide. The layers keep both.
#
# In a loop, once for each weight:


# %%
def complex_step_gradient(p, x, labels, delta=1e-20):
    found = {}
    for name in p:
        found[name] = np.empty(p[name].shape)
        for index in np.ndindex(p[name].shape):
            moved = {key: array.astype(complex) for key, array in p.items()}
            moved[name][index] += 1j * delta
            loss, _ = loss_of(moved, x.astype(complex), labels)
            found[name][index] = loss.imag / delta
    return found


def loss_alone(arrays):
    kind = arrays["W_1"].dtype
    return loss_of(arrays, x.astype(kind), labels)[0]


exact = complex_step.derivatives(loss_alone, p)
mine = complex_step_gradient(p, x, labels)
assert all((exact[name] == mine[name]).all() for name in p)
assert complex_step.failures(by_hand, exact) == {}


def worst(gradients, expected):
    """The largest relative error of a tensor, max |a - b| / max |b|."""
    errors = complex_step.worst_errors(gradients, expected)
    return max(tensor for tensor, _ in errors.values())


print("by hand against the complex step, largest error:", worst(by_hand, exact))
assert worst(by_hand, exact) < 1e-14

# %%
steps = 10.0 ** -np.arange(1, 21)
by_complex, by_difference = [], []
for delta in steps:
    by_complex.append(worst(complex_step.derivatives(loss_alone, p, delta), by_hand))
    found = finite_differences.derivatives(loss_alone, p, delta, refuse_kinks=False)
    by_difference.append(worst(found, by_hand))
best = np.argmin(by_difference)
print(
    f"central differences: at best {by_difference[best]:.0e}, at δ = {steps[best]:.0e}"
)
print(f"complex step: from δ = 1e-9 on, {max(by_complex[8:]):.0e} at most")
assert 1e-7 < steps[best] < 1e-4 and 1e-12 < by_difference[best] < 1e-9

# %% figure
figure, ax = plt.subplots(figsize=(7, 3.6))
ax.loglog(steps, by_difference, "o-", color=COLOURS["policy"], ms=4)
ax.loglog(steps, np.maximum(by_complex, 1e-17), "o-", color=COLOURS["core"], ms=4)
ax.text(1e-6, 1e-4, "central differences", color=COLOURS["policy"])
ax.text(1e-12, 6e-15, "complex step", color=COLOURS["core"])
ax.invert_xaxis()
ax.grid()
ax.set(xlabel="step δ", ylabel="largest relative error", ylim=(1e-17, 30))
plt.show()

# %% [markdown]
# **Figure.** The error of both methods against the gradient by hand, for steps from 0.1 to
# $10^{-20}$. Central differences make a V: too coarse on the left (and, at 0.1, across the
# kinks of rectifiers), drowned in rounding on the right, with one narrow best place near
# $10^{-5}$ and an error of some $10^{-10}$ there; from $10^{-17}$ on, the two values are
# the same and nothing is right. The complex step is as coarse while its step is large, then
# falls to $3 \cdot 10^{-16}$, the rounding of a double, and stays there.
#
# ## Check the checker
#
# A check that cannot fail is no check. Make the gradient wrong by a thousandth, transpose
# one, forget a factor, and see it caught.

# %%
W_2 = by_hand["W_2"]
wrongs = {
    "W_1 times 1.001": by_hand | {"W_1": by_hand["W_1"] * 1.001},
    "W_2 transposed": by_hand | {"W_2": W_2.T.reshape(W_2.shape)},
    "1/B forgotten in c_2": by_hand | {"c_2": by_hand["c_2"] * len(labels)},
    "relu' = 1": gradients_of(p, x, labels, (np.abs(cache[0]) + 1e-9, cache[1])),
}
for name, wrong in wrongs.items():
    caught = [*complex_step.failures(wrong, exact)]
    print(f"{name}: caught in {', '.join(caught)}, error {worst(wrong, exact):.0e}")
    assert caught

# %% [markdown]
# The last one is from a published tutorial: its rectifier's derivative is 1 everywhere. It
# trains. That is why accuracy is no test of a gradient.
#
# ## It learns
#
# 28 × 28 pixels, 32 hidden units, 20 digits, 60 steps of plain gradient descent.

# %%
images, labels = digits()
x = images.reshape(20, -1)
p = {
    "W_1": layers.init_array(rng, (784, 32), float),
    "c_1": np.zeros(32),
    "W_2": layers.init_array(rng, (32, 10), float),
    "c_2": np.zeros(10),
}
history = []
for _ in range(60):
    loss, cache = loss_of(p, x, labels)
    grads = gradients_of(p, x, labels, cache)
    for name in p:
        p[name] -= 0.5 * grads[name]
    history.append(loss)
print(f"cross-entropy {history[0]:.2f} -> {loss:.2f}")
right = np.mean(cache[1].argmax(axis=1) == labels)
print(f"{100 * right:.0f} % of the 20 digits are right")
assert right == 1.0

# %% figure
figure, ax = plt.subplots(figsize=(7, 2.6))
ax.plot(history, color=COLOURS["action"])
ax.axhline(np.log(10), color=COLOURS["muted"], lw=1)
ax.text(59, np.log(10) + 0.06, "log 10: all classes alike", ha="right")
ax.set(xlabel="step", ylabel="cross-entropy", ylim=(0, None))
plt.show()

# %% [markdown]
# **Figure.** The cross-entropy of 20 digits falls from the neighbourhood of
# $\log 10 = 2.30$, where all classes are equally likely, to the value printed above;
# all 20 are right. (Twenty digits learned by heart prove that the gradient points
# downhill, not that anything is understood.)
#
# > **In short.** Backward is forward read upwards; a derivative sums over all uses.
# > $\mathrm{d}x = \mathrm{d}y\, W^\top$, $\mathrm{d}W = x^\top \mathrm{d}y$; the
# > rectifier passes on where it was on; softmax with cross-entropy gives $p$ − onehot.
# > Check with the complex step: it is exact to rounding.
#
# ## In practice, and in the paper
#
# - The paper writes Linear(x) and Rect(x) and leaves the derivatives to the reader.
# - Train in float32, check in float64 (or complex128): in float32 rounding alone is $10^{-7}$
#   and hides small bugs.
# - Draw weights and inputs of order 1 for a check. With weights of order 0.01 the terms that
#   pass through two layers are too small to be noticed.
# - A loop over all weights is for checks only: it costs two forward passes a weight, where the
#   backward pass costs about two in all. That factor is why backpropagation exists.
# - `python -m ramnp.gradient_check` does for the whole agent what this page did.
#
# ## Exercises
#
# In `exercises/02_backpropagate_by_hand.py`; `python -m pytest exercises -k 02` checks them.
#
# 1. *Ten minutes.* The derivative of $\tanh$, from its output.
# 2. *An hour.* The derivative of $\log p$, all of it, where the loss may use every class.
# 3. *A day.* Automatic differentiation: a `Tensor` that records what is done to it and goes
#    back by itself.
