"""Golden data for accuracy (scikit-learn) and calibration (torchmetrics). Run from this folder."""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score, top_k_accuracy_score
from torchmetrics.functional.classification import multiclass_calibration_error

rng = np.random.RandomState(0)
classes = 8
truth = np.concatenate([np.arange(classes), rng.randint(classes, size=300)])
logits = 1.5 * rng.normal(size=(len(truth), classes))
logits[np.arange(len(truth)), truth] += 2.0
logits = np.round(logits, 3).astype(np.float32)
said = logits.argmax(axis=1)

golden = {
    "top1": accuracy_score(truth, said),
    "top5": top_k_accuracy_score(truth, logits, k=5, labels=np.arange(classes)),
    "per_class": recall_score(truth, said, average=None).tolist(),
    "confusion": confusion_matrix(truth, said).tolist(),
    "calibration_error": multiclass_calibration_error(
        torch.from_numpy(logits).double().softmax(dim=1), torch.from_numpy(truth),
        num_classes=classes, n_bins=15, norm="l1",
    ).item(),
    "truth": truth.tolist(),
    "logits": [[float(str(v)) for v in row] for row in logits],
}
Path("cases.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
names = ("numpy", "scikit-learn", "torch", "torchmetrics")
Path("versions.txt").write_text("".join(f"{name} {version(name)}\n" for name in names))
