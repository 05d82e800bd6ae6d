"""Golden data for NumPy's archives: statistics as FID tools save them, samples as ADM saves them. Run from this folder."""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy.linalg

rng = np.random.RandomState(0)
real = np.round(rng.normal(size=(40, 5)), 3).astype(np.float32)
fake = np.round(0.3 + 1.2 * rng.normal(size=(50, 5)), 3).astype(np.float32)


def statistics(rows):
    rows = rows.astype(np.float64)
    return np.mean(rows, axis=0), np.cov(rows, rowvar=False)


def distance(a, b):
    step = a[0] - b[0]
    return float(step @ step + np.trace(a[1]) + np.trace(b[1]) - 2 * np.trace(scipy.linalg.sqrtm(a[1] @ b[1])).real)


mu, sigma = statistics(real)
np.savez("c-f64.npz", mu=mu, sigma=sigma)
np.savez("fortran-f64.npz", mu=mu, sigma=np.asfortranarray(sigma))
np.savez("c-f32.npz", mu=mu.astype(np.float32), sigma=sigma.astype(np.float32))
np.savez("big-endian.npz", mu=mu.astype(">f8"), sigma=sigma.astype(">f8"))
np.savez_compressed("compressed.npz", mu=mu, sigma=sigma)
mu_s, sigma_s = statistics(real[:, :3])
np.savez("adm.npz", arr_0=np.zeros((1, 2, 2, 3), np.uint8), mu=mu, sigma=sigma, mu_s=mu_s, sigma_s=sigma_s)

samples = rng.randint(0, 256, size=(7, 2, 3, 3)).astype(np.uint8)
np.savez("samples.npz", samples)
np.savez("samples-labelled.npz", samples, np.array([3, 1, 4, 1, 5, 9, 2]))
np.savez("floats.npz", np.zeros((2, 2, 2, 3), np.float32))
np.savez("channels-first.npz", np.zeros((2, 3, 4, 4), np.uint8))
np.savez("fortran.npz", np.asfortranarray(samples))
np.savez("miscounted.npz", samples[:2], np.arange(3))

numbers = {
    "f64": {"mu": mu.tolist(), "sigma": sigma.ravel().tolist()},
    "f32": {name: side.astype(np.float32).astype(np.float64).ravel().tolist() for name, side in (("mu", mu), ("sigma", sigma))},
    "fid": distance((mu, sigma), statistics(fake)),
    "samples": samples.ravel().tolist(),
    "real": [[float(str(v)) for v in row] for row in real],
    "fake": [[float(str(v)) for v in row] for row in fake],
}
Path("numbers.json").write_text(json.dumps(numbers, separators=(",", ":")) + "\n")
Path("versions.txt").write_text("".join(f"{name} {version(name)}\n" for name in ("numpy", "scipy")))
