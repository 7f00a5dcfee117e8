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
# of about two. You will derive it, and then find out whether your derivation is right.
# The second part matters more: a network with a wrong gradient often learns all the same.
#
# **What you'll do.** Derive the three operations that the whole agent is made of: the
# affine map, the rectifier and the softmax cross-entropy. Write each derivative in loops,
# chain them, and build two instruments that tell a right gradient from a wrong one that
# also trains.
#
# **What you'll learn.** Why every backward function is its forward function read upwards;
# why a gradient check has a best step size, and how the complex step does without one.
#
# **What you need.** The chain rule, matrix products. 25 minutes. **Running time.** 3 seconds.

# %%
import matplotlib.pyplot as plt
import numpy as np
from common import COLOURS, digits

from ramnp.agent import layers, model, parameters
from ramnp.learning.config import Config
from ramnp.proofs import complex_step, finite_differences

rng = np.random.default_rng(0)
num_weights = parameters.size(model.shapes(Config()))
print(f"{num_weights:,} weights and biases in the paper's agent")

# %% [markdown]
# ## The rules of the game
#
# $L$ is one number, the loss. We write $\mathrm{d}x$ for $\partial L / \partial x$: an array
# of exactly the shape of $x$. A function $y = f(x)$ inside the loss has a partner that turns
# $\mathrm{d}y$ into $\mathrm{d}x$, and the chain rule is all there is to it:
#
# $$\mathrm{d}x_i = \sum_j \mathrm{d}y_j \, \frac{\partial y_j}{\partial x_i}$$
#
# To test one partner alone, draw random numbers $\mathrm{d}y_j$ and let the loss be
# $L = \sum_j \mathrm{d}y_j\, y_j$: its derivative by $y_j$ is $\mathrm{d}y_j$. (If all
# were 1, errors that cancel in a sum would stay unseen. If two dimensions were equal,
# transposed indices would: let all dimensions differ.)

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
# In loops, the backward pass has the same shape as the forward pass. The one product of
# the forward pass, `y += x W`, becomes two of the same size, `dx += dy W` and
# `dW += x dy`. That is why the backward pass costs about two forward passes.


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
# As products of matrices: $\mathrm{d}x = \mathrm{d}y\, W^\top$ and
# $\mathrm{d}W = x^\top \mathrm{d}y$. There is nothing to remember: of all products of
# these arrays, only these have the right shapes.
#
# ## The rectifier
#
# $$y = \max(x, 0)$$
#
# $$\mathrm{d}x = \mathrm{d}y \ \text{where}\ x > 0,\ \text{else}\ 0$$
#
# At $x = 0$ there is no derivative; we take 0. Where $x > 0$, $y > 0$ too, and the other
# way round: the backward pass needs only the output.


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
print(f"{np.sum(y > 0)} of {y.size} units are on; dy passes through these alone")

# %% [markdown]
# ## Softmax and cross-entropy, together
#
# The action network gives a number $z_j$ for each class $j$, a logit. The probability of
# class $j$ and the loss of an example are
#
# $$p_j = \frac{\exp z_j}{\sum_i \exp z_i}$$
#
# $$L = -\log p_{\text{label}} = \log \sum_i \exp z_i - z_{\text{label}}$$
#
# Differentiate the last form, with $[\dots]$ for 1 if true and 0 if not:
#
# $$\mathrm{d}z_j = p_j - [j = \text{label}]$$
#
# This is the probability minus the truth. It sums to 0 over the classes, because a shift
# of all logits changes nothing. We use this freedom to subtract the largest logit before
# $\exp$, which would overflow otherwise.


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
print("a row of dlogits:", dlogits[0].round(3), "sum", abs(dlogits[0].sum().round(15)))

huge, _ = layers.cross_entropy_forward(np.array([[1000.0, 0.0]]), np.array([1]))
print("loss of the logits 1000 and 0, if the second class is right:", huge[0])

# %% [markdown]
# ## The chain
#
# A network with one hidden layer, and a loss averaged over the $B$ rows of a batch:
#
# $$z = \mathrm{Rect}(x W_1 + c_1)\, W_2 + c_2$$
#
# $$L = \frac{1}{B} \sum_n -\log p_{n,\,\text{label}}$$
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
for name, gradient in by_hand.items():
    print(f"d{name} {gradient.shape}, largest entry {np.abs(gradient).max():.2f}")

# %% [markdown]
# ## Is it right? Finite differences
#
# $$f'(w) \approx \frac{f(w + \delta) - f(w - \delta)}{2\delta}$$
#
# Taylor's series gives the error of this *truncation*, $\frac{1}{6} f'''(w)\, \delta^2$:
# the step $\delta$ should be small. But the two values of $f$ agree in ever more digits as
# $\delta$ shrinks, and their difference keeps only the digits spoilt by *rounding*, with
# an error of about $10^{-16} f / \delta$: the step should be large.
#
# Truncation grows like $\delta^2$, rounding like $1/\delta$. Their sum is smallest where
# its derivative by $\delta$ is 0. There, twice the truncation equals once the rounding.
# For $f = \sin$ at $w = 1$:

# %%
truncation, rounding = np.cos(1) / 6, 1.1e-16 * np.sin(1)  # times δ², over δ
deltas = np.logspace(-8, -3, 100_001)
total = truncation * deltas**2 + rounding / deltas
least = deltas[np.argmin(total)]
share = (rounding / least) / (truncation * least**2)
print(f"best step {least:.1e}, error {total.min():.1e}")
print(f"there, rounding is {share:.2f} times truncation")

