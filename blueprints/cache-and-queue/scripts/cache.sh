# Starts the server of the Redis protocol that the image has; the password is in no argument.
set -eu
umask 077
{
  cat /scripts/cache.conf
  printf 'requirepass %s\n' "$(cat /credentials/password)"
} > /tmp/cache.conf
if command -v valkey-server > /dev/null; then
  exec valkey-server /tmp/cache.conf
fi
exec redis-server /tmp/cache.conf
