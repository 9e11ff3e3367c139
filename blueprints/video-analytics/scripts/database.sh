# Starts the server; on the first start it makes the files and the workload's database.
set -eu
. /scripts/common.sh
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  # Made beside, and moved when whole: a start that was cut off leaves nothing half.
  rm -rf "$PGDATA.new"
  initdb -D "$PGDATA.new" --username=postgres --auth-local=peer --auth-host=scram-sha-256 \
    --encoding=UTF8 --locale=C.UTF-8 --data-checksums
  password=$(cat /credentials/database-password)
  printf "CREATE ROLE %s LOGIN PASSWORD '%s';\n" "$DATABASE_NAME" "$password" > /tmp/first.sql
  printf 'CREATE DATABASE %s OWNER %s;\n' "$DATABASE_NAME" "$DATABASE_NAME" >> /tmp/first.sql
  while IFS= read -r statement; do
    printf '%s\n' "$statement" | postgres --single -j -D "$PGDATA.new" postgres > /dev/null
  done < /tmp/first.sql
  rm -f /tmp/first.sql
  mv "$PGDATA.new" "$PGDATA"
fi
# Mounting a volume may have let its group write, which the server refuses.
chmod 0700 "$PGDATA"
exec postgres -D "$PGDATA" -c config_file=/scripts/postgresql.conf -c hba_file=/scripts/pg_hba.conf
