#!/bin/sh
# Installs the Debian packages that a flavour needs: `base.sh cpu|cuda`, as root.
set -eu
flavour=$1

fail() {
  echo "error: $*" >&2
  exit 1
}
exists() { command -v "$1" >/dev/null 2>&1; }
# Whether Python has these modules, without importing them.
has_modules() {
  python3 -c 'import importlib.util, sys; sys.exit(None in map(importlib.util.find_spec, sys.argv[1:]))' "$@"
}
is_debian_python() { case $(readlink -f "$(command -v python3)") in /usr/bin/*) true ;; *) false ;; esac }
install() {
  apt-get install --yes --quiet --no-install-recommends "$@" ||
    fail "the packages $* cannot be installed; apt-get says above why"
}

exists apt-get || fail "the base image has no apt-get; give --base an image of Debian or its kin"

export DEBIAN_FRONTEND=noninteractive
printf 'path-exclude=/usr/share/%s/*\n' doc info locale man >/etc/dpkg/dpkg.cfg.d/slim
echo 'path-exclude=/usr/lib/libtorch-test/*' >>/etc/dpkg/dpkg.cfg.d/slim
apt-get update --quiet || fail "no package lists; apt-get says above why"

if [ "$flavour" = cpu ]; then
  exists python3 || install python3
  is_debian_python || fail "the flavour cpu uses Debian's PyTorch, and the base image's python3 is" \
    "$(command -v python3); give --base an image without it"
  # UCX, an indirect dependency of PyTorch, depends on 210 MB of ROCm and LLVM for AMD GPUs. This
  # empty package replaces them.
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

exists python3 || fail "the base image has no python3; give --base an image with Python 3.11" \
  "or newer, and best with PyTorch"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "the base image has $(python3 --version), and the stacks need 3.11 or newer; give --base" \
    "another image"
has_modules venv ensurepip || ! is_debian_python || install python3-venv
has_modules venv ensurepip || fail "$(command -v python3) of the base image has no ensurepip, so no" \
  "environment can be made; give --base an image whose Python has it"

if [ "$flavour" = cuda ]; then
  # torch.compile and Triton need a compiler.
  exists g++ || install g++
  header=$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
  [ -e "$header" ] || ! is_debian_python || install python3-dev
  [ -e "$header" ] || echo "warning: no $header; torch.compile will not work" >&2
  ! dpkg-query --status python3-torch >/dev/null 2>&1 || install libtorch-dev
fi

# This NSS module gives a uid without an account a name, so that no account has to be created and
# /etc/passwd stays read-only. It is the last source and answers by number only, so it hides no
# account.
install libnss-unknown
grep -q '^passwd:.*unknown' /etc/nsswitch.conf ||
  sed -i 's/^\(passwd\|group\):.*/& unknown/' /etc/nsswitch.conf
python3 -c 'import pwd; pwd.getpwuid(4242)' || fail "a uid without an account has no name in" \
  "the base image: its /etc/nsswitch.conf has no passwd line, or its Python another C library"

# Tests of Debian's Python packages.
find /usr/lib/python3/dist-packages -type d -name tests -prune -exec rm -rf {} + 2>/dev/null || :
# No backend needs setuid programs, and the runner disables them with `no-new-privileges`. Removing
# the bits protects users who run the image without the runner.
find / -xdev -type f -perm /6000 -exec chmod a-s {} +
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt/* /var/log/dpkg.log /tmp/no-rocm /tmp/no-rocm.deb
