# %% [markdown]
# # 1. Look through the retina
#
# [← 0. The agent in ten minutes](00_the_agent_in_ten_minutes.ipynb) · [Contents](README.md) ·
# [2. Backpropagate by hand →](02_backpropagate_by_hand.ipynb)
#
# Hold out your arm and look at your thumbnail: you see sharply little more than that.
# Everything around it is a blur, and yet the blur tells you where to look next. A sharp
# spot in a wide blur takes far fewer numbers than a sharp picture of everything. This
# chapter builds such an eye.
#
# **What you'll do.** Write the glimpse sensor $\rho(x, l)$ of section 3.1 A of the paper
# in plain loops, look at a digit through it, and prove that the package's fast sensor
# sees the same everywhere.
#
# **What you'll learn.** What a location $l$ means in pixels; how $k$ patches make a
# retina that is sharp in the middle and coarse outside; what it costs; and why no
# derivative leads from what was seen back to where the agent looked.
#
# **What you need.** Python and NumPy's indexing. 25 minutes. **Running time.** 2 seconds.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
from common import COLOURS, digits, moving, outline, show

from ramnp.agent import glimpse_sensor

images, labels = digits()
print(images.shape, labels)

# %%
scenes = np.zeros((2, 60, 60))
scenes[0, 24:52, 6:34] = images[labels == 7][0]
scenes[1, 3:31, 29:57] = images[labels == 4][0]
moving.retina(scenes, patch_size=12, num_scales=3)

# %% [markdown]
# *To move:* drag the retina over the scene on the left, or use the sliders. On the right
# is all that the agent sees: a sharp square of 12 × 12 pixels, then 12 × 12 cells for a
# square twice as wide, and again. It knows nothing of the places where it has not looked.
# Find a place from which you can tell that this is a seven and not a one.
#
# ## Where l points
#
# A location is a pair of real numbers $l = (l_x, l_y)$: $(0, 0)$ is the centre of the
# image and $(-1, -1)$ its top left corner. The paper does not say how many pixels one
# unit spans. Here it is half a side: $(1, 1)$ is the bottom right corner of the last
# pixel, and $l$ lies $l_x \cdot \text{width} / 2$ pixels to the right of the centre.
#
# A patch of $g_w$ pixels in the very centre starts at pixel $(\text{width} - g_w) / 2$.
# A patch at $l$ is shifted by $l_x \cdot \text{width} / 2$ pixels. We round *this shift*
# so that the start is a whole number: to a whole shift if the gap $\text{width} - g_w$ is
# even, to a half one if it is odd. Ties go away from the centre. (Rounding the start
# itself, ties always up, would treat left and right differently: a flipped image, seen at
# the flipped location, would not give the flipped glimpse.)


# %%
def first_pixel(l, size, patch):
    """The pixel at which a patch around l starts, along one axis."""
    gap = size - patch
    shift = abs(l * size / 2)
    shift = math.floor(shift) + 0.5 if gap % 2 else math.floor(shift + 0.5)
    return int(gap / 2 + math.copysign(shift, l))


for l in (-1.0, -0.5, 0.0, 0.5, 1.0):
    print(f"l = {l:4}: 8 of 28 pixels start at {first_pixel(l, 28, 8)}")

compared = 0
for size in (28, 29, 60):
    for patch in (7, 8, 12):
        for l in np.linspace(-1.5, 1.5, 61):
            both = np.array([[l, -l]]), np.array([size, size])
            left, top = glimpse_sensor.first_pixel(*both, patch)[0]
            assert left == first_pixel(l, size, patch)
            assert top == first_pixel(-l, size, patch)
            compared += 2
print(f"{compared:,} first pixels are the package's")

# %% [markdown]
# At $l_x = 0$ the patch covers pixels 10 to 17 of 28: exactly the middle. At
# $l_x = \pm 1$ its centre lies on the border and half of it is outside. That is allowed:
# the agent draws its locations from a Gaussian, which has no border.

