#!/usr/bin/env bash
# Installs what the build (`build`), the tests and benches (`test`) or the comparisons with other protocols (`anchors`, which is
# `test` and more) and other monitors (`monitors`) need from Debian, if it is missing and we are root.
# Otherwise one line says what to install. Without the packages of `test` the tests that need them are skipped and say so;
# without those of `build` nothing can be built, so that is an error.
set -euo pipefail

level=${1:?usage: xtask/deps.sh build|test|anchors|monitors}
export PATH="$PATH:/usr/sbin:/sbin:$HOME/.cargo/bin"

missing=()
need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}

command -v cargo >/dev/null 2>&1 || {
    echo "Rust is missing: install it as https://rustup.rs says, then run this again." >&2
    exit 1
}
need cc "gcc libc6-dev" # the sealing cipher has parts in C
hard=${#missing[@]}
if [ "$level" = test ] || [ "$level" = anchors ]; then
    need git git
    need ip iproute2
    need nft nftables
    need prometheus prometheus
    need promtool prometheus
    need prometheus-node-exporter prometheus-node-exporter
    need ssh openssh-client
    need sshd openssh-server
    need mpirun.openmpi openmpi-bin
    need mpiexec.mpich mpich
    need parallel parallel
    need clush clustershell
    need pdsh pdsh
    need scontrol slurm-client
    need ansible ansible-core
    need dask-ssh python3-distributed
    /usr/bin/python3 -c "import paramiko" >/dev/null 2>&1 || missing+=(python3-paramiko) # dask-ssh logs in by it
    need tmux tmux
    need chromium chromium
    need npm npm # the page is built with it; it brings nodejs
fi
if [ "$level" = anchors ]; then
    need serf serf
fi
if [ "$level" = monitors ]; then
    need prometheus-node-exporter prometheus-node-exporter
    need gmond ganglia-monitor
    need netdata netdata-core
fi
[ ${#missing[@]} -gt 0 ] || exit 0

read -ra packages <<<"$(printf '%s\n' "${missing[@]}" | tr ' ' '\n' | sort -u | tr '\n' ' ')"
line="apt-get install --no-install-recommends ${packages[*]}"
problem=
if ! command -v apt-get >/dev/null 2>&1; then
    problem="missing: ${packages[*]} (these are Debian's names; install them with this system's tools)"
elif [ "$(id -u)" != 0 ]; then
    problem="missing: run  sudo $line"
else
    # Debian starts a service when it is installed, unless this file says no. We only want the programs.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    echo "installing ${packages[*]}"
    log=$(mktemp)
    if ! { apt-get update -q && apt-get install -qy --no-install-recommends "${packages[@]}"; } >"$log" 2>&1 </dev/null; then
        tail -n 5 "$log" >&2
        problem="could not install ${packages[*]}: see the lines above, then run  $line"
    fi
    rm -f "$log"
fi
[ -n "$problem" ] || exit 0
echo "$problem" >&2
if [ "$hard" -gt 0 ]; then exit 1; fi
echo "The tests and benches that need them are skipped and say so." >&2
