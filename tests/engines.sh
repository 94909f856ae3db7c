#!/usr/bin/env bash
# Starts the container engines of the tests beside the machine's Docker, and loads the smoke image
# into them. Needs root and no systemd. A test that needs a mode calls this script.
#
#   tests/engines.sh MODE...     docker-userns-remap docker-rootless podman-rootless podman-rootful
#                                podman-behind-docker
#
# All files are below $DIR. The user $USER_ID has an account and subordinate ids, as rootless engines
# require. An engine that answers is not restarted; its image is replaced when Docker has another.
set -euo pipefail

DIR=/var/lib/aienergyscore-test
USER_ID=4242
IMAGE=ai_energy_score:smoke
RUNTIME=$DIR/user
# Podman 4.3 makes the network of a service only if this lies below /run.
SERVICE=/run/aienergyscore-test

fail() { echo "error: $*" >&2; exit 1; }

[ "$(id -u)" -eq 0 ] || fail "the engines of the tests are brought up by root"
mkdir -p "$DIR"

# One at a time: several tests may want the same engine at once. The daemons do not get the lock.
[ -n "${ENGINES_LOCKED:-}" ] ||
  exec env ENGINES_LOCKED=1 flock --close "$DIR/lock" "$(realpath "$0")" "$@"

# A daemon whose working directory was deleted starts no container.
cd /

# Creates the user with subordinate ids. An existing user with this id is used as it is.
prepare_user() {
  local name
  name=$(getent passwd "$USER_ID" | cut -d: -f1 || true)
  if [ -z "$name" ]; then
    name=aienergyscore-test
    useradd --uid "$USER_ID" --user-group --home-dir "$DIR/home" --no-create-home "$name"
  fi
  for file in /etc/subuid /etc/subgid; do
    grep -q "^$name:" "$file" 2>/dev/null || echo "$name:1000000000:65536" >>"$file"
  done
  mkdir -p "$DIR"
  chmod 755 "$DIR"
  install -d -m 700 -o "$USER_ID" -g "$USER_ID" "$DIR/home" "$DIR/service" "$RUNTIME" "$SERVICE"
  local device
  for device in /dev/net/tun /dev/fuse; do
    [ ! -e "$device" ] || chmod 666 "$device"
  done
}

as_user() {
  setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups env -i HOME="$DIR/home" \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin XDG_RUNTIME_DIR="$RUNTIME" \
    CONTAINERS_CONF="$DIR/containers.conf" CONTAINERS_STORAGE_CONF="$DIR/storage.conf" "$@"
}

answers() { docker -H "unix://$1" version >/dev/null 2>&1; }

# Waits for the daemon behind a socket, or shows the end of its log.
wait_for() {
  for _ in $(seq 150); do
    answers "$1" && return
    sleep 0.2
  done
  tail -n 20 "$2" >&2
  fail "nothing answers at $1"
}

# Loads the image of the machine's Docker into another engine: `load CLIENT...`.
load() {
  local wanted
  wanted=$(docker image inspect --format '{{index .Config.Labels "org.aienergyscore.inputs"}}' "$IMAGE") ||
    fail "the image $IMAGE is missing; run \`cargo xtask smoke\` first"
  local has
  has=$("$@" image inspect --format '{{index .Config.Labels "org.aienergyscore.inputs"}}' "$IMAGE" 2>/dev/null || true)
  [ "$has" = "$wanted" ] || docker save "$IMAGE" | "$@" load --quiet >/dev/null
}

# In a network namespace: a second daemon would remove the bridge of the first.
docker_userns_remap() {
  local dir=$DIR/remap socket=$DIR/remap/docker.sock
  if ! answers "$socket"; then
    grep -q '^dockremap:' /etc/subuid || {
      id dockremap >/dev/null 2>&1 || useradd --system dockremap
      echo dockremap:1000100000:65536 | tee -a /etc/subuid >>/etc/subgid
    }
    mkdir -p "$dir"
    rm -f "$dir/pid" "$socket"
    setsid nohup unshare --net sh -c "ip link set lo up; exec dockerd --userns-remap=default \
      --data-root $dir/data --exec-root $dir/exec -H unix://$socket --pidfile $dir/pid" \
      >"$dir/log" 2>&1 </dev/null &
    wait_for "$socket" "$dir/log"
  fi
  chown "$USER_ID" "$socket"
  load docker -H "unix://$socket"
}

