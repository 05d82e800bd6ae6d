"""Lists a tree of picture files with torchvision's ImageFolder.

`want.json` holds the paths of the tree, and the classes and samples that torchvision finds. The tree has
no hidden files and no empty class: there we differ on purpose (see folder.rs).
"""

import json
import pathlib
import platform
import tempfile

import torchvision
from torchvision.datasets import ImageFolder

HERE = pathlib.Path(__file__).parent
FILES = [
    "zebra/1.png", "zebra/10.png", "zebra/2.PNG", "Zebra/a.jpg", "a-1/x.jpeg", "a/x.JPEG", "a/deep/er/y.webp",
    "a/deep/x.bmp", "a/notes.txt", "éclair/é.png", "éclair/z.Jpg", "10/0.png", "9/0.png", "9/0.png.md5",
    "readme.md",
]

with tempfile.TemporaryDirectory() as root:
    root = pathlib.Path(root)
    for file in FILES:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    folder = ImageFolder(str(root))
    samples = [[str(pathlib.Path(path).relative_to(root)), label] for path, label in folder.samples]

want = {"files": FILES, "classes": folder.classes, "samples": samples}
(HERE / "want.json").write_text(json.dumps(want, indent=1, ensure_ascii=False) + "\n")
(HERE / "versions.txt").write_text(
    f"python {platform.python_version()}\ntorchvision {torchvision.__version__}\n"
)