# %% figure
corners = [(0.0, 0.0), (-0.5, -0.5), (0.5, 0.25), (0.9, -0.9)]
seven = images[labels == 7][0]
figure, ax = plt.subplots(figsize=(4.2, 4.2))
show(ax, seven, edges=(-1, -1, 1, 1))
for l in corners:
    left, top = (first_pixel(c, 28, 8) for c in l)
    outline(ax, np.array([left, top, left + 8, top + 8]) / 14 - 1, COLOURS["where"])
    ax.plot(*l, "+", color=COLOURS["where"], ms=9, mew=2)
ax.set(xlim=(-1.4, 1.4), ylim=(1.4, -1.4), xlabel="$l_x$", ylabel="$l_y$")
ax.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1], facecolor=COLOURS["unseen"])
plt.show()

# %% [markdown]
# **Figure.** Four locations, as crosses, on a digit in the coordinates of $l$, and around
# each the 8 × 8 pixels that a patch covers there. The crosses at (0.5, 0.25) and
# (0.9, −0.9) lie between pixels, so their frames are a fraction of a pixel off centre.
#
# ## One patch, then k
#
# The first patch is cut out as it is. Beyond the border we see the background, black.
# Patch $j = 0, 1, \dots, k - 1$ is $2^j g_w$ pixels wide around the *same centre*. It is
# shrunk to $g_w \times g_w$ cells: each cell is the mean of the $2^j \times 2^j$ pixels
# that it covers.
#
# $$\rho_{j,\,\text{row},\,\text{column}}
#   = \frac{1}{4^j} \sum_{\text{pixels of the cell}} x$$
#
# The first of these pixels is in row $\text{top}_j + 2^j\, \text{row}$ and column
# $\text{left}_j + 2^j\, \text{column}$ of the image, where
#
# $$\text{left}_j = \text{left}_0 - \tfrac{1}{2} g_w (2^j - 1)$$
#
# and likewise $\text{top}_j$. This is "same centre" as a formula: patch $j$ is
# $g_w (2^j - 1)$ pixels wider than patch 0, half of that on each side. The glimpse is all
# cells in one vector, patch by patch, row by row.


# %%
def glimpse(image, l, patch, scales):
    """rho(x, l) of one image, for an even patch: a list of scales · patch² means."""
    height, width = image.shape
    left_0 = first_pixel(l[0], width, patch)
    top_0 = first_pixel(l[1], height, patch)
    rho = []
    for j in range(scales):
        cell = 2**j
        left = left_0 - patch * (cell - 1) // 2
        top = top_0 - patch * (cell - 1) // 2
        for row in range(patch):
            for column in range(patch):
                total = 0.0
                first = top + cell * row, left + cell * column
                for down in range(first[0], first[0] + cell):
                    for right in range(first[1], first[1] + cell):
                        if 0 <= down < height and 0 <= right < width:
                            total += image[down, right]
                rho.append(total / cell**2)
    return rho


# %% [markdown]
# The package's form takes a batch of images and a batch of locations and has no loop over
# either. It averages once per batch (`prepare`), for every place that a cell can have, and
# each glimpse is then a table look-up (`forward`). We compare on two scenes of
# 60 × 60 pixels, on a grid of locations that reaches beyond the corners.

# %%
pyramid = glimpse_sensor.prepare(scenes, patch_size=12, num_scales=3)
worst = 0.0
for l_x in np.linspace(-1.2, 1.2, 7):
    for l_y in np.linspace(-1.2, 1.2, 7):
        l = np.array([[l_x, l_y], [-l_x, l_y]])
        fast = glimpse_sensor.forward(pyramid, l)
        slow = [glimpse(scene, where, 12, 3) for scene, where in zip(scenes, l)]
        worst = max(worst, np.abs(fast - slow).max())
print("glimpses:", fast.shape, "largest difference:", worst)
assert worst < 1e-14

# %% figure
l = np.array([-0.35, 0.3])
patches = np.reshape(glimpse(scenes[0], l, 12, 3), (3, 12, 12))
edges = glimpse_sensor.windows(l[None], (60, 60), 12, 3)[0]

figure, axes = plt.subplots(1, 5, figsize=(11, 2.7))
show(axes[0], scenes[0], "image: 3,600 pixels")
for j in range(3):
    outline(axes[0], edges[j], COLOURS["what"], 2.2 - 0.6 * j)
    show(axes[1 + j], patches[j], f"patch {j}: {12 * 2**j} pixels wide")
