"""Python, with redis-py. `pip install redis`; then SECURE_CLIENT_TOKEN=… python examples/redis_py.py ."""

import os

import redis

with redis.Redis(
    host=os.environ.get("SECURE_HOST", "localhost"),
    port=int(os.environ.get("SECURE_PORT", "5000")),
    ssl=True,
    ssl_ca_certs=os.environ.get("SECURE_CA", "certs/ca.pem"),
    password=os.environ["SECURE_CLIENT_TOKEN"],
    protocol=3,
    decode_responses=True,
) as client:
    print(client.echo("hello from Python"))
    print(client.execute_command("WHOAMI"))
