#!/bin/sh
# A shell, with nothing but OpenSSL, in lines of text. SECURE_CLIENT_TOKEN=… examples/openssl.sh
host="${SECURE_HOST:-localhost}"
printf '%s\n' "AUTH $SECURE_CLIENT_TOKEN" "ECHO hello from openssl" "WHOAMI" "EXIT" |
    openssl s_client -quiet -verify_return_error -verify_hostname "$host" -CAfile "${SECURE_CA:-certs/ca.pem}" \
        -connect "$host:${SECURE_PORT:-5000}" 2>/dev/null
