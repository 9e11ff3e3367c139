# Brings databases, users and credentials to what was ordered; may be run again at any time.
set -eu
. /scripts/common.sh
remote postgres /credentials/superuser
answers
run() {
  psql -X -q -v ON_ERROR_STOP=1 -o /dev/null "$@"
}
run -d postgres -f /sql/roles.sql
for file in /sql/database-*.sql; do
  name=${file#/sql/database-}
  run -d "${name%.sql}" -f "$file"
done
# What nobody wants any more goes: first it may not sign in, then its work is ended, then what it
# owns goes to its heir, in every database.
psql -X -At -F ' ' -v ON_ERROR_STOP=1 -d postgres -f /sql/stale.sql > /tmp/stale
while read -r role heir; do
  run -d postgres -c "ALTER ROLE \"$role\" NOLOGIN" \
    -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '$role'"
  psql -X -At -d postgres \
    -c "SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1" > /tmp/databases
  while read -r database; do
    run -d "$database" -c "REASSIGN OWNED BY \"$role\" TO \"$heir\"" -c "DROP OWNED BY \"$role\""
  done < /tmp/databases
  run -d postgres -c "DROP ROLE \"$role\""
  echo "removed $role"
done < /tmp/stale
echo "databases and users are as ordered"
