# Sourced by the scripts of this folder: steps that announce themselves and say how to repeat them.
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

# tool CRATE VERSION OPTIONS...: installs a program of crates.io when that version is not there, below the target
# folder, and puts it on the path.
tool() {
    local crate=$1 version=$2 root
    shift 2
    mkdir -p "$target/tools"
    root=$(cd "$target/tools" && pwd)
    export PATH=$root/bin:$PATH
    if ! cargo install --list --root "$root" | grep -q "^$crate v$version:"; then
        step "install $crate $version" cargo install --locked --root "$root" "$@" "$crate@$version"
    fi
}

# features MANIFEST: the names in its table [features], but for `default`.
features() {
    sed -n '/^\[features\]$/,/^\[[a-z]/s/^\([a-z0-9_-]*\) *=.*/\1/p' "$1" | grep -vx default
}

# unpublished: the names of the packages that are the workspace's own.
unpublished() {
    local manifest
    for manifest in $(sed -n '/^members = \[$/,/^\]$/s/^ *"\(.*\)",$/\1\/Cargo.toml/p' Cargo.toml); do
        if grep -qx 'publish = false' "$manifest"; then
            grep -m1 '^name = ' "$manifest" | cut -d'"' -f2
        fi
    done
}

# each_feature TITLE COMMAND...: on the core with no feature, with each alone, and with all.
each_feature() {
    local title=$1 all one
    shift
    all=$(features core/Cargo.toml)
    if [[ ! $all ]]; then
        printf 'core/Cargo.toml has no features\n' >&2
        exit 1
    fi
    for one in "" $all "$(paste -sd, - <<<"$all")"; do
        step "$title with features: ${one:-none}" \
            "$@" -p allhome --no-default-features --features "$one"
    done
}

# other_targets: compiles what users depend on for targets that are not this one, so that no branch of
# cfg(..) is left out. Each needs std of its target, which `rustup target add` installs.
other_targets() {
    local other sysroot features
    sysroot=$(rustc --print sysroot)
    for other in wasm32-unknown-unknown x86_64-pc-windows-gnu; do
        if [[ ! -d $sysroot/lib/rustlib/$other/lib ]]; then
            printf '\n=== %s: skipped, its std is missing (rustup target add %s)\n' "$other" "$other"
            continue
        fi
        step "$other: the core and the boundary" \
            cargo check --target "$other" -p allhome-rt -p allhome
        features=$(features core/Cargo.toml | paste -sd, -)
        # No sockets there: our own executors compile, the runtimes do not.
        [[ $other != wasm32-* ]] || features=executors,signals
        step "$other: the core with features: $features" \
            cargo check --target "$other" -p allhome --features "$features"
    done
}

# A call at each atomic operation, for the thread sanitizer, or for delays. rustc refuses this with
# a precompiled std, which is not instrumented.
instrumented="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer -Zshare-generics=n"

# loom PREEMPTIONS
loom() {
    step "loom, at most $1 preemptions" \
        env RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS="$1" CARGO_TARGET_DIR="$target/loom" \
        cargo test -p allhome --release --lib --test loom
}

# Tests a target triple ($0) and packages; builds treehash first, which its own tests run.
# shellcheck disable=SC2016
with_example='cargo build -p allhome-examples --examples --target "$0" &&
    cargo test "$@" --tests --target "$0"'

# address_sanitizer PACKAGES...: leaks too, which are printed after "test result: ok" and show in
# the exit code only. RUSTC_BOOTSTRAP lets the stable compiler take -Z.
address_sanitizer() {
    step "address and leak sanitizer" \
        env RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address --cfg allhome_no_scan" CARGO_TARGET_DIR="$target/asan" \
        LSAN_OPTIONS="suppressions=$PWD/.ci/leaks:print_suppressions=0" \
        bash -c "$with_example" "$native" "$@"
}

# thread_sanitizer TITLE COMMAND...
#
# std's locks are not instrumented, so whatever they order would be taken for a race. The shim adds,
# at link time, the orderings of std that the sanitizer cannot see. It treats a decrement with
# Release as AcqRel, since the sanitizer knows no fences: a missing Acquire in a reference count is
# for loom to find. Exit code 66: a race.
# RUST_TEST_NOCAPTURE: what tests print is else collected under a lock of precompiled std.
# report_thread_leaks: a thread of the global pool for blocking work that has ended is joined by the
# next one that ends, and the process may end before.
# RUST_BACKTRACE: std keeps what it reads for a backtrace under another such lock.
# The lines' tables: without them a report has no inlined functions, which the suppressions name.
thread_sanitizer() {
    local title=$1 shim
    shift
    mkdir -p "$target/tsan-shim"
    shim=$(cd "$target/tsan-shim" && pwd)
    step "thread sanitizer: shim" .ci/tsan/gen.sh "$shim"
    step "thread sanitizer: $title" \
        env RUSTC_BOOTSTRAP=1 RUSTFLAGS="$instrumented $(<"$shim/flags")" CARGO_TARGET_DIR="$target/tsan" \
        CARGO_PROFILE_DEV_DEBUG=line-tables-only \
        TSAN_OPTIONS="suppressions=$PWD/.ci/tsan/tsan.supp history_size=7 report_thread_leaks=0" RUST_TEST_NOCAPTURE=1 RUST_BACKTRACE=0 \
        CARGO_BUILD_TARGET="$native" "$@"
}

# delays SEEDS PACKAGES...: all tests with a few places of the code slow, other ones for each seed.
# Built once: the seed is read when a test runs.
delays() {
    local seed seeds=$1 runtime
    shift
    mkdir -p "$target/delays"
    runtime=$(cd "$target/delays" && pwd)/runtime.o
    step "delays: what is called at each atomic operation" \
        cc -O2 -Wall -Wextra -fPIC -fno-builtin -c -o "$runtime" .ci/delays/runtime.c
    for seed in $seeds; do
        step "delays, seed $seed" \
            env DELAY_SEED="$seed" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$target/delays" \
            RUSTFLAGS="$instrumented -Zexternal-clangrt -Clink-arg=$runtime" \
            bash -c "$with_example" "$native" "$@"
    done
}
