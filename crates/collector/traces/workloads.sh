#!/bin/bash
# Records this machine under one of several kinds of load, as a trace:
#
#   crates/collector/traces/workloads.sh NAME SECONDS FILE     one of the loads below
#   crates/collector/traces/workloads.sh all SECONDS FOLDER    all of them, one after another
#
# It needs root (two network namespaces joined by a veth pair, so that traffic passes an interface that counts) and, on
# Debian: postgresql nginx-light apache2-utils fio stress-ng iperf3 python3, and this workspace's Rust. Build the recorder first:
# cargo build --release -p peermon-collector --example record
#
# The machine may do other work meanwhile: the load runs in a control group that is served first, and only that group's
# processor time, load, running processes and pressure are recorded (memory and disks are the machine's). The recorder is in
# it, as the daemon is part of any machine. Clients that make a server work are in a group and a namespace of their own, as if
# on another machine. What a load leaves behind is removed.
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
recorder=$root/target/release/examples/record
name=${1:-}
here=peermon-$name there=peermon-$name-clients
scratch=
job=
# the control groups' version 2, and where their shares of processors are set
groups=/sys/fs/cgroup shares=/sys/fs/cgroup weight=cpu.weight favour=10000
if [ -d /sys/fs/cgroup/unified ]; then
    groups=/sys/fs/cgroup/unified shares=/sys/fs/cgroup/cpu weight=cpu.shares favour=102400
fi

# Runs a command, or a function, in a group: enter GROUP COMMAND...
enter() (
    echo "$BASHPID" >"$groups/$1/cgroup.procs"
    echo "$BASHPID" >"$shares/$1/cgroup.procs"
    shift
    "$@"
)
in_here() { ip netns exec "$here" "$@"; }
in_there() { enter "$there" ip netns exec "$there" "$@"; }

# A random pause: pause SHORTEST LONGEST, in tenths of a second.
pause() { local t=$((RANDOM % ($2 - $1 + 1) + $1)); sleep $((t / 10)).$((t % 10)); }

# Each load is a function that runs until it is ended.

load_idle() { # nothing but some housekeeping every half a minute or so
    while :; do
        pause 150 450
        find /etc /var/lib -newer "$scratch" >/dev/null 2>&1
    done
}

load_interactive() { # somebody at a terminal: short commands, seconds apart
    while :; do
        pause 5 80
        case $((RANDOM % 4)) in
        0) git -C "$root" log --stat -n 200 >/dev/null ;;
        1) grep -r peermon "$root/crates" >/dev/null ;;
        2) python3 -c 'print(sum(i * i for i in range(3_000_000)))' >/dev/null ;;
        3) ls -lR /usr/share >/dev/null ;;
        esac
    done
}

load_compile() { # a crate and all it needs, anew each time, with short pauses
    while :; do
        CARGO_TARGET_DIR=$scratch/target cargo build -q --release --manifest-path "$root/Cargo.toml" -p peermon-node
        rm -rf "$scratch/target"
        pause 50 100
    done
}

load_database() { # PostgreSQL, 8 clients in another namespace, 150 transactions a second; reports now and then
    local bin=/usr/lib/postgresql/15/bin
    while :; do
        in_there "$bin/pgbench" -h 10.99.0.1 -U postgres -c 8 -j 1 -R 150 -T 40 bench >/dev/null 2>&1
        in_there "$bin/pgbench" -h 10.99.0.1 -U postgres -S -c 4 -j 1 -R 600 -T 15 bench >/dev/null 2>&1
    done
}
before_database() {
    local bin=/usr/lib/postgresql/15/bin
    chown postgres "$scratch"
    cd "$scratch"
    runuser -u postgres -- $bin/initdb -A trust -D "$scratch/db" >/dev/null
    echo "host all all 10.99.0.0/24 trust" >>"$scratch/db/pg_hba.conf"
    in_here runuser -u postgres -- $bin/pg_ctl -D "$scratch/db" -l "$scratch/log" \
        -o "-h 10.99.0.1 -k $scratch -c shared_buffers=512MB -c checkpoint_timeout=30s" -w start >/dev/null
    in_here $bin/createdb -h 10.99.0.1 -U postgres bench
    in_here $bin/pgbench -h 10.99.0.1 -U postgres -q -i -s 20 bench >/dev/null 2>&1
}
after_database() { runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_ctl -D "$scratch/db" -m fast stop >/dev/null; }

