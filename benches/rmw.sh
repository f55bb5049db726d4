#!/usr/bin/env bash
# Instructions and atomic read-modify-writes per child, spawn + join on tokio's current-thread
# runtime, by callgrind.
#
#   benches/rmw.sh [SIDE...]      SIDE: ours joinset tracker bare (all of them when none is given)
#   N=20000 benches/rmw.sh ours   N children, and 2 N; what they differ by is what N children cost
#   benches/rmw.sh wake/8 wake/8/joinset    children that are woken eight times before they end
#   benches/rmw.sh abort abort/joinset      children that wait and are aborted
#   benches/rmw.sh timeout/0 timeout/0/tokio   timeouts of futures that are ready at once; /1 at the next poll
#   benches/rmw.sh semaphore/1 tokio/1      an acquire and release; other operations than children: see
#                                           src/bin/count.rs
#   benches/rmw.sh semaphore/handoff children/semaphore children/tokio    permits that are handed on
#   benches/rmw.sh in_place/fork in_place/spawn in_place/buffered    children of a scope in place
#
# A read-modify-write is an instruction with a lock prefix, or an xchg with memory (locked without
# saying so). Their addresses come from objdump, how often each ran from callgrind.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=()
for tool in valgrind objdump python3 cargo; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
if ((${#missing[@]})); then
    echo "rmw.sh: missing: ${missing[*]} (objdump is part of binutils)" >&2
    exit 2
fi
if [[ $(uname -m) != x86_64 ]]; then
    echo "rmw.sh: knows only the instructions of x86_64, this is $(uname -m)" >&2
    exit 2
fi

n=${N:-10000}
(($#)) || set -- ours joinset tracker bare
cargo build --quiet --release -p allhome-benches --bin count
binary=${CARGO_TARGET_DIR:-target}/release/count
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

for side; do
    for times in 1 2; do
        if ! valgrind --tool=callgrind --dump-instr=yes --compress-strings=no --compress-pos=no \
            --callgrind-out-file="$out/${side//\//-}.$times" "$binary" "$side" "$((n * times))" \
            2>"$out/log"; then
            cat "$out/log" >&2
            exit 1
        fi
    done
done

python3 - "$out" "$n" "$@" <<'PYTHON'
import re, subprocess, sys

out, n, sides = sys.argv[1], int(sys.argv[2]), sys.argv[3:]


def rmw_addresses(path, known={}):
    """The addresses of an object's locked instructions."""
    if path not in known:
        known[path] = set()
        text = subprocess.run(
            ["objdump", "-d", "--no-show-raw-insn", path], capture_output=True, text=True
        ).stdout
        for line in text.splitlines():
            code = re.match(r"\s*([0-9a-f]+):\t(.*)", line)
            if not code:
                continue
            words = code[2].split()
            # a lock prefix alone on its line, before an instruction that objdump sets apart, is
            # not produced by compilers; xchg of two registers is not a memory access
            locked = "lock" in words[:2] or (words[:1] and words[0].startswith("xchg") and "(" in code[2])
            if locked:
                known[path].add(int(code[1], 16))
    return known[path]


def cost(path):
    """Instructions and read-modify-writes of a whole run."""
    instructions = rmw = 0
    obj, is_call = None, False
    for line in open(path, errors="replace"):
        if line.startswith("ob="):
            obj = line[3:].strip()
        elif line.startswith("calls="):
            is_call = True
        elif line.startswith("0x"):
            # the line after "calls=" is what the callee cost, which is counted there
            if not is_call:
                address, _, count = line.split()[:3]
                instructions += int(count)
                if int(address, 16) in rmw_addresses(obj):
                    rmw += int(count)
            is_call = False
    return instructions, rmw


print(f"{'side':<20} {'instructions/child':>20} {'read-modify-writes/child':>26}   ({n} children)")
for side in sides:
    once, twice = (cost(f"{out}/{side.replace('/', '-')}.{i}") for i in (1, 2))
    instructions, rmw = ((b - a) / n for a, b in zip(once, twice))
    print(f"{side:<20} {instructions:>20.1f} {rmw:>26.2f}")
PYTHON
