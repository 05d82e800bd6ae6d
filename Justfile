# Short names for what is typed often. `just` is a convenience: each recipe is plain cargo.

# Lists the recipes.
default:
    @just --list

# Runs an experiment and writes its report: `just exp table3`, `just exp quickstart small`.
exp NAME PROFILE="tiny":
    cargo run --release -- run {{NAME}} --profile {{PROFILE}}

# Runs all tests: no network, no GPU, no Python.
test:
    cargo test

# Checks what a reviewer need not: form, lints, tests, links in the documentation.
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    cargo test
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Makes the committed reports of the `tiny` profile again.
report:
    #!/usr/bin/env bash
    set -euo pipefail
    for name in quickstart known-truth table1 table2 table3 table4 figure3 figure4 figure5 figure6 cascade; do
        cargo run --release -- run "$name" --profile tiny
    done

# Pillow 13 scales in another order: `just golden images/resize "pillow<13"`. Needs Python and a package registry.
# Makes golden numbers again with the reference implementations: `just golden metrics`.
golden ROOM PILLOW="pillow":
    #!/usr/bin/env bash
    set -euo pipefail
    venv="$PWD/target/golden-venv"
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet numpy scipy scikit-learn torch torchvision torchmetrics torch-fidelity \
        timm diffusers transformers pytorch-fid clean-fid prdc safetensors pyarrow webdataset "{{PILLOW}}"
    find "tests/golden/{{ROOM}}" -name make.py | sort | while read -r script; do
        echo "$script"
        (cd "$(dirname "$script")" && "$venv/bin/python" make.py)
    done

# Needs Python and a package registry at its first run; BENCH_PYTHON names a Python that has PyTorch already.
# Measures our nets against PyTorch's, in turns: `just bench`, `just bench resnet-20 --turns 15`.
bench *ARGS:
    #!/usr/bin/env bash
    set -euo pipefail
    python="${BENCH_PYTHON:-$PWD/target/bench-venv/bin/python}"
    if [ ! -x "$python" ]; then
        python3 -m venv target/bench-venv
        "$python" -m pip install --quiet torch torchvision timm diffusers
    fi
    cargo bench --bench pytorch -- --python "$python" {{ARGS}}