load_web() { # nginx, requests for small and large files in bursts of uneven size
    while :; do
        in_there ab -q -c 8 -n $((RANDOM % 1500 + 50)) "http://10.99.0.1:8099/$((RANDOM % 3))" >/dev/null 2>&1
        pause 1 15
    done
}
before_web() {
    mkdir "$scratch/www"
    head -c 2000 /dev/urandom >"$scratch/www/0"
    head -c 30000 /dev/urandom >"$scratch/www/1"
    head -c 200000 /dev/urandom >"$scratch/www/2"
    cat >"$scratch/nginx.conf" <<CONF
worker_processes 2; pid $scratch/nginx.pid; error_log $scratch/error.log; user root;
events {}
http { access_log $scratch/access.log; server { listen 10.99.0.1:8099; root $scratch/www; } }
CONF
    in_here nginx -c "$scratch/nginx.conf"
}
after_web() { kill "$(cat "$scratch/nginx.pid")"; }

load_files() { # a file server: random reads and writes, large files written and synced, and what is read leaves by the network
    in_here iperf3 -s >/dev/null 2>&1 &
    sleep 1
    fio --name=mix --directory="$scratch" --size=1G --rw=randrw --bs=16k --direct=1 --rate=12m,4m --time_based --runtime=1d >/dev/null &
    while :; do
        in_there iperf3 -c 10.99.0.1 -R -b $((RANDOM % 400 + 50))M -t $((RANDOM % 6 + 1)) >/dev/null 2>&1
        pause 5 60
        dd if=/dev/zero of="$scratch/large" bs=1M count=$((RANDOM % 400 + 50)) conv=fsync 2>/dev/null
        pause 5 60
    done
}

load_memory() { # programs that want more memory and less again, and pages that go to swap and come back
    while :; do
        stress-ng -q --vm 2 --vm-bytes $((RANDOM % 6 + 1))G --vm-keep --pageswap 1 -t $((RANDOM % 15 + 5))
        pause 10 60
    done
}
before_memory() {
    zramctl --find --size 1G >"$scratch/zram"
    mkswap -q "$(cat "$scratch/zram")" && swapon "$(cat "$scratch/zram")"
}
after_memory() { swapoff "$(cat "$scratch/zram")" && zramctl --reset "$(cat "$scratch/zram")"; }

load_batch() { # jobs that compute and nothing else, one after another
    while :; do
        stress-ng -q --cpu $((RANDOM % 2 + 1)) -t $((RANDOM % 30 + 20))
        pause 10 40
    done
}

load_mpi() { # compute for a while, then exchange results over the network
    in_here iperf3 -s >/dev/null 2>&1 &
    sleep 1
    while :; do
        stress-ng -q --cpu 2 -t 3
        in_there iperf3 -c 10.99.0.1 --bidir -b 1G -n 100M >/dev/null 2>&1
    done
}

load_processes() { # very many processes that live for a moment
    while :; do
        for _ in $(seq $((RANDOM % 2000))); do /bin/true; done
        stress-ng -q --fork 1 -t $((RANDOM % 5 + 1))
        pause 1 40
    done
}

load_transfer() { # long transfers out and in, each at a rate of its own
    in_here iperf3 -s >/dev/null 2>&1 &
    sleep 1
    while :; do
        in_there iperf3 -c 10.99.0.1 -b $((RANDOM % 900 + 100))M -t $((RANDOM % 30 + 10)) >/dev/null 2>&1
        in_there iperf3 -c 10.99.0.1 -R -b $((RANDOM % 900 + 100))M -t $((RANDOM % 30 + 10)) >/dev/null 2>&1
        pause 10 80
    done
}

