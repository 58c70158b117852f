#!/usr/bin/env bash
# Builds the example skills from examples/src into their packages, examples/<name>/<name>.wasm.
#
#   scripts/build-examples.sh           build and put the programs in place
#   scripts/build-examples.sh --check   build, compare with the shipped bytes, change nothing; fails on a difference
#
# The bytes depend on the sources, Cargo.lock and the pinned toolchain, not on where they lie: every path that the
# compiler would bake in is mapped to a fixed one. Without that toolchain or its Wasm targets the script says what is
# missing and ends well, because the shipped programs are all that running the examples needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

modules=(csv-summary json-diff text-stats word-count) # WASI preview 1
components=(markdown-outline)                         # WASI 0.2

case "${1:-}" in
"") check=false ;;
--check) check=true ;;
*) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

skip() {
    echo "build-examples: skipped, $1" >&2
    exit 0
}

channel=$(sed -n 's/^channel = "\(.*\)"$/\1/p' rust-toolchain.toml)
command -v rustc >/dev/null || skip "rustc is not installed"
version=$(rustc --version 2>/dev/null) || skip "rustc $channel is not installed"
[[ $version == "rustc $channel "* ]] || skip "this is $version and the examples are built with $channel"
for target in wasm32-wasip1 wasm32-wasip2; do
    [[ -d $(rustc --print target-libdir --target "$target") ]] || skip "the target $target is not installed"
done

sysroot=$(rustc --print sysroot)
commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
cargo_home=${CARGO_HOME:-$HOME/.cargo}
flags=(
    "--remap-path-prefix=$PWD/examples/src=/examples"
    "--remap-path-prefix=$cargo_home/registry/src=/cargo"
    "--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit"
)
# This form allows for spaces in paths, and what stands in the caller's own configuration does not apply.
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; echo "${flags[*]}")
export CARGO_ENCODED_RUSTFLAGS
unset RUSTFLAGS

build() {
    local target=$1 names=("${@:2}")
    (cd examples/src &&
        cargo build --quiet --release --locked --target-dir target --target "$target" "${names[@]/#/--package=}")
    for name in "${names[@]}"; do
        install_or_compare "examples/src/target/$target/release/$name.wasm" "examples/$name/$name.wasm"
    done
}

differs=false
install_or_compare() {
    local built=$1 shipped=$2
    if ! $check; then
        install -m 644 "$built" "$shipped"
    elif ! cmp --silent "$built" "$shipped"; then
        echo "build-examples: $shipped is not what its source builds to" >&2
        differs=true
        return
    fi
    echo "$(sha256sum "$shipped")  $(wc -c <"$shipped") bytes"
}

build wasm32-wasip1 "${modules[@]}"
build wasm32-wasip2 "${components[@]}"
! $differs
