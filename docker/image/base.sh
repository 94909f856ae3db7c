#!/bin/sh
# Makes a Debian-like base ready for the stacks of a flavour: `base.sh cpu|cuda`, as root.
set -eu
flavour=$1

fail() {
  echo "error: $*" >&2
  exit 1
}
is_there() { command -v "$1" >/dev/null 2>&1; }
# Whether Python can import these modules, without importing them.
has() {
  python3 -c 'import importlib.util, sys; sys.exit(None in map(importlib.util.find_spec, sys.argv[1:]))' "$@"
}
is_debians() { case $(readlink -f "$(command -v python3)") in /usr/bin/*) true ;; *) false ;; esac }
install() {
  apt-get install --yes --quiet --no-install-recommends "$@" ||
    fail "the packages $* cannot be installed; apt-get says above why"
}

is_there apt-get || fail "the base image has no apt-get; give --base an image of Debian or its kin"

export DEBIAN_FRONTEND=noninteractive
printf 'path-exclude=/usr/share/%s/*\n' doc info locale man >/etc/dpkg/dpkg.cfg.d/slim
echo 'path-exclude=/usr/lib/libtorch-test/*' >>/etc/dpkg/dpkg.cfg.d/slim
apt-get update --quiet || fail "no package lists; apt-get says above why"

if [ "$flavour" = cpu ]; then
  is_there python3 || install python3
  is_debians || fail "the flavour cpu uses Debian's PyTorch, and the base image's python3 is" \
    "$(command -v python3); give --base an image without it"
  # UCX, far below PyTorch, has optional parts for AMD's GPUs, and with them 210 MB of ROCm and
  # LLVM. This empty package stands for them.
  mkdir -p /tmp/no-rocm/DEBIAN
  cat >/tmp/no-rocm/DEBIAN/control <<'CONTROL'
Package: no-rocm
Version: 1
Architecture: all
Maintainer: AIEnergyScore <noreply@example.org>
Provides: libamdhip64-5 (= 99), libhsa-runtime64-1 (= 99)
Description: stands for the ROCm runtime, which nothing here uses
CONTROL
  dpkg-deb --build /tmp/no-rocm >/dev/null
  install /tmp/no-rocm.deb python3-torch
fi

is_there python3 || fail "the base image has no python3; give --base an image with Python 3.11" \
  "or newer, and best with PyTorch"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "the base image has $(python3 --version), and the stacks need 3.11 or newer; give --base" \
    "another image"
has venv ensurepip || ! is_debians || install python3-venv
has venv ensurepip || fail "$(command -v python3) of the base image has no ensurepip, so no" \
  "environment can be made; give --base an image whose Python has it"

if [ "$flavour" = cuda ]; then
  # What torch.compile and Triton call.
  is_there g++ || install g++
  header=$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
  [ -e "$header" ] || ! is_debians || install python3-dev
  [ -e "$header" ] || echo "warning: no $header; torch.compile will not work" >&2
  ! dpkg-query --status python3-torch >/dev/null 2>&1 || install libtorch-dev
fi

# A uid without an account has a name all the same, for every program: no user has to be made, no
# file to be writable. It answers last, and by number only, so no account is hidden or invented.
install libnss-unknown
grep -q '^passwd:.*unknown' /etc/nsswitch.conf ||
  sed -i 's/^\(passwd\|group\):.*/& unknown/' /etc/nsswitch.conf
python3 -c 'import pwd; pwd.getpwuid(4242)' || fail "a uid without an account has no name in" \
  "the base image: its /etc/nsswitch.conf has no passwd line, or its Python another C library"

# Debian's Python packages bring their own tests.
find /usr/lib/python3/dist-packages -type d -name tests -prune -exec rm -rf {} + 2>/dev/null || :
# Nothing here becomes another user: no backend asks for it, and runs without it by
# `no-new-privileges`, so what is left would only serve whoever runs the image otherwise.
find / -xdev -type f -perm /6000 -exec chmod a-s {} +
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt/* /var/log/dpkg.log /tmp/no-rocm /tmp/no-rocm.deb
