#!/bin/sh
# Builds javascript.wasm.zst and javascript.lock.json from pinned sources with pinned tools.
#
# Needs cargo, node 20 with npm, python3 with venv, patch, sha256sum and zstd. Everything else is fetched through cargo, npm and pip,
# each of which checks it against the digests in toolchain/ (x86-64 Linux tools). The result does not depend on the folder; with
# --check nothing is written and the digest is compared with the lock file's.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=0
export ZIG_GLOBAL_CACHE_DIR="$work/zig" ZIG_LOCAL_CACHE_DIR="$work/zig"

# The C stack. A guest's other stack, which the host limits to 1 MiB, fills up about 2.4 times as fast in the worst
# recursion known (tests/deep.json); 320 KiB leaves it a tenth of room. What is reserved is for the functions that run
# after the last check.
stack_bytes=376832
stack_reserve_bytes=49152

# Sources and tools.
cp "$here"/toolchain/* "$work"
cd "$work"
cargo vendor --quiet --locked vendor >/dev/null
npm ci --silent --ignore-scripts --no-audit --no-fund
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.txt
mv vendor/rquickjs-sys/quickjs quickjs
mv vendor/libz-sys/src/zlib zlib
for change in quickjs-stack quickjs-errors quickjs-kept; do
    patch --quiet --fuzz=0 -p1 -d quickjs <"$here/src/$change.patch"
done
cp -R "$here/src" "$here/lib" .

# The runtime's own JavaScript and the packages it uses, as one module, as C. What a package takes from Node it gets from lib/npm.
node_modules/@esbuild/linux-x64/bin/esbuild lib/main.mjs --bundle --format=esm --platform=neutral --main-fields=module,main --target=es2024 \
    --keep-names --minify-identifiers --define:global=globalThis --external:runtime:host --external:runtime:compile --log-level=warning --outfile=main.mjs --metafile=bundle.json \
    --alias:events=./lib/npm/events.cjs --alias:buffer=./lib/npm/buffer.cjs --alias:process=./lib/npm/process.cjs \
    --alias:abort-controller=./lib/npm/abort-controller.cjs --alias:string_decoder=./lib/npm/string-decoder.cjs
embed() {
    printf '#include "embedded.h"\nchar embedded_main[] = {\n#embed "%s"\n, 0};\nconst unsigned long embedded_main_bytes = sizeof embedded_main - 1;\n' "$1" >embedded.c
    compile -Wno-c23-extensions -c embedded.c -o embedded.o
}

# No exports but those that the sources name; no debug information, so no paths.
compile() {
    python/bin/python -m ziglang cc --target=wasm32-wasi -mcpu=lime1 -mexec-model=reactor -O2 -std=gnu23 -DNDEBUG -D_GNU_SOURCE \
        -DSTACK_RESERVE_BYTES="$stack_reserve_bytes" -Isrc -isystem quickjs -isystem zlib "$@"
}
for file in src/engine.c quickjs/libregexp.c quickjs/libunicode.c quickjs/dtoa.c zlib/adler32.c zlib/crc32.c zlib/deflate.c zlib/inffast.c \
    zlib/inflate.c zlib/inftrees.c zlib/trees.c zlib/zutil.c; do
    compile -w -c "$file" -o "$(basename "$file" .c).o"
done
for file in src/codecs.c src/files.c src/host.c src/main.c src/modules.c src/precompile.c; do
    compile -Wall -Wextra -Werror -Wno-c23-extensions -c "$file" -o "$(basename "$file" .c).o"
done
python/bin/python -m ziglang build-obj src/hash.zig -target wasm32-wasi -mcpu lime1 -O ReleaseSmall -fstrip -femit-bin=hash.o
link() {
    compile -s -Wl,-z,stack-size="$stack_bytes" ./*.o -o "$1"
}

# The text, compiled by the engine itself; then the engine with what it made of it.
embed main.mjs
link compiler.wasm
node --no-warnings precompile.mjs compiler.wasm main.bytecode
rm precompile.o
embed main.bytecode
link runtime.wasm

# The snapshot.
node_modules/@bytecodealliance/wizer-linux-x64/wizer runtime.wasm --preload wasi_snapshot_preview1=src/snapshot-host.wat -o javascript.wasm
zstd --quiet -19 --no-check javascript.wasm -o javascript.wasm.zst

if [ "${1:-}" = --check ]; then
    python3 "$here/toolchain/lock.py" javascript.wasm javascript.wasm.zst --check "$here/javascript.lock.json"
    exit
fi
python3 "$here/toolchain/lock.py" javascript.wasm javascript.wasm.zst >"$here/javascript.lock.json"
cp javascript.wasm.zst "$here/javascript.wasm.zst"
cp javascript.wasm "${KEEP_WASM:-/dev/null}"
