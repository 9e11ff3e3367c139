# Whether it answers over TLS with the password.
set -eu
client=redis-cli
if command -v valkey-cli > /dev/null; then
  client=valkey-cli
fi
export REDISCLI_AUTH="$(cat /credentials/password)"
export VALKEYCLI_AUTH="$REDISCLI_AUTH"
[ "$("$client" --tls --cacert /credentials/tls.crt -h "$HOST" --sni "$HOST" ping)" = PONG ]
