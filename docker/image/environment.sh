#!/bin/sh
# Creates the Python environment of the stacks: `environment.sh FOLDER LOCK`. The lock files are
# beside this script, and so is the CA bundle for the package index, if there is one.
set -eu
environment=$1
lock=$2
here=$(dirname "$0")

fail() {
  echo "error: $*" >&2
  exit 1
}
install() {
  "$environment/bin/python" -m pip install --no-cache-dir --no-compile --progress-bar off \
    --disable-pip-version-check --no-build-isolation --require-hashes --no-deps \
    --requirement "$here/$1.txt" ||
    fail "the packages of docker/requirements/$1.txt cannot be installed; pip says above why." \
      "Where the network has a CA of its own, hand its bundle over by --ca-bundle"
}

[ ! -e "$here/ca-bundle.pem" ] || export PIP_CERT="$here/ca-bundle.pem"
python3 -m venv --system-site-packages "$environment"
PATH=$environment/bin:$PATH
install setuptools
install "$lock"
# Importing torch takes seconds, so this only looks for it.
if ! python -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))'; then
  python -c 'import sys; sys.exit(sys.version_info >= (3, 14))' ||
    fail "the base image has no PyTorch, and PyTorch 2.8 none for its $(python --version); give" \
      "--base an image with PyTorch, or with Python 3.11 to 3.13"
  install torch
fi
python -c 'import ai_energy_benchmarks, optimum_benchmark, torch' ||
  fail "the stacks cannot be imported; Python says above why"

find "$environment" -type d -name tests -prune -exec rm -rf {} +
# Bytecode saves 3 s at each start, and users cannot write it later. It must not depend on the files'
# times, which change when the image is built. Some packages contain templates that do not compile,
# so errors are ignored.
find "$environment" -type d -name __pycache__ -prune -exec rm -rf {} +
python -m compileall -q -j 0 --invalidation-mode unchecked-hash "$environment/lib" || true
