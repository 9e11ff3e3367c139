# Whether it answers over TLS with the password; by its own address, for the Service leads to it only
# once it is ready.
set -eu
client=redis-cli
if command -v valkey-cli > /dev/null; then
  client=valkey-cli
fi
export REDISCLI_AUTH="$(cat /credentials/password)"
export VALKEYCLI_AUTH="$REDISCLI_AUTH"
[ "$("$client" --tls --cacert /credentials/tls.crt -h 127.0.0.1 --sni "$HOST" ping)" = PONG ]
