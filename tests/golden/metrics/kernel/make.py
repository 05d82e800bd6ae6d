"""Golden data for the kernel distance: torch-fidelity with one subset that holds every row, and with its own draws.

Features go in as f64 (then nothing but the order of summation is left) and, as the tool is used, as f32.
Run from this folder.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch_fidelity.metric_kid import kid_features_to_metric

rng = np.random.RandomState(0)

cases = []
for n, d, shift in [(2, 3, 0.0), (60, 4, 0.0), (60, 4, 0.5), (200, 16, 0.1), (30, 100, 0.2)]:
    real = np.round(rng.normal(size=(n, d)), 3).astype(np.float32)
    fake = np.round(shift + 1.1 * rng.normal(size=(n, d)), 3).astype(np.float32)
    # The estimate needs equal sizes there; a subset of all rows only changes their order.
    got = kid_features_to_metric(
        torch.from_numpy(real.astype(np.float64)), torch.from_numpy(fake.astype(np.float64)),
        kid_subsets=1, kid_subset_size=n, kid_kernel="poly", kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1, rng_seed=0, verbose=False,
    )
    cases.append({
        "kid": got["kernel_inception_distance_mean"],
        "real": [[float(str(v)) for v in row] for row in real],
        "fake": [[float(str(v)) for v in row] for row in fake],
    })

Path("cases.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
names = ("numpy", "torch", "torch-fidelity")
subsets = []
for n, m, d, count, size, shift in [(80, 60, 5, 100, 40, 0.3), (50, 50, 40, 7, 50, 0.1), (90, 70, 3, 30, 10, 0.0)]:
    real = np.round(rng.normal(size=(n, d)), 3).astype(np.float32)
    fake = np.round(shift + 1.1 * rng.normal(size=(m, d)), 3).astype(np.float32)
    got = [kid_features_to_metric(
        torch.from_numpy(fake.astype(kind)), torch.from_numpy(real.astype(kind)),  # Input 1 is the generated set.
        kid_subsets=count, kid_subset_size=size, kid_kernel="poly", kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1, rng_seed=2020, verbose=False,
    ) for kind in (np.float64, np.float32)]
    mean, sd = "kernel_inception_distance_mean", "kernel_inception_distance_std"
    subsets.append({
        "subsets": count, "size": size,
        "mean": got[0][mean], "sd": got[0][sd], "mean32": got[1][mean], "sd32": got[1][sd],
        "real": [[float(str(v)) for v in row] for row in real],
        "fake": [[float(str(v)) for v in row] for row in fake],
    })
Path("subsets.json").write_text(json.dumps(subsets, separators=(",", ":")) + "\n")
Path("versions.txt").write_text("".join(f"{name} {version(name)}\n" for name in names))