# %% [markdown]
# The best step is near $10^{-5}$, and leaves about ten digits right. This formula gives no
# more.
#
# ## The complex step
#
# Extend $f$ to complex numbers and take a step in the *imaginary* direction:
#
# $$f(w + \mathrm{i}\delta) \approx f(w) + \mathrm{i}\delta f'(w)
#   - \tfrac{1}{2} \delta^2 f''(w)$$
#
# $$f'(w) \approx \frac{\mathrm{Im}\, f(w + \mathrm{i}\delta)}{\delta}$$
#
# Nothing is subtracted: the derivative is alone in the imaginary part. The error is of
# order $\delta^2$, and $\delta = 10^{-20}$ makes it vanish. There are two conditions. $f$
# must be made of analytic pieces: $w^2$ is allowed, $|w|^2$ is not. And where it branches,
# as the rectifier does, the real part must decide. The layers keep both.
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
print(f"    at δ = 1e-17: {by_difference[16]:.0f}, nothing is right")
print(f"complex step: from δ = 1e-9 on, {max(by_complex[8:]):.0e} at most")

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
# $10^{-20}$. Central differences make a V: truncation on the left (at 0.1, the step also
# crosses kinks of rectifiers), rounding on the right. The best step is near $10^{-5}$, with
# an error of $2 \cdot 10^{-10}$. From $10^{-17}$ on, both values are the same, and the
# difference is 0. The complex step is as coarse while its step is large, then falls to
# $3 \cdot 10^{-16}$, the rounding of a double, and stays there.
#
# ## Check the checker
#
# A check that cannot fail proves nothing. Make the gradient wrong by a thousandth,
# transpose one tensor, forget a factor, and see each mistake caught.

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
# In the last one the rectifier's derivative is 1 everywhere, a mistake from a published
# tutorial. Would you notice it in training?
#
# ## It learns, even with a wrong gradient
#
# 28 × 28 pixels, 32 hidden units, 20 digits, 60 steps of plain gradient descent, once with
# the right gradient and once with the rectifier's derivative 1:

# %%
images, labels = digits()
x = images.reshape(20, -1)
first = layers.init_array(rng, (784, 32), float)
second = layers.init_array(rng, (32, 10), float)


def descend(with_mistake):
    p = {"W_1": first, "c_1": np.zeros(32), "W_2": second, "c_2": np.zeros(10)}
    losses = []
    for _ in range(60):
        loss, (hidden, log_p) = loss_of(p, x, labels)
        kept = np.abs(hidden) + 1e-9 if with_mistake else hidden
        grads = gradients_of(p, x, labels, (kept, log_p))
        p = {name: p[name] - 0.5 * grads[name] for name in p}
        losses.append(loss)
    return losses, np.mean(log_p.argmax(axis=1) == labels)


histories = {}
for name, with_mistake in (("right gradient", False), ("relu' = 1", True)):
    histories[name], right = descend(with_mistake)
    loss = histories[name]
    print(f"{name}: cross-entropy {loss[0]:.2f} -> {loss[-1]:.3f},", end=" ")
    print(f"{100 * right:.0f} % of the 20 digits right")

# %% figure
figure, ax = plt.subplots(figsize=(7, 2.6))
for (name, losses), style in zip(histories.items(), ("-", "--")):
    ax.plot(losses, style, color=COLOURS["action"], label=name)
ax.legend(loc="center right")
ax.axhline(np.log(10), color=COLOURS["muted"], lw=1)
ax.text(59, np.log(10) + 0.06, "log 10: all classes alike", ha="right")
ax.set(xlabel="step", ylabel="cross-entropy", ylim=(0, None))
plt.show()

# %% [markdown]
# **Figure.** The cross-entropy of 20 digits falls from near $\log 10 = 2.30$, where all
# classes are equally likely, to nearly 0, with the right gradient and, dashed, with the
# wrong one. Both networks get all 20 digits right. So accuracy is no test of a gradient.
#
# > **In short.** Backward is forward read upwards; a derivative sums over all uses.
# > $\mathrm{d}x = \mathrm{d}y\, W^\top$, $\mathrm{d}W = x^\top \mathrm{d}y$; the
# > rectifier passes the gradient on where it was on; softmax with cross-entropy gives $p$ −
# > onehot. Check with the complex step: it is exact to rounding.
#
# ## In practice, and in the paper
#
# - The paper writes Linear(x) and Rect(x) and leaves the derivatives to the reader.
# - Train in float32, check in float64 (or complex128): in float32 the rounding alone is
#   about $10^{-7}$, and hides small mistakes.
# - Draw weights and inputs of order 1 for a check, so that no term of a sum is too small to
#   be noticed.
# - A loop over all weights is for checks only: it costs a forward pass or two per weight,
#   the backward pass about two in all.
# - `python -m ramnp.gradient_check` does for the whole agent what this page did.
#
# ## Exercises
#
# In `exercises/02_backpropagate_by_hand.py`; `python -m pytest exercises -k 02` checks them.
#
# 1. *Ten minutes.* Predict first: at which output of $\tanh$ does most of the gradient pass?
#    Then write its derivative, from its output.
# 2. *An hour.* The derivative of $\log p$, the whole vector, where the loss may use every
#    class.
# 3. *A day.* Automatic differentiation: a `Tensor` that records what is done to it and
#    computes its own gradients.
