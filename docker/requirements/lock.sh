#!/bin/sh
# Resolves the *.in files here into locks with hashes, with uv: `docker/requirements/lock.sh`.
# Versions that a lock already has are kept; `docker/requirements/lock.sh --upgrade` moves them.
set -eu
cd "$(dirname "$0")"

lock() {
  name=$1
  shift
  uv pip compile --quiet --generate-hashes --no-annotate \
    --custom-compile-command docker/requirements/lock.sh \
    --output-file "$name.txt" "$@" "$name.in"
}

# setuptools is apart, since it is there before the others are installed.
stacks() {
  lock "$@" --overrides overrides.txt --constraints setuptools.in --no-emit-package setuptools
}

lock setuptools --universal --python-version 3.11 "$@"
# Debian's Python; hashes are for every processor.
stacks cpu --python-platform x86_64-manylinux_2_28 --python-version 3.13 --no-emit-package numpy "$@"
stacks cuda --universal --python-version 3.11 "$@"
# What both would install is the same version.
lock torch --universal --python-version 3.11 --constraints cuda.txt --constraints setuptools.in \
  --no-emit-package setuptools "$@"

# The versions of huggingface_hub that tests hold ours against.
peers=../../tests/it/hub_cache/requirements
for version in 0.36.2 1.20.1 2.4.0; do
  echo "huggingface_hub==$version" | uv pip compile --quiet --generate-hashes --no-annotate \
    --custom-compile-command docker/requirements/lock.sh --universal --python-version 3.11 \
    --output-file "$peers/huggingface_hub-$version.txt" "$@" -
done

# Real servers for the tests of the client of one. The first runs where the tests do, the second with
# the stacks of the flavour `cpu`.
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
# What the client itself needs, as the images have it.
echo requests | server requests --universal --python-version 3.11 --constraints cuda.txt "$@"
