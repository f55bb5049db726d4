# Sourced by .ci/run and .ci/deep: steps that announce themselves and say how to repeat them.
# shellcheck shell=bash

export CARGO_INCREMENTAL=0
# A target folder of its own for each set of flags, or every step would build all anew.
target=${CARGO_TARGET_DIR:-target}
native=$(rustc -vV | sed -n 's/^host: //p')

# step TITLE COMMAND...
step() {
    local title=$1 began=$SECONDS code=0
    shift
    printf '\n=== %s\n    %s\n' "$title" "$(quoted "$@")"
    "$@" || code=$?
    if ((code)); then
        printf '=== %s: FAILED after %d s, exit code %d. Repeat it, from the root, with:\n    %s\n' \
            "$title" $((SECONDS - began)) "$code" "$(quoted "$@")" >&2
        exit "$code"
    fi
    printf '=== %s: ok, %d s\n' "$title" $((SECONDS - began))
}

# The command as one would type it: quoted where it must be, and no more.
quoted() {
    local word line=
    for word; do
        case $word in
            *=*[!A-Za-z0-9_./,:=+-]*) line+=" ${word%%=*}=$(printf %q "${word#*=}")" ;;
            '' | *[!A-Za-z0-9_./,:=+-]*) line+=" $(printf %q "$word")" ;;
            *) line+=" $word" ;;
        esac
    done
    printf '%s' "${line# }"
}

# component NAME COMMAND...: installs a component of the toolchain when the command is not there.
component() {
    local name=$1
    shift
    if ! "$@" >/dev/null 2>&1; then
        step "install $name" rustup component add "$name"
    fi
}

# each_feature TITLE COMMAND...: on the core with no feature, with each alone, and with all.
each_feature() {
    local title=$1 features
    shift
    for features in "" tokio smol async-std executors signals \
        tokio,smol,async-std,executors,signals; do
        step "$title with features: ${features:-none}" \
            "$@" -p allhome --no-default-features --features "$features"
    done
}

# A call at each atomic operation, for the thread sanitizer, or for delays. rustc refuses this with
# a precompiled std, which is not instrumented.
instrumented="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer -Zshare-generics=n"

# loom PREEMPTIONS
loom() {
    step "loom, at most $1 preemptions" \
        env RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS="$1" CARGO_TARGET_DIR="$target/loom" \
        cargo test -p allhome --release --test loom
}

# Tests a target triple ($0) and packages; builds treehash first, which its own tests run.
# shellcheck disable=SC2016,SC2034
with_example='cargo build -p allhome-examples --examples --target "$0" &&
    cargo test "$@" --tests --target "$0"'

# address_sanitizer PACKAGES...: leaks too, which are printed after "test result: ok" and show in
# the exit code only. RUSTC_BOOTSTRAP lets the stable compiler take -Z.
address_sanitizer() {
    step "address and leak sanitizer" \
        env RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR="$target/asan" \
        LSAN_OPTIONS="suppressions=$PWD/.ci/leaks:print_suppressions=0" \
        bash -c "$with_example" "$native" "$@"
}

# delays FROM TO PACKAGES...: all tests with a few places of the code slow, other ones for each seed.
delays() {
    local seed from=$1 to=$2 runtime
    shift 2
    mkdir -p "$target/delays"
    runtime=$(cd "$target/delays" && pwd)/runtime.o
    step "delays: what is called at each atomic operation" \
        cc -O2 -Wall -Wextra -fPIC -fno-builtin -c -o "$runtime" .ci/delays/runtime.c
    for ((seed = from; seed <= to; seed++)); do
        step "delays, seed $seed" \
            env DELAY_SEED="$seed" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$target/delays" \
            RUSTFLAGS="$instrumented -Zexternal-clangrt -Clink-arg=$runtime" \
            bash -c "$with_example" "$native" "$@"
    done
}