LOADS="compile database web files memory batch mpi processes transfer interactive idle"

# Processor time used by all, by the load and its clients, and the time there was, in seconds.
times() {
    local all mine
    all=$(awk '/^cpu / { print ($2 + $3 + $4 + $7 + $8) / 100, ($2 + $3 + $4 + $5 + $6 + $7 + $8 + $9) / 100 }' /proc/stat)
    mine=$(awk '/^usage_usec/ { t += $2 } END { print t / 1e6 }' "$groups/$here/cpu.stat" "$groups/$there/cpu.stat")
    echo "$all $mine"
}

clean_up() {
    set +e
    [ -n "$job" ] && kill -- "-$job" 2>/dev/null
    if [ "$(type -t "after_$name")" = function ]; then "after_$name"; fi
    for g in "$here" "$there"; do
        echo 1 >"$groups/$g/cgroup.kill"
        ip netns delete "$g"
        for d in "$groups/$g" "$shares/$g"; do
            for _ in $(seq 50); do
                [ -d "$d" ] && ! rmdir "$d" 2>/dev/null || break
                sleep 0.1
            done
        done
    done
    rm -rf "$scratch"
}

record() { # SECONDS FILE
    scratch=$(mktemp -d)
    trap clean_up EXIT
    for g in "$here" "$there"; do
        mkdir -p "$groups/$g" "$shares/$g"
        echo $favour >"$shares/$g/$weight"
        ip netns add "$g"
    done
    ip -n "$here" link add eth0 type veth peer name eth0 netns "$there"
    for n in "$here" "$there"; do ip -n "$n" link set lo up; ip -n "$n" link set eth0 up; done
    ip -n "$here" address add 10.99.0.1/24 dev eth0
    ip -n "$there" address add 10.99.0.2/24 dev eth0
    if [ "$(type -t "before_$name")" = function ]; then enter "$here" "before_$name"; fi
    # in a process group of its own, so that all of it can be ended
    set -m
    set +e # a load goes on when one of its programs fails
    enter "$here" "load_$name" &
    job=$!
    set -e
    set +m
    sleep 3
    local what before after others
    what="The load \"$name\" of crates/collector/traces/workloads.sh, second by second, on a virtual machine with $(nproc) processors."
    before=$(times)
    # `ip netns exec` would hide the control groups
    enter "$here" nsenter --net="/run/netns/$here" nice -n -5 "$recorder" "$1" "$scratch/raw" "$what" "$groups/$here"
    after=$(times)
    others=$(echo "$before $after" | awk '{ printf "%.0f", 100 * ($4 - $1 - $6 + $3) / ($5 - $2) }')
    # only the facts that values are told in
    {
        grep -E '^#' "$scratch/raw"
        echo "# Nothing is scaled. Other work took $others % of the machine's processor time meanwhile."
        grep -E '^peermon-trace' "$scratch/raw"
        grep -E '^fact (cpu.threads|mem.total|swap.total) ' "$scratch/raw"
        grep -vE '^(#|fact|peermon-trace)' "$scratch/raw"
    } >"$2"
}

[ $# = 3 ] || { sed -n '2,16s/^# \{0,1\}//p' "$0"; echo "Loads: $LOADS"; exit 2; }
[ -x "$recorder" ] || { echo "$recorder is not there: cargo build --release -p peermon-collector --example record" >&2; exit 1; }
if [ "$1" = all ]; then
    for l in $LOADS; do "$0" "$l" "$2" "$3/$l.trace"; done
elif [[ " $LOADS " = *" $1 "* ]]; then
    record "$2" "$3"
else
    echo "there is no load $1; there are: $LOADS" >&2
    exit 2
fi
