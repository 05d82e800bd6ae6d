"""Writes tiny MAT files as SVHN's are and reads them as torchvision does, with SciPy."""

import json
import pathlib
import platform
import shutil
import tempfile

import numpy as np
import scipy
import scipy.io
import torchvision
import torchvision.datasets.svhn as module

HERE = pathlib.Path(__file__).parent
generator = np.random.default_rng(20260103)
module.check_integrity = lambda path, md5: True
want = {}
for part, labels, packed in (("train", [1, 10, 3], True), ("test", [9, 10], False)):
    pictures = generator.integers(0, 256, (32, 32, 3, len(labels)), dtype=np.uint8)
    kind = np.uint8 if packed else np.float64
    arrays = {"notes": "a text that nobody needs", "X": pictures, "y": np.array(labels, kind)[:, None]}
    file = HERE / f"{part}_32x32.mat"
    scipy.io.savemat(file, arrays, do_compression=packed)
    # The header holds the date: it is overwritten, so that the file is the same every time.
    content = file.read_bytes()
    file.write_bytes(b"MATLAB 5.0 MAT-file, written by SciPy".ljust(116) + content[116:])
    with tempfile.TemporaryDirectory() as root:
        shutil.copy(file, root)
        data = module.SVHN(root, split=part)
    want[part] = {
        "labels": [int(label) for label in data.labels],
        "rgb": [np.asarray(data[i][0]).reshape(-1).tolist() for i in range(len(data))],
    }
(HERE / "want.json").write_text(json.dumps(want, separators=(",", ":")) + "\n")
(HERE / "versions.txt").write_text(
    f"python {platform.python_version()}\nnumpy {np.__version__}\nscipy {scipy.__version__}\n"
    f"torchvision {torchvision.__version__}\n"
)
