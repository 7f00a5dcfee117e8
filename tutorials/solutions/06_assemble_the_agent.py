"""Solutions to chapter 6."""

import numpy as np

from ramnp.agent import glimpse_sensor


def gradient_of_halves(gradient_of, num_rows):
    """A mean of means, each weighted by its rows."""
    half = num_rows // 2
    first = gradient_of(slice(0, half))
    second = gradient_of(slice(half, num_rows))
    rest = num_rows - half
    return {
        name: (half * first[name] + rest * second[name]) / num_rows for name in first
    }


def rollout(params, image, rng, config):
    """Look, choose, look, ..."""
    l, h = np.zeros(2), np.zeros(config.h_size)
    locations, logits = [], []
    for _ in range(config.num_glimpses):
        _, _, _, h = _step(params, _rho(image, l, config), l, h)
        locations.append(l)
        logits.append(h @ params["action.W_a"] + params["action.b_a"])
        mu = h @ params["location.W_mu"] + params["location.b_mu"]
        if len(locations) < config.num_glimpses:
            l = mu + config.location_std * rng.standard_normal(2)
    return np.stack(locations), np.stack(logits)


def gradient(params, image, label, locations, R, advantage, config):
    """Forward through time, keeping everything; then backward."""
    p = params
    T = config.num_glimpses
    rho = [_rho(image, l, config) for l in locations]
    hg, hl, g, h = [], [], [], [np.zeros(config.h_size)]
    for t in range(T):
        for kept, value in zip((hg, hl, g, h), _step(p, rho[t], locations[t], h[t])):
            kept.append(value)

    grads = {name: np.zeros_like(array) for name, array in p.items()}
    for t in range(T - 1):  # each teaches its own network, and goes no further
        mu = h[t + 1] @ p["location.W_mu"] + p["location.b_mu"]
        dmu = -advantage[t] * (locations[t + 1] - mu) / config.location_std**2
        grads["location.W_mu"] += np.outer(h[t + 1], dmu)
        grads["location.b_mu"] += dmu
        b = h[t + 1] @ p["baseline.W_b"] + p["baseline.b_b"]
        db = 2 * (b - R[t])
        grads["baseline.W_b"] += np.outer(h[t + 1], db)
        grads["baseline.b_b"] += db

    logits = h[T] @ p["action.W_a"] + p["action.b_a"]
    dlogits = np.exp(logits - logits.max())
    dlogits /= dlogits.sum()
    dlogits[label] -= 1
    grads["action.W_a"] += np.outer(h[T], dlogits)
    grads["action.b_a"] += dlogits
    dh = p["action.W_a"] @ dlogits
    for t in reversed(range(T)):
        dz = dh * (h[t + 1] > 0)
        grads["core.W_h"] += np.outer(h[t], dz)
        grads["core.W_g"] += np.outer(g[t], dz)
        grads["core.b_h"] += dz
        dh = p["core.W_h"] @ dz
        dz_g = (p["core.W_g"] @ dz) * (g[t] > 0)
        pair = np.concatenate([hg[t], hl[t]])
        grads["glimpse.W_g"] += np.outer(pair, dz_g)
        grads["glimpse.b_g"] += dz_g
        dz_hg, dz_hl = np.split((p["glimpse.W_g"] @ dz_g) * (pair > 0), [len(hg[t])])
        grads["glimpse.W_hg"] += np.outer(rho[t], dz_hg)
        grads["glimpse.b_hg"] += dz_hg
        grads["glimpse.W_hl"] += np.outer(locations[t], dz_hl)
        grads["glimpse.b_hl"] += dz_hl
    return grads


def _rho(image, l, config):
    pyramid = glimpse_sensor.prepare(
        image[None], config.patch_size, config.num_scales, config.scale_factor
    )
    return glimpse_sensor.forward(pyramid, l[None])[0]


def _step(p, rho, l, h):
    """Return hg, hl, g and the next h."""
    hg = np.maximum(rho @ p["glimpse.W_hg"] + p["glimpse.b_hg"], 0)
    hl = np.maximum(l @ p["glimpse.W_hl"] + p["glimpse.b_hl"], 0)
    g = np.concatenate([hg, hl]) @ p["glimpse.W_g"] + p["glimpse.b_g"]
    g = np.maximum(g, 0)
    return (
        hg,
        hl,
        g,
        np.maximum(h @ p["core.W_h"] + g @ p["core.W_g"] + p["core.b_h"], 0),
    )
