"""Golden data for the Inception score: torch-fidelity on logits, unshuffled and as it stands; and ADM's formula.

ADM's evaluator needs TensorFlow 1. Its score is written down again here in plain NumPy: parts of 5,000 rows in
the given order, the mean over parts of exp(mean KL to the part's mean). Run from this folder.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch_fidelity.metric_isc import isc_features_to_metric

rng = np.random.RandomState(0)
logits = np.round(3 * rng.normal(size=(203, 10)), 3).astype(np.float32)  # 203 rows: uneven splits.

scores = []
for splits in (1, 3, 10):
    got = isc_features_to_metric(torch.from_numpy(logits), splits=splits, shuffle=False)
    scores.append({
        "protocol": "unshuffled", "splits": splits,
        "mean": got["inception_score_mean"], "sd": got["inception_score_std"],
    })
got = isc_features_to_metric(torch.from_numpy(logits))  # Its defaults: 10 splits, shuffled with seed 2020.
scores.append({
    "protocol": "torch-fidelity", "mean": got["inception_score_mean"], "sd": got["inception_score_std"],
})

wide = logits.astype(np.float64)
p = np.exp(wide - wide.max(axis=1, keepdims=True))
p /= p.sum(axis=1, keepdims=True)
parts = [p[i:i + 5000] for i in range(0, len(p), 5000)]
adm = [np.exp((part * (np.log(part) - np.log(part.mean(axis=0)))).sum(axis=1).mean()) for part in parts]
scores.append({"protocol": "adm", "mean": float(np.mean(adm)), "sd": float(np.std(adm))})

golden = {"scores": scores, "logits": [[float(str(v)) for v in row] for row in logits]}
Path("cases.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
names = ("numpy", "torch", "torch-fidelity")
Path("versions.txt").write_text("".join(f"{name} {version(name)}\n" for name in names))
