#!/bin/sh
# Makes the Python environment of the stacks: `environment.sh FOLDER LOCK`. The locks lie beside
# this script, and the CA bundle for the package index, if there is one.
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
# Without importing it, as that takes long.
if ! python -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))'; then
  python -c 'import sys; sys.exit(sys.version_info >= (3, 14))' ||
    fail "the base image has no PyTorch, and PyTorch 2.8 none for its $(python --version); give" \
      "--base an image with PyTorch, or with Python 3.11 to 3.13"
  install torch
fi
python -c 'import ai_energy_benchmarks, optimum_benchmark, torch' ||
  fail "the stacks cannot be imported; Python says above why"

find "$environment" -type d -name tests -prune -exec rm -rf {} +
# Nobody may write here later, and without them each start of the stacks takes 3 s more. Times of
# files change on their way into the image, so they do not count. Templates that some packages bring
# are not Python yet.
find "$environment" -type d -name __pycache__ -prune -exec rm -rf {} +
python -m compileall -q -j 0 --invalidation-mode unchecked-hash "$environment/lib" || true
