# What the scripts beside this one share, to be sourced: how they speak, and a private PostgreSQL. The sourcing script makes
# the folder $scratch, and calls stop_postgres at its end.

host=127.0.0.1
# Of the private server: where it keeps its data, and its address; empty while there is none.
database='' postgres_url=''

say() { printf 'ops/%s: %s\n' "${0##*/}" "$*"; }
fail() { say "$*" >&2; exit 1; }

# step NAME COMMAND...: quiet when it goes well, the whole log when it does not.
step() {
    local name=$1 log=$scratch/step.log start=$SECONDS code=0
    shift
    "$@" >"$log" 2>&1 || code=$?
    if [ "$code" != 0 ]; then
        cat "$log" >&2
        fail "$name failed (exit code $code)"
    fi
    say "$name: ok ($((SECONDS - start)) s)"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# PostgreSQL refuses to run as root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && exec runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Debian and Ubuntu keep the server's programs out of the PATH.
find_postgres() {
    local found
    found=$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1)
    [ -n "$found" ] || found=$(command -v initdb) || return 1
    pg=$(dirname "$(readlink -f "$found")")
}

need_postgres() {
    if ! find_postgres; then
        say "installing postgresql"
        command -v apt-get >/dev/null || fail "PostgreSQL's initdb is missing, and there is no apt-get to install it"
        step "apt-get update" as_root apt-get -qq update
        step "apt-get install postgresql" \
            as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends postgresql
        find_postgres || fail "PostgreSQL was installed and initdb is still missing"
    fi
    if [ "$(id -u)" = 0 ] && ! id -u postgres >/dev/null 2>&1; then
        fail "PostgreSQL does not run as root, and there is no user postgres"
    fi
}

# A private server on the loopback. It flushes as a real one does.
start_postgres() {
    local port tries
    mkdir "$scratch/postgres"
    [ "$(id -u)" != 0 ] || chown postgres "$scratch/postgres"
    as_postgres "$pg/initdb" -D "$scratch/postgres/data" -U postgres -A trust -E UTF8 --locale=C
    database=$scratch/postgres/data
    # Somebody else may take the port between the look and the start.
    for tries in 1 2 3; do
        port=$(free_port)
        if as_postgres "$pg/pg_ctl" -D "$database" -l "$scratch/postgres/log" -w -t 60 start \
            -o "-c listen_addresses=$host -p $port -k '' -c fsync=on -c max_connections=400"; then
            postgres_url=postgres://postgres@$host:$port
            return
        fi
        cat "$scratch/postgres/log"
    done
    return 1
}

stop_postgres() {
    [ -z "$database" ] || as_postgres "$pg/pg_ctl" -D "$database" -m immediate -w stop >/dev/null 2>&1
}
