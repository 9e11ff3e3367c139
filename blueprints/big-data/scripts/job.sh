# Runs a program of the volume: SQL by DuckDB, anything else by Python.
set -eu
cd /data
case "$PROGRAM" in
  *.sql) exec python3 /scripts/run_sql.py "$PROGRAM" ;;
  *) exec python3 "$PROGRAM" ;;
esac
