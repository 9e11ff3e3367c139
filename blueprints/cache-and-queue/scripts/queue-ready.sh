# Whether it is healthy by its own word, its streams included.
set -eu
if command -v wget > /dev/null; then
  exec wget -q -O /dev/null http://127.0.0.1:8222/healthz
fi
exec python3 -c 'import urllib.request as r; r.urlopen("http://127.0.0.1:8222/healthz", timeout=4)'
