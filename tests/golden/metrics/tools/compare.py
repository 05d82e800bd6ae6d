"""The whole way, from picture files to scores, beside the tools that people use.

Takes N training and N test pictures of CIFAR-10 (Hugging Face parquet), gives the Inception of FID numbers of
../../nets/formula.py as weights, and measures with torch-fidelity, pytorch-fid and clean-fid and with `ersatz metrics`
in the way of each. Prints every pair with its relative difference, the seconds each took, and the processor time in
them, which says more on a busy machine; fails above 1e-4. No part of the tests: it takes minutes.

    python compare.py --ersatz ../../../../target/release/ersatz --cifar FOLDER_OF_PARQUET --n 2000

clean-fid loads a compiled file of weights that it downloads; here it gets the same network from pytorch-fid's code, so
that its resize, its order of work and its formula are what is compared.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "nets"))
sys.dont_write_bytecode = True

import numpy as np
import pyarrow.parquet as pq
import torch
import torchvision

from formula import fill

GAIN = 2.0


def pictures(cifar, part, n, folder):
    """Writes the first n picture files of a part as they are."""
    folder.mkdir()
    rows = pq.read_table(sorted(pathlib.Path(cifar).glob(f"{part}-*.parquet"))[0])
    column = next(c for c in rows.column_names if c in ("img", "image"))
    for i, row in enumerate(rows[column].slice(0, n).to_pylist()):
        ending = "png" if row["bytes"][:4] == b"\x89PNG" else "jpg"
        (folder / f"{i:05}.{ending}").write_bytes(row["bytes"])
    return folder


def processor():
    """Seconds of processor time of this process and of those it waited for."""
    return time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def timed(work):
    start, used = time.perf_counter(), processor()
    got = work()
    return got, time.perf_counter() - start, processor() - used


def torch_fidelity(real, fake, weights, subset):
    from torch_fidelity import calculate_metrics

    got = calculate_metrics(
        input1=str(fake), input2=str(real), cuda=False, isc=True, fid=True, kid=True, verbose=False, cache=False,
        feature_extractor_weights_path=str(weights), samples_find_deep=False, kid_subset_size=subset,
    )
    keys = {"fid": "frechet_inception_distance", "kid": "kernel_inception_distance_mean", "is": "inception_score_mean"}
    return {name: got[key] for name, key in keys.items()}


def pytorch_fid(real, fake, weights):
    from pytorch_fid import fid_score, inception

    inception.load_state_dict_from_url = lambda *_, **__: torch.load(weights)
    return {"fid": fid_score.calculate_fid_given_paths([str(real), str(fake)], 50, "cpu", 2048, num_workers=0)}


def clean_fid(real, fake, weights):
    from cleanfid import fid as clean
    from cleanfid.features import build_feature_extractor  # noqa: F401  The way in, were there a network.
    from pytorch_fid import inception

    inception.load_state_dict_from_url = lambda *_, **__: torch.load(weights)
    net = inception.InceptionV3([3], resize_input=False, normalize_input=False).eval()

    def model(levels):
        with torch.no_grad():
            return net((levels - 128) / 128)[0].flatten(1)

    def features(folder):
        return clean.get_folder_features(
            str(folder), model, num_workers=0, batch_size=50, device=torch.device("cpu"), mode="clean", verbose=False
        )

    real, fake = features(real), features(fake)
    moments = [x for f in (real, fake) for x in (f.mean(axis=0), np.cov(f, rowvar=False))]
    distance = clean.frechet_distance(*moments)
    np.random.seed(2020)  # clean-fid draws from NumPy's global state.
    return {"fid": distance, "kid": clean.kernel_distance(fake, real)}


def ours(ersatz, protocol, real, fake, weights):
    command = [ersatz, "metrics", "all", "--real", real, "--fake", fake, "--weights", weights, "--protocol", protocol]
    with tempfile.TemporaryDirectory() as store:
        command += ["--store", store, "--json", "--allow-small-n", "--no-intervals"]
        out = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout
    (scores,) = json.loads(out)["sets"].values()
    return {line["name"]: line["value"] for line in scores["lines"]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ersatz", required=True)
    parser.add_argument("--cifar", required=True)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--tools", default="torch-fidelity,pytorch-fid,clean-fid")
    options = parser.parse_args()
    torch.set_num_threads(os.cpu_count())
    worst = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        real = pictures(options.cifar, "train", options.n, scratch / "train")
        fake = pictures(options.cifar, "test", options.n, scratch / "test")
        net = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False)
        weights = scratch / "formula.pth"
        torch.save(fill(net, GAIN).state_dict(), weights)
        tools = {
            "torch-fidelity": lambda: torch_fidelity(real, fake, weights, min(1000, options.n)),
            "pytorch-fid": lambda: pytorch_fid(real, fake, weights),
            "clean-fid": lambda: clean_fid(real, fake, weights),
        }
        for name in options.tools.split(","):
            theirs, their_seconds, their_work = timed(tools[name])
            own, own_seconds, own_work = timed(lambda: ours(options.ersatz, name, real, fake, weights))
            if options.n < 1000:
                theirs.pop("kid", None)  # Subsets are of 1,000.
            for score, value in theirs.items():
                gap = abs(own[score] - value) / abs(value)
                worst = max(worst, gap)
                print(f"{name:<15} {score:<4} theirs {value:.10g}  ours {own[score]:.10g}  relative {gap:.1e}")
            for what, a, b in (("wall", their_seconds, own_seconds), ("processor", their_work, own_work)):
                print(f"{name:<15} {what:<9} theirs {a:.1f} s  ours {b:.1f} s  ratio {b / a:.2f}", flush=True)
    sys.exit(f"a difference of {worst:.1e}" if worst > 1e-4 else 0)


main()
