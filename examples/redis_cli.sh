#!/bin/sh
# A shell, with redis-cli: apt-get install redis-tools. SECURE_CLIENT_TOKEN=… examples/redis_cli.sh
export REDISCLI_AUTH="$SECURE_CLIENT_TOKEN" # not in argv, which every user of the machine can read
exec redis-cli --tls --cacert "${SECURE_CA:-certs/ca.pem}" \
    -h "${SECURE_HOST:-localhost}" -p "${SECURE_PORT:-5000}" <<'COMMANDS'
ECHO "hello from redis-cli"
WHOAMI
COMMANDS
