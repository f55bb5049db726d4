#!/usr/bin/env bash
# How long one spawn takes at most when eight threads spawn into one nursery: here and at another
# commit, by turns.
#
#   benches/longest_wait.sh COMMIT [ROUNDS]    ROUNDS: 5 when none is given
#
# Both are measured by the benches of this commit, so the other one must have the same API.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if (($# < 1 || $# > 2)); then
    sed -n '2,7s/^# \?//p' "$0" >&2
    exit 2
fi
commit=$1 rounds=${2:-5}
# The library without the cases, which may use what the other commit lacks.
library='pub mod host; pub mod waits;'
target=$PWD/target/longest_wait
other=$target/tree
export CARGO_TARGET_DIR=$target/built

cargo build --quiet --release -p allhome-benches --bin longest_wait
cp "$CARGO_TARGET_DIR/release/longest_wait" "$target/here"
git worktree add --quiet --force --detach "$other" "$commit"
trap 'git worktree remove --force "$other"' EXIT
rm -r "$other/benches"
cp -r benches "$other/benches"
cp Cargo.lock "$other/Cargo.lock"
echo "#![allow(missing_docs)] $library" >"$other/benches/src/lib.rs"
cargo build --quiet --release --manifest-path "$other/Cargo.toml" \
    -p allhome-benches --bin longest_wait
cp "$CARGO_TARGET_DIR/release/longest_wait" "$target/there"

for ((round = 1; round <= rounds; round++)); do
    echo "round $round, here"
    "$target/here"
    echo "round $round, $commit"
    "$target/there"
done
