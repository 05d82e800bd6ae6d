"""Writes tiny IDX files and reads them with torchvision: MNIST, and EMNIST's letters with its transposition."""

import gzip
import json
import pathlib
import platform
import struct

import numpy as np
import torchvision
from torchvision.datasets.mnist import read_image_file, read_label_file

HERE = pathlib.Path(__file__).parent
generator = np.random.default_rng(20260102)


def write(name, array):
    head = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    content = head + array.tobytes()
    (HERE / name).write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    if not name.endswith(".gz"):
        return str(HERE / name)
    plain = HERE / "plain"
    plain.write_bytes(content)
    return str(plain)


want = {}
for prefix, parts, first in (("", ("train", "t10k"), 0), ("emnist-letters-", ("train", "test"), 1)):
    for part in parts:
        ending = ".gz" if part in ("train", "test") else ""
        pictures = generator.integers(0, 256, (4, 6, 5), dtype=np.uint8)
        labels = np.array([0, 2, 1, 2], np.uint8) + first
        images = read_image_file(write(f"{prefix}{part}-images-idx3-ubyte{ending}", pictures))
        targets = read_label_file(write(f"{prefix}{part}-labels-idx1-ubyte{ending}", labels))
        if first:
            # The data page of EMNIST: pictures are stored mirrored at the diagonal.
            images = images.transpose(1, 2)
        want[f"{prefix}{part}"] = {
            "labels": targets.tolist(),
            "size": list(images.shape[1:]),
            "grey": [image.reshape(-1).tolist() for image in images],
        }
(HERE / "plain").unlink()
(HERE / "want.json").write_text(json.dumps(want) + "\n")
(HERE / "versions.txt").write_text(
    f"python {platform.python_version()}\nnumpy {np.__version__}\ntorchvision {torchvision.__version__}\n"
)
