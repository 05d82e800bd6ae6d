"""Golden data for every score on the same six pairs of sets, easy and awkward. Run from this folder.

FID: SciPy's sqrtm, torch-fidelity, and the nuclear norm (LAPACK) that has no loss on singular covariances. KID,
Inception score, precision, recall, F-score: torch-fidelity. Density, coverage: the prdc package. FID-infinity and
AuthPct are dgm-eval's, which is not on the package index: their formulas are written down again here in plain
NumPy and scikit-learn, from the repository layer6ai-labs/dgm-eval (metrics/fd.py, metrics/authpct.py), with draws
from RandomState(2020) in place of its unseeded generator and in f64 in place of f32.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy.linalg
import torch
from prdc import compute_prdc
from sklearn.linear_model import LinearRegression
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

rng = np.random.RandomState(0)


def normal(n, d, shift=0.0, scale=1.0):
    return np.round(shift + scale * rng.normal(size=(n, d)), 3)


def whole(n, d, shift=0):
    """Small whole numbers: all distances are exact in every tool, so ties are ties."""
    return rng.randint(-4, 5, size=(n, d)) + shift


flat = whole(4, 10)
twins = whole(40, 4)
same = normal(40, 6)
pairs = {
    "small": (normal(20, 3), normal(24, 3, 0.4)),
    "fewer-than-features": (normal(30, 40), normal(25, 40, 0.3, 1.2)),
    "more-than-features": (normal(200, 8), normal(150, 8, 0.2, 1.1)),
    "duplicates": (np.concatenate([twins, twins[:20]]), np.concatenate([twins[10:30], whole(40, 4, 1), twins[10:20]])),
    "identical": (same, same.copy()),
    "rank-deficient": (whole(80, 4) @ flat, whole(70, 4, 1) @ flat),
}


def moments(rows):
    return np.mean(rows, axis=0), np.atleast_2d(np.cov(rows, rowvar=False))


def sqrtm_distance(a, b):
    step = a[0] - b[0]
    return float(step @ step + np.trace(a[1]) + np.trace(b[1]) - 2 * np.trace(scipy.linalg.sqrtm(a[1] @ b[1])).real)


def nuclear_distance(x, y):
    step = x.mean(axis=0) - y.mean(axis=0)
    x = (x - x.mean(axis=0)) / np.sqrt(len(x) - 1)
    y = (y - y.mean(axis=0)) / np.sqrt(len(y) - 1)
    return float(step @ step + (x**2).sum() + (y**2).sum() - 2 * np.linalg.norm(x @ y.T, "nuc"))


def fd_infinity(real, fake):
    sizes = np.linspace(min(5000, max(len(fake) // 10, 2)), len(fake), 15).astype("int32")
    state = np.random.RandomState(2020)
    drawn = [fake[state.choice(len(fake), n, replace=False)] for n in sizes]
    # Small draws are singular: the nuclear norm is the same number without sqrtm's loss there.
    distances = np.array([nuclear_distance(real, rows) for rows in drawn])
    line = LinearRegression().fit(1 / sizes.reshape(-1, 1), distances.reshape(-1, 1))
    return {"sizes": sizes.tolist(), "value": float(line.predict([[0]])[0, 0]), "slope": float(line.coef_[0, 0]),
            "r_squared": float(line.score(1 / sizes.reshape(-1, 1), distances.reshape(-1, 1)))}


def distances(x, y):
    return np.sqrt(((x[:, None, :] - y[None, :, :]) ** 2).sum(axis=2))


def authentic(real, fake):
    within, across = distances(real, real), distances(real, fake)
    np.fill_diagonal(within, np.inf)
    return float((within.min(axis=0)[across.argmin(axis=0)] < across.min(axis=0)).mean())


cases = {}
for name, (real32, fake32) in pairs.items():
    real32, fake32 = real32.astype(np.float32), fake32.astype(np.float32)
    real, fake = real32.astype(np.float64), fake32.astype(np.float64)
    tensors = torch.from_numpy(real), torch.from_numpy(fake)
    size = min(len(real), len(fake)) // 2
    kid = kid_features_to_metric(
        tensors[1], tensors[0], kid_subsets=20, kid_subset_size=size, kid_kernel="poly",
        kid_kernel_poly_degree=3, kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1, rng_seed=2020, verbose=False,
    )
    score = isc_features_to_metric(tensors[1])
    prc = prc_features_to_metric(
        tensors[1], tensors[0], prc_neighborhood=3, prc_batch_size=1000, save_cpu_ram=False, verbose=False,
    )
    statistics = [fid_features_to_statistics(side) for side in tensors]
    cases[name] = {
        "fid": {
            "sqrtm": sqrtm_distance(moments(real), moments(fake)),
            "torch_fidelity": fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"],
            "nuclear": nuclear_distance(real, fake),
        },
        "kid": {"size": size, "mean": kid["kernel_inception_distance_mean"], "sd": kid["kernel_inception_distance_std"]},
        "is": {"mean": score["inception_score_mean"], "sd": score["inception_score_std"]},
        "prdc": {key: float(value) for key, value in compute_prdc(real, fake, nearest_k=5).items()},
        "prc": {key: prc[key] for key in ("precision", "recall", "f_score")},
        "fid_infinity": fd_infinity(real, fake),
        "authentic": authentic(real, fake),
        "real": [[float(str(v)) for v in row] for row in real32],
        "fake": [[float(str(v)) for v in row] for row in fake32],
    }

Path("cases.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
names = ("numpy", "prdc", "scikit-learn", "scipy", "torch", "torch-fidelity")
Path("versions.txt").write_text("".join(f"{name} {version(name)}\n" for name in names))
