# Whether the server takes connections.
. /scripts/common.sh
exec pg_isready -q -h 127.0.0.1 -p 5432
