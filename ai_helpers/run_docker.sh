#!/bin/sh
# Runs the benchmark in a container as you: `aienergyscore run` with the same arguments.
#
#   ai_helpers/run_docker.sh [-n N] [OPTIONS] [BENCHMARK ARGUMENTS]...
#
# `--help` lists the options. An option wins over its variable:
#
#   DOCKER_IMAGE              image to run                                     ai_energy_score, the tag by backend
#   RESULTS_DIR               folder for the results                           ./results
#   HF_HOME                   HuggingFace home with the Hub cache              ~/.cache/huggingface
#   HF_HUB_CACHE              Hub cache, if it lies elsewhere                  $HF_HOME/hub
#   HF_TOKEN                  access token for gated models                    the token file
#   HF_TOKEN_PATH             file with the access token                       $HF_HOME/token
#   BENCHMARK_BACKEND         backend, if --backend does not say               by image
#   VLLM_ENDPOINT             server of the vllm backend                       none; required there
#   VLLM_API_KEY              API key of that server, if it wants one          the file below
#   VLLM_API_KEY_PATH         file with that key                               none
#   SSL_CERT_FILE             authorities of an https:// server's certificate  the usual ones
#   OMP_NUM_THREADS           threads of the Python stacks on the CPU          all processors but one
#   AIENERGYSCORE_ENTRYPOINT  entrypoint program of the host engine            looked for in the build folder, beside the runner and on PATH
#
# It may be called from any folder. The program is the newest one in this workspace's build folder,
# built again when a source is newer; else the one on PATH; else it is built here, once.
set -eu

say() {
    printf '%s\n' "run_docker.sh: $*" >&2
}

# build PROFILE: leaves the program in $target.
build() {
    case $target in
    *:*) say "Cargo builds nothing in $target, for the colon; set CARGO_TARGET_DIR" ;;
    esac
    say "building aienergyscore"
    cargo build --quiet --locked --profile "$1" --package aienergyscore \
        --manifest-path "$root/Cargo.toml" --target-dir "$target" >&2
}

# Without a fork, unless it was called by a link.
self=$0
if [ -L "$self" ]; then
    self=$(readlink -f -- "$self")
fi
case $self in
*/*) root=${self%/*}/.. ;;
*) root=.. ;;
esac
target=${CARGO_TARGET_DIR:-$root/target}

program=$target/release/aienergyscore
profile=release
# shellcheck disable=SC3013 # POSIX has `-nt` since 2024, and every `sh` in use has it
if [ ! -x "$program" ] || [ "$target/debug/aienergyscore" -nt "$program" ]; then
    program=$target/debug/aienergyscore
    profile=dev
fi
if [ -x "$program" ]; then
    # The entrypoint and what is installed beside it are no part of this program.
    newer=$(find "$root"/Cargo.* "$root/runner" "$root/docker" \
        -path "$root/docker/entrypoint" -prune -o -type f \
        \( -path '*/src/*' -o -name 'Cargo.*' -o -name build.rs \) -newer "$program" -print -quit)
    if [ -n "$newer" ] && command -v cargo >/dev/null; then
        build "$profile"
    elif [ -n "$newer" ]; then
        say "warning: $program is older than $newer, and there is no cargo to build it again"
    fi
elif command -v aienergyscore >/dev/null; then
    program=aienergyscore
elif command -v cargo >/dev/null; then
    build release
    program=$target/release/aienergyscore
else
    say "error: no aienergyscore in $target or on PATH, and no cargo to build it;" \
        "install Rust from https://rustup.rs"
    exit 1
fi
exec "$program" run "$@"
