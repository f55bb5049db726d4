#!/usr/bin/env bash
# How instructions grow with the number of nurseries, children and waits, by callgrind.
#
#   benches/growth.sh [SITUATION...]   SITUATION: see src/bin/growth.rs; all of them when none is given
#   N=2000 benches/growth.sh           N, 4 N and 16 N instead of 500, 2,000 and 8,000
#
# What costs the same each time grows by 4 from step to step, what is quadratic by 16. The exit code
# is 1 if anything grows by 6 or more. All of them take a minute or two.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=()
for tool in valgrind cargo; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
if ((${#missing[@]})); then
    echo "growth.sh: missing: ${missing[*]} (apt-get install valgrind)" >&2
    exit 2
fi

n=${N:-500}
cargo build --quiet --release -p allhome-benches --bin growth
binary=${CARGO_TARGET_DIR:-target}/release/growth
mapfile -t known < <("$binary" --list)
(($#)) || set -- "${known[@]}"
for situation; do
    if [[ " ${known[*]} " != *" $situation "* ]]; then
        printf 'growth.sh: no such situation: %s. There are:\n' "$situation" >&2
        printf '    %s\n' "${known[@]}" >&2
        exit 2
    fi
done
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# instructions SITUATION N: of what is between the call and the return of `measured`.
instructions() {
    local count
    if ! valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='*growth*measured*' \
        "$binary" "$1" "$2" >"$log" 2>&1; then
        cat "$log" >&2
        return 1
    fi
    count=$(sed -n 's/^.*Collected : *//p' "$log")
    if ! ((count > $2)); then
        printf 'growth.sh: %s at %d: callgrind counted "%s" instructions\n' "$1" "$2" "$count" >&2
        return 1
    fi
    printf '%s' "$count"
}

# tenths A B: B / A in tenths, rounded.
tenths() { printf '%d' $(((20 * $2 + $1) / (2 * $1))); }

printf '%-34s %15s %15s %15s %7s %7s\n' "situation, instructions for each" \
    "n = $n" "4 n = $((4 * n))" "16 n = $((16 * n))" "n-4n" "4n-16n"
grew=()
for situation; do
    a=$(instructions "$situation" "$n")
    b=$(instructions "$situation" "$((4 * n))")
    c=$(instructions "$situation" "$((16 * n))")
    first=$(tenths "$a" "$b") second=$(tenths "$b" "$c") mark=
    if ((first >= 60 || second >= 60)); then
        grew+=("$situation")
        mark="  GROWS"
    fi
    printf '%-34s %15d %15d %15d %5d.%d %5d.%d%s\n' "$situation" \
        $((a / n)) $((b / (4 * n))) $((c / (16 * n))) \
        $((first / 10)) $((first % 10)) $((second / 10)) $((second % 10)) "$mark"
done
if ((${#grew[@]})); then
    printf 'growth.sh: %d of %d grow by 6 or more from step to step: %s\n' \
        ${#grew[@]} $# "${grew[*]}" >&2
    exit 1
fi
