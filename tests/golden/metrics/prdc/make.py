"""Golden data for precision, recall, density, coverage: the prdc package (k = 5, <) and torch-fidelity
(k = 3, <=).

ADM's evaluator (k = 3, <=) needs TensorFlow 1; its definition is written down again here in plain NumPy: a
radius is the 4th smallest distance of a row to its own set, itself included. Run from this folder.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from prdc import compute_prdc
from torch_fidelity.metric_prc import prc_features_to_metric

rng = np.random.RandomState(0)



def adm(real, fake):
    def distances(x, y):
        return ((x[:, None, :] - y[None, :, :]) ** 2).sum(axis=2)

    real_radii, fake_radii = (np.sort(distances(x, x), axis=1)[:, 3] for x in (real, fake))
    between = distances(real, fake)
    return {
        "precision": float((between <= real_radii[:, None]).any(axis=0).mean()),
        "recall": float((between <= fake_radii[None, :]).any(axis=1).mean()),
    }


cases = []
# Same law; a shifted one; one tight mode; its mirror image; unequal sizes.
for n, m, d, shift, scale in [
    (150, 150, 6, 0.0, 1.0), (150, 150, 6, 0.5, 1.0), (120, 120, 6, 0.0, 0.1),
    (120, 120, 6, 0.0, 4.0), (90, 200, 16, 0.2, 0.8),
]:
    real = np.round(rng.normal(size=(n, d)), 3).astype(np.float32)
    fake = np.round(shift + scale * rng.normal(size=(m, d)), 3).astype(np.float32)
    wide = real.astype(np.float64), fake.astype(np.float64)
    got = compute_prdc(*wide, nearest_k=5)
    # There the generated set is the first argument.
    other = prc_features_to_metric(
        torch.from_numpy(wide[1]), torch.from_numpy(wide[0]),
        prc_neighborhood=3, prc_batch_size=1000, save_cpu_ram=False, verbose=False,
    )
    cases.append({
        "prdc": {name: float(value) for name, value in got.items()},
        "torch_fidelity": {name: other[name] for name in ("precision", "recall", "f_score")},
        "adm": adm(*wide),
        "real": [[float(str(v)) for v in row] for row in real],
        "fake": [[float(str(v)) for v in row] for row in fake],
    })

Path("cases.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
names = ("numpy", "prdc", "scikit-learn", "torch", "torch-fidelity")
Path("versions.txt").write_text("".join(f"{name} {version(name)}\n" for name in names))
