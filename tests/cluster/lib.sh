# Shared by up, down and as-user: names, ports, and how a daemon is started, watched and stopped.
# shellcheck shell=bash disable=SC2034

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CLUSTER=${SLURM_SDK_TEST_CLUSTER:-/var/lib/slurm-sdk-test-cluster}
TEST_USER=${SLURM_SDK_TEST_USER:-slurmtest}
NODES=(n1 n2 n3 n4)
HOST=$(hostname -s)

# Below the ephemeral range, and away from the defaults of a Slurm or sshd that lives here anyway.
PORT_BASE=${SLURM_SDK_TEST_PORT_BASE:-27100}
CTLD_PORT=$PORT_BASE
DBD_PORT=$((PORT_BASE + 1))
SSH_PORT=$((PORT_BASE + 2))
SLURMD_PORTS="$((PORT_BASE + 11))-$((PORT_BASE + 13))"
N4_PORT=$((PORT_BASE + 14))

CONF=$CLUSTER/etc/slurm.conf
LOGS=$CLUSTER/log
PIDS=$CLUSTER/pid
MUNGE_SOCKET=$CLUSTER/munge/socket
DB_SOCKET=$CLUSTER/mysql.sock

# In the order of start; stopped the other way round.
DAEMONS=(munged mariadbd slurmdbd slurmctld "${NODES[@]/#/slurmd-}" sshd)

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH

say() { echo "cluster: $*" >&2; }

# fail MESSAGE [DAEMON]: the end, with the tail of the daemon's log.
fail() {
    say "error: $1"
    if [[ -n ${2-} && -s $LOGS/$2.out ]]; then
        echo "--- last lines of $LOGS/$2.out" >&2
        tail -n 20 "$LOGS/$2.out" >&2
    fi
    exit 1
}

require_root() {
    ((EUID == 0)) || fail "$(basename "$0") must run as root: it starts daemons and switches users"
}

# One up or down at a time. The daemons must not inherit descriptor 9, or they would keep the lock.
lock() {
    exec 9>/run/lock/slurm-sdk-test-cluster.lock
    flock --wait 120 9 || fail "another up or down has been busy for two minutes"
}

# What the calling shell exports must not change what our own Slurm commands print.
slurm_environment() {
    unset "${!SINFO_@}" "${!SQUEUE_@}" "${!SCANCEL_@}" SLURM_CLUSTERS SLURM_TIME_FORMAT
    export SLURM_CONF=$CONF LC_ALL=C.UTF-8
}

# True while one of the pids is there. Not kill -0: a zombie that nobody reaps answers that for ever. Nor the
# command line, which is empty for a moment while a process starts another program in its place.
running() {
    local pid state
    for pid; do
        { state=$(<"/proc/$pid/stat"); } 2>/dev/null || continue
        [[ ${state##*) } == [ZX]* ]] || return 0
    done
    return 1
}

# Prints a daemon's pid if it is alive, and ours: pids are reused, above all after a reboot.
pid_of() {
    local pid
    pid=$(cat "$PIDS/$1" 2>/dev/null) || return 1
    grep -qsF "$CLUSTER" "/proc/$pid/cmdline" "/proc/$pid/environ" && echo "$pid"
}

alive() { pid_of "$1" >/dev/null; }

# launch DAEMON COMMAND...: in the foreground mode of the daemon, in the background of a session of its own,
# so that its pid is known at once and an early death is noticed. Descriptors 3 (up's stdout) and 9 (lock) stay here.
launch() {
    local name=$1
    shift
    say "starting $name"
    setsid env -i PATH="$PATH" LC_ALL=C.UTF-8 SLURM_CONF="$CONF" MYSQL_UNIX_PORT="$DB_SOCKET" "$@" \
        </dev/null >"$LOGS/$name.out" 2>&1 3>&- 9>&- &
    echo $! >"$PIDS/$name"
}

# wait_for SECONDS DAEMON COMMAND...: until the command succeeds; the daemon's death ends it early.
wait_for() {
    local deadline=$((SECONDS + $1)) name=$2 output
    shift 2
    until output=$("$@" 2>&1); do
        running "$(cat "$PIDS/$name")" || fail "$name has died" "$name"
        ((SECONDS < deadline)) || fail "$name is not ready in time: $* ${output:+says: $output}" "$name"
        sleep 0.05
    done
}

# Waits until none of the pids is left, or the seconds are over.
wait_gone() {
    local deadline=$((SECONDS + $1))
    shift
    while running "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

stop() {
    local pid
    pid=$(pid_of "$1") || return 0
    say "stopping $1"
    kill "$pid" 2>/dev/null || true
    if ! wait_gone 15 "$pid"; then
        kill -KILL "$pid" 2>/dev/null || true
        wait_gone 5 "$pid" || fail "$1 (pid $pid) cannot be killed" "$1"
    fi
    rm -f "$PIDS/$1"
}

no_running_jobs() { [[ -z $(squeue --noheader --states=running,completing,suspended --format=%A) ]]; }

# Jobs are cancelled first, or they would come back at the next start as lost ones.
cancel_jobs() {
    alive slurmctld && alive munged || return 0
    timeout 5 scancel --user="$TEST_USER" --quiet &>/dev/null || true
    timeout 5 scancel --user=root --quiet &>/dev/null || true
    local deadline=$((SECONDS + 10))
    until no_running_jobs 2>/dev/null || ((SECONDS >= deadline)); do sleep 0.05; done
}

# Pids of what outlives the daemons: step managers, and the processes of jobs and of SSH sessions.
leftovers() {
    local file
    grep -lsPaz "^SLURM_CONF=\Q$CLUSTER/etc/\E" /proc/[0-9]*/environ | while read -r file; do
        if grep -qsPaz "^SLURMD_NODENAME=|^SSH_CONNECTION=.* $SSH_PORT$" "$file" ||
            grep -qsx slurmstepd "${file%environ}comm"; then
            file=${file#/proc/}
            echo "${file%/environ}"
        fi
    done
}

stop_all() {
    local index pids listener
    cancel_jobs
    # The monitors of SSH sessions are children of the listener and survive it.
    pids=()
    if listener=$(pid_of sshd); then mapfile -t pids < <(pgrep -P "$listener"); fi
    for ((index = ${#DAEMONS[@]} - 1; index >= 0; index--)); do
        stop "${DAEMONS[index]}"
    done
    mapfile -t -O "${#pids[@]}" pids < <(leftovers)
    if ((${#pids[@]})); then
        kill -KILL "${pids[@]}" 2>/dev/null || true
        wait_gone 5 "${pids[@]}" || fail "some processes cannot be killed: ${pids[*]}"
    fi
}
