#!/usr/bin/env bash
# Runs the public WASI preview 1 test-suite in the sandbox, and writes what came of it to docs/wasi-testsuite.md.
#
#   git clone --branch prod/testsuite-base https://github.com/WebAssembly/wasi-testsuite /tmp/wasi-testsuite
#   scripts/wasi-testsuite.sh /tmp/wasi-testsuite
#
# The suite stays outside the repository. Fails when a test fails that does not need links.
set -euo pipefail
if [[ $# -ne 1 || ! -d $1/tests ]]; then
    sed -n '2,7s/^# \{0,1\}//p' "$0"
    exit 2
fi
suite=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=$(git -C "$suite" rev-parse HEAD 2>/dev/null || echo "an unknown commit")

log=$(mktemp)
trap 'rm -f "$log"' EXIT
WASI_TESTSUITE=$suite cargo test -p sre-sandbox --features wasm --lib testsuite -- --ignored --nocapture >"$log" || {
    cat "$log"
    exit 1
}
{
    cat <<TEXT
# The WASI preview 1 test-suite

Written by \`scripts/wasi-testsuite.sh\`, with all that makes runs deterministic switched on. The suite is
<https://github.com/WebAssembly/wasi-testsuite>, branch \`prod/testsuite-base\`, $version.

| Tests in | Tests | Passed |
|---|---|---|
TEXT
    grep '^| [a-z]' "$log"
    cat <<'TEXT'

What does not pass needs symbolic or hard links. There are none in a package and none in `/tmp`, on purpose: a path that leads
elsewhere is one more way out.

TEXT
    grep '^- ' "$log" | sed 's/: thread .*panicked at [^ ]*rs:[0-9:]*: /: /'
} >docs/wasi-testsuite.md
echo "docs/wasi-testsuite.md: $(grep -c '^- ' docs/wasi-testsuite.md) tests need links, all others pass"
