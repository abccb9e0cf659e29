#!/bin/sh
# Addresses that hold a password come as files (NAME_FILE); the programs read NAME. Then the program itself runs.
set -eu
for name in AIGC_REDIS_URL AIGC_DATABASE_URL; do
    eval "file=\${${name}_FILE:-}"
    if [ -n "$file" ]; then
        value=$(cat "$file")
        export "$name=$value"
        unset "${name}_FILE"
    fi
done
exec "$@"
