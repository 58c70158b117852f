#!/usr/bin/env bash
# Builds the test programs written in Rust from src/ beside this script into <name>.wasm.
#
#   build.sh           build and put the programs in place
#   build.sh --check   build, compare with the shipped bytes, change nothing; fails on a difference
#
# The bytes depend on the sources and the pinned toolchain, not on where they lie. Without that toolchain or its Wasm
# target the script says what is missing and ends well: the shipped programs are all that running the tests needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

case "${1:-}" in
"") check=false ;;
--check) check=true ;;
*) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

skip() {
    echo "build: skipped, $1" >&2
    exit 0
}

channel=$(sed -n 's/^channel = "\(.*\)"$/\1/p' ../../../../rust-toolchain.toml)
command -v rustc >/dev/null || skip "rustc is not installed"
version=$(rustc --version 2>/dev/null) || skip "rustc $channel is not installed"
[[ $version == "rustc $channel "* ]] || skip "this is $version and the programs are built with $channel"
target=wasm32-wasip1
[[ -d $(rustc --print target-libdir --target "$target") ]] || skip "the target $target is not installed"

sysroot=$(rustc --print sysroot)
commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
flags=(
    "--remap-path-prefix=$PWD/src=/programs"
    "--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit"
)
# This form allows for spaces in paths, and what stands in the caller's own configuration does not apply.
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; echo "${flags[*]}")
export CARGO_ENCODED_RUSTFLAGS
unset RUSTFLAGS

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
differs=false
for manifest in src/*/Cargo.toml; do
    name=$(basename "$(dirname "$manifest")")
    cargo build --quiet --release --locked --offline --manifest-path "$manifest" --target-dir "$scratch" \
        --target "$target"
    built=$scratch/$target/release/$name.wasm
    if ! $check; then
        cp "$built" "$name.wasm"
    elif ! cmp --silent "$built" "$name.wasm"; then
        echo "build: $name.wasm is not what its source builds to" >&2
        differs=true
        continue
    fi
    echo "$(sha256sum "$name.wasm")  $(wc -c <"$name.wasm") bytes"
done
! $differs