for j in (2, 1, 0):
    show(axes[4], patches[j], "all that is known", tuple(edges[j]))
    outline(axes[4], edges[j], COLOURS["what"], 2.2 - 0.6 * j)
axes[0].set(xlim=(-10, 70), ylim=(70, -10), facecolor=COLOURS["unseen"])
axes[4].set(xlim=edges[2, [0, 2]], ylim=edges[2, [3, 1]])
plt.show()

# %% [markdown]
# **Figure.** The pyramid on a real digit. Left, a 60 × 60 scene with three frames around
# one centre, each twice as wide as the last. Middle, the three patches, 12 × 12 cells each:
# the same place, ever wider and ever coarser. Right, the three laid over each other, the
# finer on top: a sharp piece of the stroke inside a blur that shows where the rest of the
# digit is.
#
# ## What it costs
#
# A glimpse holds $k\,g_w^2$ numbers. The paper takes three patches for scenes of
# 60 × 60 pixels and four for 100 × 100:

# %%
for side, scales in ((60, 3), (100, 4)):
    numbers = scales * 12**2
    print(f"{side} × {side}: {numbers} of {side**2:,}, {100 * numbers / side**2:.1f} %")
print(f"the image: times {100**2 / 60**2:.1f}, the glimpse: times {4 / 3:.1f}")

# %% [markdown]
# The image gets 2.8 times as large and the glimpse 1.3 times: with each doubling of the
# side, one more patch is enough. What the networks compute depends on the size of the
# glimpse alone.
#
# ## Four properties that catch most mistakes
#
# A low error does not prove that the sensor is right. Test the sensor by itself:
#
# 1. **Flip the image and the location, and the glimpse is flipped.** A sensor that is off
#    by one pixel fails.
# 2. **One bright pixel, on an image that is not square,** is seen where $l$ puts it. A
#    sensor that swaps $l_x$ and $l_y$ fails.
# 3. **A blank image looks the same everywhere,** if the padding is the background. A
#    frame of another brightness would tell the agent where the border is.
# 4. **Every patch has its centre where patch 0 has it.** Otherwise the blur is displaced.

# %%
l = np.array([[0.3, -0.7], [0.3, -0.7]])
seen = glimpse_sensor.forward(pyramid, l).reshape(2, 3, 12, 12)
mirrored = glimpse_sensor.prepare(scenes[:, :, ::-1], 12, 3)
flipped = glimpse_sensor.forward(mirrored, l * [-1, 1]).reshape(2, 3, 12, 12)
print("flipped:", np.abs(flipped[..., ::-1] - seen).max(), "apart")
assert np.abs(flipped[..., ::-1] - seen).max() < 1e-14

dot = np.zeros((1, 20, 40))
dot[0, 5, 30] = 1.0  # its centre lies 30.5 pixels right and 5.5 down
l = np.array([[30.5 / 20 - 1, 5.5 / 10 - 1]])
patch = glimpse_sensor.forward(glimpse_sensor.prepare(dot, 3), l).reshape(3, 3)
print("the pixel at (30, 5), seen by a patch of 3 × 3:", *patch.astype(int))
assert patch[1, 1] == 1.0 and patch.sum() == 1.0

blank = glimpse_sensor.prepare(np.full((1, 60, 60), 0.4), 12, 3, background=0.4)
places = np.random.default_rng(1).normal(size=(50, 2))
seen_blank = glimpse_sensor.forward(blank, places)
print("a blank image of brightness 0.4:", seen_blank.min(), "to", seen_blank.max())
assert np.allclose(seen_blank, 0.4, atol=1e-15)

centres = (edges[:, :2] + edges[:, 2:]) / 2
print("centres of the three patches:", *centres.tolist())
assert (centres == centres[0]).all()

# %% [markdown]
# ## Why nobody differentiates by l
#
# Move $l$ a little and nothing happens: the patch covers the same pixels. Move it a
# little more and it jumps by one. As a function of $l$, $\rho$ is a staircase:
# $\partial\rho/\partial l$ is 0 on every step, and does not exist at the jumps.