docker_rootless() {
  local socket=$RUNTIME/docker.sock state=$RUNTIME/rootlesskit
  if ! answers "$socket"; then
    rm -rf "$state" "$socket" "$RUNTIME/docker.pid" "$RUNTIME/docker-exec"
    cat >"$DIR/rootless.sh" <<X
exec rootlesskit --state-dir=$state --net=slirp4netns --mtu=65520 --disable-host-loopback \
  --port-driver=builtin --copy-up=/etc --copy-up=/run --propagation=rslave \
  sh -c 'rm -rf /run/docker /run/containerd /run/xtables.lock; exec dockerd --rootless \
    --userland-proxy=false --storage-driver overlay2 --data-root $DIR/home/docker \
    --exec-root $RUNTIME/docker-exec -H unix://$socket --pidfile $RUNTIME/docker.pid'
X
    as_user setsid nohup bash "$DIR/rootless.sh" >"$DIR/rootless.log" 2>&1 </dev/null &
    wait_for "$socket" "$DIR/rootless.log"
  fi
  load as_user docker -H "unix://$socket"
}

# For a host without systemd, with either version of control groups, where root cannot raise limits.
podman_configuration() {
  local limit
  limit=$(ulimit -Hn)
  cat >"$DIR/containers.conf" <<X
[containers]
default_ulimits=["nofile=$limit:$limit","nproc=$limit:$limit"]
[engine]
runtime="runc"
cgroup_manager="cgroupfs"
events_logger="file"
X
  printf '[storage]\ndriver="overlay"\n' >"$DIR/storage.conf"
}

# After a restart of the machine, Podman's state may name a process id of another program, whose
# namespaces Podman would join.
forget_the_dead() {
  local pid
  pid=$(cat "$1/libpod/tmp/pause.pid" 2>/dev/null || true)
  case $(readlink "/proc/${pid:-none}/exe" || true) in
  */podman) ;;
  *) rm -rf "$1/libpod" "$1/containers" "$1/netns" ;;
  esac
}

# Kills the Podman whose id is in the file $1, unless another program has that id by now.
end_podman() {
  local pid
  pid=$(cat "$1" 2>/dev/null || true)
  case $(readlink "/proc/${pid:-none}/exe" || true) in
  */podman) kill "$pid" || true ;;
  esac
}

# A container without files, as a killed test leaves it, makes every listing of Podman's service fail.
remove_the_broken() {
  local id
  for id in $("$@" ps --all --quiet --no-trunc); do
    "$@" inspect "$id" >/dev/null 2>&1 || "$@" rm --force "$id" >/dev/null 2>&1 || true
  done
}

# Without a daemon.
podman_rootless() {
  podman_configuration
  forget_the_dead "$RUNTIME"
  remove_the_broken as_user podman
  load as_user podman
}

# A service for Docker's client with separate storage. It is restarted if it cannot run a container.
podman_behind_docker() {
  podman_configuration
  local socket=$SERVICE/podman.sock
  local own=(as_user env "HOME=$DIR/service" "XDG_RUNTIME_DIR=$SERVICE")
  if ! docker -H "unix://$socket" run --rm --pull never "$IMAGE" --version >/dev/null 2>&1; then
    end_podman "$SERVICE/pid"
    rm -f "$socket"
    forget_the_dead "$SERVICE"
    # shellcheck disable=SC2016 # The inner shell's own.
    "${own[@]}" setsid nohup sh -c 'echo $$ >"$1"; exec podman system service --time=0 "$2"' \
      sh "$SERVICE/pid" "unix://$socket" >"$DIR/service.log" 2>&1 </dev/null &
    wait_for "$socket" "$DIR/service.log"
  fi
  remove_the_broken "${own[@]}" podman
  load docker -H "unix://$socket"
}

# Root's service, whose socket belongs to the user.
podman_rootful() {
  podman_configuration
  local dir=$DIR/podman socket=$DIR/podman/podman.sock
  mkdir -p "$dir"
  local podman=(env "CONTAINERS_CONF=$DIR/containers.conf" podman --root "$dir/root" --runroot "$dir/run")
  remove_the_broken "${podman[@]}"
  load "${podman[@]}"
  if ! answers "$socket"; then
    rm -f "$socket"
    setsid nohup "${podman[@]}" system service --time=0 "unix://$socket" >"$dir/log" 2>&1 </dev/null &
    wait_for "$socket" "$dir/log"
  fi
  chown "$USER_ID" "$socket"
}

prepare_user
for mode in "$@"; do
  case $mode in
  docker-userns-remap) docker_userns_remap ;;
  docker-rootless) docker_rootless ;;
  podman-rootless) podman_rootless ;;
  podman-rootful) podman_rootful ;;
  podman-behind-docker) podman_behind_docker ;;
  *) fail "there is no mode \`$mode\`" ;;
  esac
done
