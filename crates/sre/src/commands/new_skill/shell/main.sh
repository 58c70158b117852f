#!/bin/sh
# Puts its input into an object under "echo".
set -eu

printf '{"echo":%s}\n' "$(cat)"
