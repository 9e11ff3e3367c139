# Starts the notebook; the token comes from a file, and is in no argument.
set -eu
export JUPYTER_TOKEN="$(cat /credentials/token)"
mkdir -p /data/notebooks
exec python3 -m jupyter server --config=/scripts/jupyter_config.py
