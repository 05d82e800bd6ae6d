"""Writes small tar shards with the package `webdataset` and reads them with it. Pictures are texts here: what is
compared is which members belong together, in which order, and what their labels are."""

import importlib.metadata
import io
import json
import pathlib
import platform
import tarfile

import webdataset

HERE = pathlib.Path(__file__).parent
LONG = "a-long-folder/" * 9 + "x"  # More than the 100 bytes of a plain tar header.
SHARDS = {
    "shard-000.tar": [
        ("000000", {"jpg": b"picture 0", "cls": b"2", "json": b'{"label": 1, "note": "x"}'}),
        ("sub.folder/000001", {"seg.png": b"mask", "png": b"picture 1", "cls": b"0", "json": b'{"label": 0}'}),
        (LONG, {"jpeg": b"picture 2", "cls": b"1\n", "json": b'{"label": 2}'}),
    ],
    "shard-001.tar": [("000000", {"cls": b"1", "json": b'{"label": 1}', "webp": b"picture 3"})],
}

want = {"shards": list(SHARDS), "samples": []}
for name, samples in SHARDS.items():
    with tarfile.open(HERE / name, "w", format=tarfile.PAX_FORMAT if name.endswith("0.tar") else tarfile.GNU_FORMAT) as tar:
        for key, members in samples:
            for kind, content in members.items():
                info = tarfile.TarInfo(f"{key}.{kind}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    for sample in webdataset.WebDataset(str(HERE / name), shardshuffle=False):
        picture = next(sample[kind] for kind in ("jpg", "jpeg", "png", "webp") if kind in sample)
        want["samples"].append({
            "shard": name,
            "key": sample["__key__"],
            "picture": picture.decode(),
            "cls": int(sample["cls"]),
            "json": json.loads(sample["json"])["label"],
        })
want["patterns"] = {
    pattern: list(webdataset.shardlists.expand_urls(pattern))
    for pattern in ("a-{000..003}.tar", "{x,y}-{8..11}.tar", "plain.tar")
}
(HERE / "want.json").write_text(json.dumps(want, indent=1) + "\n")
(HERE / "versions.txt").write_text(
    f"python {platform.python_version()}\nwebdataset {importlib.metadata.version('webdataset')}\n"
)
