"""Writes tiny files of STL-10 and reads them with torchvision. The pictures follow a formula, so that the files stay
small: the byte at position i of a file of pictures is (i * i // 7 + i) % 251.
"""

import json
import pathlib
import platform
import tempfile

import numpy as np
import torchvision
import torchvision.datasets.stl10 as module

HERE = pathlib.Path(__file__).parent
SIZE = 3 * 96 * 96


class Tiny(module.STL10):
    def _check_integrity(self):
        return True


want = {}
with tempfile.TemporaryDirectory() as root:
    folder = pathlib.Path(root) / "stl10_binary"
    folder.mkdir()
    labels = {"train": [1, 10, 3], "test": [4, 2]}
    for part, classes in labels.items():
        i = np.arange(len(classes) * SIZE, dtype=np.int64)
        ((i * i // 7 + i) % 251).astype(np.uint8).tofile(folder / f"{part}_X.bin")
        np.array(classes, np.uint8).tofile(folder / f"{part}_y.bin")
    (folder / "class_names.txt").write_text("\n".join("abcdefghij") + "\n")
    for part in labels:
        data = Tiny(root, split=part)
        pictures = [np.asarray(data[i][0]) for i in range(len(data))]
        # Every 13th level, and the sum of all weighted by their places: enough to see any other arrangement.
        want[part] = {
            "stored": labels[part],
            "labels": [data[i][1] for i in range(len(data))],
            "levels": [picture.reshape(-1)[::13].tolist() for picture in pictures],
            "sums": [int((picture.reshape(-1).astype(np.int64) * np.arange(1, SIZE + 1)).sum()) for picture in pictures],
        }
(HERE / "want.json").write_text(json.dumps(want, separators=(",", ":")) + "\n")
(HERE / "versions.txt").write_text(
    f"python {platform.python_version()}\nnumpy {np.__version__}\ntorchvision {torchvision.__version__}\n"
)
