#!/usr/bin/env bash
# Runs the tests of the Python package, or another command of its virtual environment:
#
#   scripts/test-python.sh                              all of tests/
#   scripts/test-python.sh tests/test_orchestrator.py   arguments for pytest
#   scripts/test-python.sh --run python …               anything, with the package installed and the environment on PATH
#
# Needs Python 3.10 or newer with `venv` (PYTHON names another than python3), and pip's index the first time. Everything it makes is
# below the target folder. The package is installed as links to the sources and to the module that `cargo test --workspace` builds, so
# that nothing is compiled twice and nothing needs to be installed again after a change. SRE_PYTHON_LIBRARY names another module.
# SRE_PYTHON_WHEEL names a wheel: it is installed into an environment of its own, as a user would, and nothing is built.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
python=${PYTHON:-python3}
case $(uname) in
    Darwin) built=libsre_python.dylib ;;
    *) built=libsre_python.so ;;
esac
library=${SRE_PYTHON_LIBRARY:-}
wheel=${SRE_PYTHON_WHEEL:-}
if [[ -z $library && -z $wheel ]]; then
    # The same selection as `cargo test --workspace`: another one would compile wasmtime with other features.
    (cd "$root" && cargo test --quiet --workspace --test python --no-run)
    library=$target/debug/deps/$built
fi

environment=$target/python/$("$python" -c 'import sys; print("venv-%d.%d" % sys.version_info[:2])')${wheel:+-wheel}
wanted=$(cat "$root/tests/requirements.txt")
mkdir -p "$target/python"
if command -v flock >/dev/null; then
    exec 9>"$target/python/lock"
    flock 9
fi
if [[ ! -f $environment/installed || $(cat "$environment/installed") != "$wanted" ]]; then
    rm -rf "$environment"
    "$python" -m venv "$environment"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check -r "$root/tests/requirements.txt"
    printf '%s\n' "$wanted" >"$environment/installed"
fi
if [[ -n $wheel ]]; then
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-index --force-reinstall "$wheel"
else
    site=$("$environment/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    for package in sre_runtime orchestrator committer verifier executor da; do
        mkdir -p "$site/$package"
        find "$site/$package" -maxdepth 1 -type l -delete
        ln -s "$root/python/$package"/*.py* "$root/python/$package/py.typed" "$site/$package/" 2>/dev/null || true
    done
    ln -sfn "$library" "$site/sre_runtime/_native.abi3.so"
fi
if command -v flock >/dev/null; then
    exec 9>&-
fi

# The binary of the same build, for the tests of the client.
if [[ -n $library ]]; then
    export SRE_BINARY=${SRE_BINARY:-$(dirname "$(dirname "$library")")/sre}
fi
export VIRTUAL_ENV=$environment PATH=$environment/bin:$PATH
export SRE_CACHE_DIR=${SRE_CACHE_DIR:-$target/tmp/compiled} # shared with the tests of the binary
unset PYTHONHOME PYTHONPATH
cd "$root"
if [[ ${1:-} == --run ]]; then
    shift
    exec "$@"
fi
exec python -m pytest "$@"
