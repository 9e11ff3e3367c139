# Starts the server.
set -eu
exec nats-server --config /scripts/queue.conf
