#!/usr/bin/env bash
# Runs the public WASI preview 1 test-suite in the sandbox, and writes the results to
# docs/reference/wasi-testsuite.md.
#
#   git clone --branch prod/testsuite-base https://github.com/WebAssembly/wasi-testsuite /tmp/wasi-testsuite
#   scripts/wasi-testsuite.sh /tmp/wasi-testsuite
#
# The suite stays outside the repository. Fails when a test fails.
set -euo pipefail
if [[ $# -ne 1 || ! -d $1/tests ]]; then
    sed -n '2,8s/^# \{0,1\}//p' "$0"
    exit 2
fi
suite=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=$(git -C "$suite" rev-parse HEAD 2>/dev/null || echo unknown)

log=$(mktemp)
trap 'rm -f "$log"' EXIT
WASI_TESTSUITE=$suite cargo test -p sre-sandbox --features wasm --lib testsuite -- --ignored --nocapture >"$log" || {
    cat "$log"
    exit 1
}
{
    cat <<TEXT
# The WASI preview 1 test-suite

\`scripts/wasi-testsuite.sh\` writes this page. The runs are deterministic, as those of
skills are. The suite is <https://github.com/WebAssembly/wasi-testsuite>,
branch \`prod/testsuite-base\`, commit $version.

| Tests in | Tests | Passed |
|---|---|---|
TEXT
    grep '^| [a-z]' "$log"
} >docs/reference/wasi-testsuite.md
echo "docs/reference/wasi-testsuite.md: all tests pass"
