#!/usr/bin/env bash
# Builds `python.wasm.zst`, `python.lock.json` and `modules.txt`. Needs python3 with venv, and zstd.
#
# The result is not the same byte for byte from build to build: Python's hash seed and the addresses of its objects are in the
# snapshot. So what counts is the artefact that is shipped, by its digest in the lock file; this says how it came about.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Only what `requirements.txt` names, in an environment of its own.
python3 -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$here/requirements.txt"

# What the bootstrap can see: itself as /0 (where it also writes its lists) and the time zones as /1. The empty environment
# keeps componentize-py from adding the packages of the building Python.
cp -r "$here/bootstrap" "$work/bootstrap"
mkdir -p "$work/data" "$work/empty/lib/python3/site-packages"
cp -r "$work"/tools/lib/python3*/site-packages/tzdata "$work/data/tzdata"
cd "$work"
env -i PATH="$work/tools/bin:/usr/bin:/bin" VIRTUAL_ENV="$work/empty" LANG=C.UTF-8 \
    componentize-py --quiet -d "$here/wit" -w runtime componentize -p bootstrap -p data -o python.wasm sre_boot

python3 "$here/finish.py" python.wasm bootstrap
zstd -19 --quiet --force python.wasm -o "$here/python.wasm.zst"
cp bootstrap/modules.txt "$here/modules.txt"
python3 "$here/lock.py" python.wasm "$here"
