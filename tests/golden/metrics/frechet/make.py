"""Golden data for the Fréchet distance. Run from this folder.

Three references on the same rows: SciPy's sqrtm of the product, torch-fidelity's own function, and
the sum of singular values of the two centred sets (LAPACK).
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy.linalg
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

rng = np.random.RandomState(0)


def rows(n, d, shift, scale):
    """Correlated normal rows that survive f32 and three decimals unchanged."""
    mix = np.eye(d) + 0.3 * rng.normal(size=(d, d)) / np.sqrt(d)
    return np.round(shift + scale * rng.normal(size=(n, d)) @ mix, 3).astype(np.float32)


def through_sqrtm(real, fake):
    a, b = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    step = real.mean(axis=0) - fake.mean(axis=0)
    return float(step @ step + np.trace(a) + np.trace(b) - 2 * np.trace(scipy.linalg.sqrtm(a @ b)).real)


def through_singular_values(real, fake):
    step = real.mean(axis=0) - fake.mean(axis=0)
    x = (real - real.mean(axis=0)) / np.sqrt(len(real) - 1)
    y = (fake - fake.mean(axis=0)) / np.sqrt(len(fake) - 1)
    return float(step @ step + (x**2).sum() + (y**2).sum() - 2 * np.linalg.norm(x @ y.T, "nuc"))


def torch_fidelity(real, fake):
    moments = [fid_features_to_statistics(torch.from_numpy(side)) for side in (real, fake)]
    return fid_statistics_to_metric(*moments, verbose=False)["frechet_inception_distance"]


cases = []
for n, m, d in [(40, 50, 3), (120, 90, 16), (100, 100, 48), (7, 9, 12), (10, 60, 24), (70, 5, 24), (2, 2, 4)]:
    real32, fake32 = rows(n, d, 0.5, 1.0), rows(m, d, 0.3, 1.4)
    real, fake = real32.astype(np.float64), fake32.astype(np.float64)
    cases.append({
        "sqrtm": through_sqrtm(real, fake),
        "torch_fidelity": torch_fidelity(real, fake),
        "nuclear": through_singular_values(real, fake),
        "real": [[float(str(v)) for v in row] for row in real32],
        "fake": [[float(str(v)) for v in row] for row in fake32],
    })

Path("cases.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
names = ("numpy", "scipy", "torch", "torch-fidelity")
Path("versions.txt").write_text("".join(f"{name} {version(name)}\n" for name in names))
