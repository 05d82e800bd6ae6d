"""Writes tiny archives as MedMNIST's are and reads them as its package does: `numpy.load` and `Image.fromarray`."""

import json
import pathlib
import platform

import numpy as np
import PIL
from PIL import Image

HERE = pathlib.Path(__file__).parent
generator = np.random.default_rng(20260104)
want = {}
for name, shape, kind, save in (
    ("grey", (7, 6), np.uint8, np.savez_compressed),
    ("colour", (5, 4, 3), np.int64, np.savez),
):
    arrays = {}
    for part, labels in (("train", [0, 2, 1, 2]), ("val", [1, 0]), ("test", [2, 2, 0])):
        arrays[f"{part}_images"] = generator.integers(0, 256, (len(labels), *shape), dtype=np.uint8)
        arrays[f"{part}_labels"] = np.array(labels, kind)[:, None]
    save(HERE / f"{name}.npz", **arrays)
    file = np.load(HERE / f"{name}.npz")
    want[name] = {
        part: {
            "labels": [int(label[0]) for label in file[f"{part}_labels"]],
            "rgb": [
                np.asarray(Image.fromarray(image).convert("RGB")).reshape(-1).tolist()
                for image in file[f"{part}_images"]
            ],
        }
        for part in ("train", "val", "test")
    }
several = {f"{part}_images": np.zeros((2, 4, 4), np.uint8) for part in ("train", "val", "test")}
several |= {f"{part}_labels": np.zeros((2, 14), np.uint8) for part in ("train", "val", "test")}
np.savez_compressed(HERE / "several.npz", **several)
volumes = {f"{part}_images": np.zeros((2, 4, 4, 4), np.uint8) for part in ("train", "val", "test")}
volumes |= {f"{part}_labels": np.zeros((2, 1), np.uint8) for part in ("train", "val", "test")}
np.savez_compressed(HERE / "volumes.npz", **volumes)
(HERE / "want.json").write_text(json.dumps(want, separators=(",", ":")) + "\n")
(HERE / "versions.txt").write_text(
    f"python {platform.python_version()}\nnumpy {np.__version__}\npillow {PIL.__version__}\n"
)
