"""Golden data for the Inception score: torch-fidelity on logits, unshuffled. Run from this folder."""

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
        "splits": splits, "mean": got["inception_score_mean"], "sd": got["inception_score_std"],
    })

golden = {"scores": scores, "logits": [[float(str(v)) for v in row] for row in logits]}
Path("cases.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
names = ("numpy", "torch", "torch-fidelity")
Path("versions.txt").write_text("".join(f"{name} {version(name)}\n" for name in names))
