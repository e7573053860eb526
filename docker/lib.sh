# Shared by the scripts that build images of Debian's packages. It is sourced, after `here` is set.
# shellcheck shell=bash disable=SC2154  # host, tag, image and work are of the script that sources it

fail() {
    echo "${0##*/}: $1" >&2
    exit "${2:-1}"
}

say() { echo "${0##*/}: $1" >&2; }

need() { command -v "$1" >/dev/null || fail "$1 is missing: apt-get install $2"; }

# A tar archive of directory $1 with times $2, the same for the same content. Further arguments go to tar.
pack() {
    local directory=$1 time=$2
    shift 2
    tar --directory "$directory" --sort=name --mtime="@$time" --numeric-owner "$@"
}

# Copies a program out of the tree $1 into the layer $2, with the libraries it is linked with.
pick() {
    local tree=$1 layer=$2 program=$3 interpreter loader libraries library
    install -D "$tree$program" "$layer/usr/${program#/usr/}"
    read -r interpreter < <(LC_ALL=C grep -aoE '/lib[[:alnum:]]*/ld-linux[[:alnum:]._-]+' "$tree$program")
    loader=$(find "$tree" -type f -name "${interpreter##*/}" -print -quit)
    install -D "$loader" "$layer/usr$interpreter"
    libraries=$(find "$tree" -maxdepth 3 -type d -name '*-linux-gnu*' | paste -sd:)
    for library in $("$loader" --library-path "$libraries" --list "$tree$program" | awk '$2 == "=>" { print $3 }'); do
        install -D -m 644 "$library" "$layer/usr/lib/${library##*/}"
    done
}

digest() { sha256sum "$1" | cut -d' ' -f1; }

ask_engine() { curl --silent --show-error --unix-socket "${host#unix://}" "$@"; }

load() {
    need curl curl
    local answer
    answer=$(ask_engine "http://engine/images/$tag/json") || fail "no engine answers on $host; start it, or name another with --host"
    if [[ $answer == *"\"Id\":\"sha256:$image\""* ]]; then
        say "$tag is on the engine already"
        return
    fi
    answer=$(ask_engine --request POST --header 'Content-Type: application/x-tar' --upload-file "$work/image.tar" 'http://engine/images/load?quiet=1')
    [[ $answer != *error* ]] || fail "the engine does not load the image: $answer"
    say "$tag is on the engine at $host"
}
