#!/bin/sh
# Resolves the *.in files here into lock files with hashes, with uv: `docker/requirements/lock.sh`.
# Locked versions are kept. `docker/requirements/lock.sh --upgrade` updates them.
set -eu
cd "$(dirname "$0")"

lock() {
  name=$1
  shift
  uv pip compile --quiet --generate-hashes --no-annotate \
    --custom-compile-command docker/requirements/lock.sh \
    --output-file "$name.txt" "$@" "$name.in"
}

# setuptools has its own lock file, since it is installed before the others.
stacks() {
  lock "$@" --overrides overrides.txt --constraints setuptools.in --no-emit-package setuptools
}

lock setuptools --universal --python-version 3.11 "$@"
# Debian's Python. The lock file has the hashes for every architecture.
stacks cpu --python-platform x86_64-manylinux_2_28 --python-version 3.13 --no-emit-package numpy "$@"
stacks cuda --universal --python-version 3.11 "$@"
# Packages that are in both lock files have the same version.
lock torch --universal --python-version 3.11 --constraints cuda.txt --constraints setuptools.in \
  --no-emit-package setuptools "$@"

# The versions of huggingface_hub that the tests compare the cache commands with.
peers=../../tests/it/hub_cache/requirements
for version in 0.36.2 1.20.1 2.4.0; do
  echo "huggingface_hub==$version" | uv pip compile --quiet --generate-hashes --no-annotate \
    --custom-compile-command docker/requirements/lock.sh --universal --python-version 3.11 \
    --output-file "$peers/huggingface_hub-$version.txt" "$@" -
done

# Real servers for the tests of the `vllm` backend. The first runs on the host, the second with the
# stacks of the flavour `cpu`.
servers=../../tests/it/vllm/requirements
server() {
  name=$1
  shift
  uv pip compile --quiet --generate-hashes --no-annotate \
    --custom-compile-command docker/requirements/lock.sh \
    --output-file "$servers/$name.txt" "$@" -
}
echo "xllamacpp==2026.10.11549" | server xllamacpp --universal --python-version 3.11 "$@"
printf '%s\n' fastapi uvicorn openai |
  server transformers-serve --python-platform x86_64-manylinux_2_28 --python-version 3.13 "$@"
# The client's own dependency, in the version of the images.
echo requests | server requests --universal --python-version 3.11 --constraints cuda.txt "$@"
