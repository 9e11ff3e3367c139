# What all scripts begin with. Debian's and the official images keep the programs out of PATH.
for folder in /usr/lib/postgresql/*/bin; do
  [ -d "$folder" ] && PATH="$folder:$PATH"
done
export PATH
export PGDATA=/data/pgdata
