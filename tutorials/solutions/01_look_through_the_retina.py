"""Solutions to chapter 1."""

import numpy as np


def location_of_window(left, top, width, height, patch):
    """Return the location of the window's centre."""
    return (2 * left + patch) / width - 1, (2 * top + patch) / height - 1


def glimpse(image, left, top, patch, scales):
    """Pad by more than any patch can reach, cut out, average blocks."""
    height, width = image.shape
    rho = []
    for j in range(scales):
        cell = 2**j
        size = patch * cell
        x = left - patch * (cell - 1) // 2
        y = top - patch * (cell - 1) // 2
        # Moving a window that sees nothing any further would change nothing.
        x, y = np.clip(x, -size, width), np.clip(y, -size, height)
        padded = np.pad(image, size)
        window = padded[y + size : y + 2 * size, x + size : x + 2 * size]
        rho.append(window.reshape(patch, cell, patch, cell).mean(axis=(1, 3)))
    return np.stack(rho)


def smooth_forward(image, l, patch):
    """Weigh the four pixels around each point."""
    height, width = image.shape
    offset = np.arange(patch) - (patch - 1) / 2 - 0.5
    x = (1 + l[0]) * width / 2 + offset
    y = (1 + l[1]) * height / 2 + offset
    left = np.floor(np.real(x)).astype(int)
    top = np.floor(np.real(y)).astype(int)
    right_share, bottom_share = x - left, (y - top)[:, None]

    def pixels(rows, columns):
        inside = ((rows >= 0) & (rows < height))[:, None]
        inside = inside & (columns >= 0) & (columns < width)
        rows, columns = rows.clip(0, height - 1), columns.clip(0, width - 1)
        return np.where(inside, image[np.ix_(rows, columns)], 0.0)

    a, b = pixels(top, left), pixels(top, left + 1)
    c, d = pixels(top + 1, left), pixels(top + 1, left + 1)
    upper = a + (b - a) * right_share
    lower = c + (d - c) * right_share
    values = upper + (lower - upper) * bottom_share
    slope_x = (b - a) * (1 - bottom_share) + (d - c) * bottom_share
    return values, (slope_x * width / 2, (lower - upper) * height / 2)


def smooth_backward(dpatch, cache):
    """All cells move together, so their slopes add up."""
    slope_x, slope_y = cache
    return np.array([(dpatch * slope_x).sum(), (dpatch * slope_y).sum()])
