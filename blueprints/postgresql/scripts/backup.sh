# Dumps every database and the roles, checks the dumps, and removes those that are too old.
set -eu
. /scripts/common.sh
remote postgres /credentials/superuser
answers
umask 077
name=$(date -u +%Y-%m-%dT%H-%M-%SZ)
rm -rf /backups/.new
mkdir /backups/.new
pg_dumpall --globals-only > /backups/.new/globals.sql
psql -X -At -d postgres -c "SELECT datname FROM pg_database \
  WHERE datallowconn AND NOT datistemplate ORDER BY 1" > /tmp/databases
while read -r database; do
  pg_dump -Fc -d "$database" -f "/backups/.new/$database.dump"
  pg_restore --list "/backups/.new/$database.dump" > /dev/null
done < /tmp/databases
mv /backups/.new "/backups/$name"
# The newest one is kept whatever its age.
find /backups -mindepth 1 -maxdepth 1 -name '20*' ! -name "$name" \
  -mmin +"$((KEEP_DAYS * 1440))" -exec rm -rf {} +
echo "kept $name; there are $(find /backups -mindepth 1 -maxdepth 1 -name '20*' | wc -l)"
