"""Golden data for memorisation: scikit-learn's nearest neighbours. Run from this folder."""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from sklearn.neighbors import NearestNeighbors

rng = np.random.RandomState(0)


def rows(n, scale=1.0):
    return np.round(scale * rng.normal(size=(n, 6)), 3).astype(np.float32)


train, test = rows(120), rows(80)
# Near-copies of training pictures among fresh ones.
fake = np.concatenate([rows(70), np.round(train[:30] + rows(30, 0.1), 3)]).astype(np.float32)
wide = {"train": train, "test": test, "fake": fake}
wide = {name: side.astype(np.float64) for name, side in wide.items()}


def nearest(of, among, skip=0):
    # A row of `train` finds itself first: there are no duplicates here.
    found = NearestNeighbors(n_neighbors=skip + 1, algorithm="kd_tree").fit(wide[among])
    distance, index = found.kneighbors(wide[of])
    return distance[:, skip], index[:, skip]


to_train, to_test = nearest("fake", "train"), nearest("fake", "test")
within_train, _ = nearest("train", "train", skip=1)
threshold = np.quantile(nearest("test", "train")[0], 0.05)
golden = {
    "to_train": {"distance": to_train[0].tolist(), "index": to_train[1].tolist()},
    "to_test": {"distance": to_test[0].tolist(), "index": to_test[1].tolist()},
    "authentic": float((within_train[to_train[1]] < to_train[0]).mean()),
    "threshold": float(threshold),
    "near_train": float((to_train[0] < threshold).mean()),
}
for name, side in (("train", train), ("test", test), ("fake", fake)):
    golden[name] = [[float(str(v)) for v in row] for row in side]

Path("cases.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
Path("versions.txt").write_text("".join(f"{name} {version(name)}\n" for name in ("numpy", "scikit-learn")))
