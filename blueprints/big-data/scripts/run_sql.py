"""Run a file of SQL by DuckDB, with all that the pod may use, and print what it answers."""

import os
import sys
from pathlib import Path

import duckdb

connection = duckdb.connect()
connection.execute("SET home_directory = '/tmp'")
connection.execute("SET temp_directory = '/tmp/duckdb'")
limit = Path("/sys/fs/cgroup/memory.max")
most = limit.read_text().strip() if limit.is_file() else "max"
if most.isdigit():
    # The rest is for Python and for what DuckDB does not count.
    connection.execute(f"SET memory_limit = '{int(most) * 3 // 4} B'")
if "BUCKET" in os.environ:
    endpoint = os.environ["AWS_ENDPOINT_URL_S3"]
    bare = endpoint.partition("://")[2].rstrip("/")
    connection.execute("SET s3_endpoint = ?", [bare])
    connection.execute("SET s3_url_style = 'path'")
    connection.execute("SET s3_use_ssl = ?", [endpoint.startswith("https")])
    connection.execute("SET s3_access_key_id = ?", [os.environ.get("AWS_ACCESS_KEY_ID", "")])
    connection.execute(
        "SET s3_secret_access_key = ?", [os.environ.get("AWS_SECRET_ACCESS_KEY", "")]
    )
for statement in connection.extract_statements(Path(sys.argv[1]).read_text(encoding="utf-8")):
    answer = connection.execute(statement)
    if answer.description:
        for row in answer.fetchall():
            sys.stdout.write("\t".join(map(str, row)) + "\n")
