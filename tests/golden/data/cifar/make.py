"""Writes tiny CIFAR files in all four official forms and reads them with torchvision.

Python files are written as Python 2 wrote the official ones: protocol 2, texts and bytes as byte strings, arrays by
NumPy's `_reconstruct`. `modern` is the same batch as Python 3 pickles it with protocol 4. Binary files are the records
that the official page describes; torchvision does not read them, so their pixels are those of the Python form.
"""

import gzip
import io
import json
import pathlib
import pickle
import platform
import struct
import tarfile

import numpy as np
import torchvision
from torchvision.datasets import CIFAR10, CIFAR100

HERE = pathlib.Path(__file__).parent
ROWS = 2


class Python2(pickle._Pickler):
    """Pickles as Python 2 did: no difference between texts and bytes."""

    dispatch = dict(pickle._Pickler.dispatch)

    def __init__(self, file):
        super().__init__(file, protocol=2)

    def string(self, text):
        data = text.encode("latin1") if isinstance(text, str) else text
        if len(data) < 256:
            self.write(b"U" + bytes([len(data)]) + data)
        else:
            self.write(b"T" + struct.pack("<i", len(data)) + data)
        self.memoize(text)

    dispatch[str] = string
    dispatch[bytes] = string

    def save_global(self, obj, name=None):
        names = {"_reconstruct": b"cnumpy.core.multiarray\n_reconstruct\n", "ndarray": b"cnumpy\nndarray\n",
                 "dtype": b"cnumpy\ndtype\n"}
        name = name or obj.__name__
        self.write(names["dtype" if "DType" in name or name == "dtype" else name])
        self.memoize(obj)

    dispatch[type] = save_global
    dispatch[type(np.empty)] = save_global
    dispatch[type(len)] = save_global
    dispatch[type(lambda: 0)] = save_global


def python2(value):
    file = io.BytesIO()
    Python2(file).dump(value)
    return file.getvalue()


def batch(generator, coarse, classes):
    data = generator.integers(0, 256, (ROWS, 3072), dtype=np.uint8)
    # Every level differs from its neighbours, so that no transposition can hide.
    labels = [int(label) for label in generator.integers(0, classes, ROWS)]
    rows = {"batch_label": "training batch", "data": data, "filenames": [f"{i}.png" for i in range(ROWS)]}
    if coarse:
        rows |= {"fine_labels": labels, "coarse_labels": [label // 5 for label in labels]}
    else:
        rows["labels"] = labels
    return rows


def binary(rows):
    data = rows["data"]
    if "labels" in rows:
        front = np.array(rows["labels"], np.uint8)[:, None]
    else:
        front = np.array([rows["coarse_labels"], rows["fine_labels"]], np.uint8).T
    return np.hstack([front, data]).tobytes()


generator = np.random.default_rng(20260101)
ten = {f"data_batch_{i}": batch(generator, False, 10) for i in range(1, 6)} | {"test_batch": batch(generator, False, 10)}
hundred = {name: batch(generator, True, 100) for name in ("train", "test")}
names_10 = "airplane automobile bird cat deer dog frog horse ship truck".split()
fine = [f"fine {i}" for i in range(100)]
coarse = [f"coarse {i}" for i in range(20)]
meta = {"batches.meta": {"label_names": names_10, "num_cases_per_batch": ROWS, "num_vis": 3072}}
meta_100 = {"meta": {"fine_label_names": fine, "coarse_label_names": coarse}}

trees = {
    "cifar-10-batches-py": {name: python2(value) for name, value in (ten | meta).items()},
    "cifar-100-python": {name: python2(value) for name, value in (hundred | meta_100).items()},
    "cifar-10-batches-bin": {f"{name}.bin": binary(value) for name, value in ten.items()}
    | {"batches.meta.txt": ("\n".join(names_10) + "\n\n").encode()},
    "cifar-100-binary": {f"{name}.bin": binary(value) for name, value in hundred.items()}
    | {"fine_label_names.txt": "\n".join(fine).encode(), "coarse_label_names.txt": "\n".join(coarse).encode()},
}
for name, files in trees.items():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for file, content in files.items():
            info = tarfile.TarInfo(f"{name}/{file}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    # Without the time, so that the file is the same every time.
    (HERE / f"{name}.tar.gz").write_bytes(gzip.compress(packed.getvalue(), mtime=0))
(HERE / "modern.pickle").write_bytes(pickle.dumps(ten["data_batch_1"], protocol=4))


def read(kind, tree, train):
    """Reads with torchvision; its checksums are those of the official files, so they are passed over."""

    class Tiny(kind):
        def _check_integrity(self):
            return True

    import tempfile
    import torchvision.datasets.cifar as module

    with tempfile.TemporaryDirectory() as root:
        folder = pathlib.Path(root) / tree
        folder.mkdir()
        for file, content in trees[tree].items():
            (folder / file).write_bytes(content)
        module.check_integrity = lambda path, md5: True
        data = Tiny(root, train=train)
    rows = [np.asarray(image).reshape(-1).tolist() for image, _ in (data[i] for i in range(len(data)))]
    return {"classes": data.classes, "labels": [int(label) for label in data.targets], "rgb": rows}


want = {
    part: {"cifar-10": read(CIFAR10, "cifar-10-batches-py", train), "cifar-100": read(CIFAR100, "cifar-100-python", train)}
    for part, train in (("train", True), ("test", False))
}
for part in ("train", "test"):
    want[part]["coarse"] = {"labels": hundred[part]["coarse_labels"], "classes": coarse}
(HERE / "want.json").write_text(json.dumps(want, separators=(",", ":")) + "\n")
(HERE / "versions.txt").write_text(
    f"python {platform.python_version()}\nnumpy {np.__version__}\ntorchvision {torchvision.__version__}\n"
)
