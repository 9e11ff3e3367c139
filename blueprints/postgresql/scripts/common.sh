# What all scripts begin with. Debian's and the official images keep the programs out of PATH.
for folder in /usr/lib/postgresql/*/bin; do
  [ -d "$folder" ] && PATH="$folder:$PATH"
done
export PATH
export PGDATA=/data/pgdata

# remote USER FILE: speak to the primary as this user, whose password is in the file.
remote() {
  umask 077
  printf '%s:5432:*:%s:%s\n' "$PRIMARY" "$1" "$(cat "$2")" > /tmp/pgpass
  export PGPASSFILE=/tmp/pgpass PGHOST="$PRIMARY" PGUSER="$1" PGCONNECT_TIMEOUT=10
  export PGSSLMODE=verify-ca PGSSLROOTCERT="$AUTHORITY"
}

# answers: wait until the primary takes connections, at most five minutes.
answers() {
  n=0
  until psql -d postgres -Atc 'SELECT 1' > /dev/null 2>&1; do
    n=$((n + 1))
    if [ "$n" -ge 150 ]; then
      echo "$PRIMARY does not answer" >&2
      psql -d postgres -Atc 'SELECT 1' || exit 1
    fi
    sleep 2
  done
}
