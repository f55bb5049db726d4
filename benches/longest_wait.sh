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
target=$PWD/${CARGO_TARGET_DIR:-target}
[[ ${CARGO_TARGET_DIR:-} == /* ]] && target=$CARGO_TARGET_DIR
other=$target/longest_wait/tree

cargo build --quiet --release -p allhome-benches --bin longest_wait
mkdir -p "$target/longest_wait"
cp "$target/release/longest_wait" "$target/longest_wait/here"
trap 'git worktree remove --force "$other"' EXIT
git worktree add --quiet --force --detach "$other" "$commit"
rm -r "$other/benches"
cp -r benches "$other/benches"
cp Cargo.lock "$other/Cargo.lock"
(cd "$other" && CARGO_TARGET_DIR=$target/longest_wait/built \
    cargo build --quiet --release -p allhome-benches --bin longest_wait)

for ((round = 1; round <= rounds; round++)); do
    echo "round $round, here"
    "$target/longest_wait/here"
    echo "round $round, $commit"
    "$target/longest_wait/built/release/longest_wait"
done
