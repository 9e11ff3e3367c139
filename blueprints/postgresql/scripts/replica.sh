# Starts the replica; on the first start it copies the primary.
set -eu
. /scripts/common.sh
remote replication /credentials/replication
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  rm -rf "$PGDATA.new"
  pg_basebackup -D "$PGDATA.new" --wal-method=stream --slot=replica --checkpoint=fast
  touch "$PGDATA.new/standby.signal"
  mv "$PGDATA.new" "$PGDATA"
fi
# Mounting a volume may have let its group write, which the server refuses.
chmod 0700 "$PGDATA"
exec postgres -D "$PGDATA" -c config_file=/scripts/postgresql.conf -c hba_file=/scripts/pg_hba.conf \
  -c primary_slot_name=replica -c "primary_conninfo=host=$PRIMARY user=replication \
passfile=/tmp/pgpass sslmode=verify-ca sslrootcert=$AUTHORITY application_name=replica"