# %%
l_x = np.linspace(-0.5, -0.1, 801)
row = glimpse_sensor.prepare(scenes[:1], 12, 3)
l = np.stack([l_x, np.full_like(l_x, 0.3)], axis=1)
stairs = glimpse_sensor.forward(row, l).reshape(-1, 3, 12, 12)
moved = np.abs(np.diff(stairs, axis=0))
jumps = l_x[1:][moved.any(axis=(1, 2, 3))]
print(f"{len(jumps)} jumps, {np.diff(jumps).mean():.4f} apart: 1/30, one pixel")
for j in (0, 2):
    print(f"largest jump of the cell in patch {j}: {moved[:, j, 8, 6].max():.2f}")

# %% figure
figure, ax = plt.subplots(figsize=(7, 2.6))
for j, style in ((0, "-"), (2, "--")):
    ax.plot(l_x, stairs[:, j, 8, 6], style, color=COLOURS["what"], label=f"patch {j}")
ax.set(xlabel="$l_x$", ylabel="brightness of one cell")
ax.legend()
plt.show()

# %% [markdown]
# **Figure.** One cell of the finest patch and the same cell of the coarsest, dashed, while
# the location moves to the right. Both are flat, with jumps one pixel apart. Averaging over
# 4 × 4 pixels makes the jumps of the coarse cell smaller, but it makes no slope.

# %%
rng = np.random.default_rng(0)
l = rng.uniform(-1, 1, size=(2000, 2))
step = 1e-6
change = glimpse_sensor.forward(row, l + step) - glimpse_sensor.forward(row, l - step)
print(f"cells that changed: {np.count_nonzero(change)} of {change.size:,}")

# %% [markdown]
# Of the 864,000 cells in 2,000 glimpses none changed when $l$ moved by $10^{-6}$: every
# finite difference is exactly 0. Backpropagation can teach the agent what to make of a
# glimpse, but not where to take it. Chapter 5 shows what can. The staircase also means
# that *no gradient flows through a location*, which makes backpropagation through time
# simpler in chapter 4.

# %% [markdown]
# > **In short.** A location $(l_x, l_y)$ counts in half sides from the centre. A glimpse is
# > $k$ patches of $g_w \times g_w$ means around it, each twice as wide as the last:
# > $k\,g_w^2$ numbers, whatever the size of the image. In $l$ it is a staircase, without a
# > derivative.
#
# ## In practice, and in the paper
#
# - The paper names neither the padding, nor the pixels per unit of $l$, nor the rounding,
#   nor the way of shrinking. Half a side per unit, black, ties outwards and the mean are
#   this package's choices.
# - Shrinking by an interpolation that reads only 4 of a cell's pixels aliases: thin strokes
#   flicker in and out of the coarse patches. The mean reads all of them.
# - `glimpse_sensor` also takes odd patches and other factors than 2, and images that are
#   not square. It keeps the dtype of the images: float32 in training, float64 in a proof.
# - Smooth sensors exist, and learn where to look by backpropagation: K. Gregor et al.,
#   [*DRAW*](https://arxiv.org/abs/1502.04623), ICML 2015; M. Jaderberg et al., [*Spatial
#   transformer networks*](https://arxiv.org/abs/1506.02025), NIPS 2015. DRAW computes with
#   all pixels of the image for each glimpse.
# - A patch 7 pixels wide has its centre in the middle of a pixel. The patch of 14 pixels
#   around it begins at half a pixel, and its cells cover halves of pixels.
#
# ## Exercises
#
# In `exercises/01_look_through_the_retina.py`; `python -m pytest exercises -k 01` checks them.
#
# 1. *Five minutes.* Return the $l$ that puts a patch exactly on a given window. Predict
#    first: which $l_x$ puts 8 pixels at the left edge of 28?
# 2. *An hour.* Write the sensor for one image with padding and `reshape`, no loop over
#    pixels.
# 3. *A day.* Make the sensor smooth: interpolate between pixels, so that
#    $\partial\rho/\partial l$ exists. Derive it, and prove it by the complex step
#    (chapter 2). Spatial transformers learn where to look by such a derivative.
