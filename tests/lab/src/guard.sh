#!/bin/sh
# Removes labs, whole, however their owners ended.
#
#   guard.sh watch DIRECTORY   wait until standard input closes, then remove the lab in DIRECTORY
#   guard.sh sweep BASE        remove the labs in BASE whose owners are dead
#
# A lab is a directory olab-PID-NUMBER; PID is its owner, and the file `owner` in it holds when that process
# started, since process ids come again. To the lab belong:
#
#   processes   with ORCHESTRATOR_LAB=olab-PID-NUMBER in their environment, in its cgroups, in its network
#               namespaces, and the descendants of all these
#   namespaces  /run/netns/olab-PID-NUMBER-*
#   cgroups     olab-PID-NUMBER at the top of any hierarchy
#
# Everything here may be repeated, and may run beside another guard that removes the same lab.
# What is still there at the end is written to standard output, one thing a line; nothing is good.

# Whoever reads along may be gone, and a Ctrl-C is meant for the owner.
trap '' HUP INT PIPE TERM

# Every process: id, parent, state, start. The name in parentheses may hold anything, also parentheses.
table() {
    cat /proc/[0-9]*/stat 2>/dev/null | awk '{ pid = $1; sub(/^.*\) /, ""); print pid, $2, $1, $20 }'
}

# Ids of the processes of lab $1, apart from its owner.
processes() {
    {
        grep -lsz "^ORCHESTRATOR_LAB=$1\$" /proc/[0-9]*/environ | cut -d/ -f3
        grep -ls ":/$1\(/.*\)\?\$" /proc/[0-9]*/cgroup | cut -d/ -f3
        for namespace in /run/netns/"$1"-*; do
            [ -e "$namespace" ] && ip netns pids "${namespace##*/}" 2>/dev/null
        done
        echo tree
        table
    } | awk -v owner="$(owner "$1")" '
        $1 == "tree" { tree = 1; next }
        !tree        { mine[$1] = 1; next }
                     { parent[$1] = $2; state[$1] = $3 }
        END {
            delete mine[owner]
            do {
                grown = 0
                for (pid in parent)
                    if (!(pid in mine) && pid != owner && parent[pid] in mine) { mine[pid] = 1; grown = 1 }
            } while (grown)
            # A zombie is dead already; it waits for its parent.
            for (pid in mine) if (pid in parent && state[pid] != "Z") print pid
        }'
}

owner() {
    rest=${1#olab-}
    echo "${rest%%-*}"
}

cgroups() {
    for top in /sys/fs/cgroup /sys/fs/cgroup/*; do
        [ -d "$top/$1" ] && echo "$top/$1"
    done
}

remove_processes() {
    # A frozen process does not notice that it was killed.
    for cgroup in $(cgroups "$1"); do
        for frozen in $(find "$cgroup" -name freezer.state -o -name cgroup.freeze 2>/dev/null); do
            case $frozen in
                *.state) echo THAWED >"$frozen" ;;
                *) echo 0 >"$frozen" ;;
            esac 2>/dev/null
        done
    done
    tries=0
    while pids=$(processes "$1") && [ -n "$pids" ] && [ $tries -lt 100 ]; do
        # shellcheck disable=SC2086
        kill -KILL $pids 2>/dev/null
        tries=$((tries + 1))
        sleep 0.05
    done
}

remove_namespaces() {
    for namespace in /run/netns/"$1"-*; do
        [ -e "$namespace" ] && ip netns delete "${namespace##*/}" 2>/dev/null
    done
}

remove_cgroups() {
    tries=0
    while [ -n "$(cgroups "$1")" ] && [ $tries -lt 40 ]; do
        for cgroup in $(cgroups "$1"); do
            find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
        done
        [ -z "$(cgroups "$1")" ] || sleep 0.05
        tries=$((tries + 1))
    done
}

# Mount points below directory $1, the deepest first.
mounts() {
    awk -v top="$1/" 'index($2, top) == 1 { print $2 }' /proc/mounts | sort -r
}

remove_directory() {
    for mount in $(mounts "$1"); do
        umount -l "$mount" 2>/dev/null
    done
    rm -rf --one-file-system "$1" 2>/dev/null
}

remove_lab() {
    lab=${1##*/}
    remove_processes "$lab"
    remove_namespaces "$lab"
    remove_cgroups "$lab"
    remove_directory "$1"

    for pid in $(processes "$lab"); do
        echo "process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
    done
    for namespace in /run/netns/"$lab"-*; do
        [ -e "$namespace" ] && echo "namespace $namespace"
    done
    cgroups "$lab" | sed 's/^/cgroup /'
    mounts "$1" | sed 's/^/mount /'
    [ -e "$1" ] && echo "directory $1"
    return 0
}

# Whether the owner of the lab in directory $1 is alive.
owned() {
    start=$(table | awk -v pid="$(owner "${1##*/}")" '$1 == pid && $3 != "Z" { print $4 }')
    [ -n "$start" ] || return 1
    # A lab that has just been made has not got round to writing it yet.
    [ -s "$1/owner" ] || return 0
    [ "$start" = "$(cat "$1/owner" 2>/dev/null)" ]
}

case $1 in
    watch)
        cat >/dev/null
        remove_lab "$2"
        ;;
    sweep)
        for directory in "$2"/olab-*-*; do
            [ -d "$directory" ] && [ -O "$directory" ] || continue
            owned "$directory" || remove_lab "$directory"
        done
        ;;
    *)
        echo "usage: $0 watch DIRECTORY | sweep BASE" >&2
        exit 64
        ;;
esac
