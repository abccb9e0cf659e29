#!/bin/sh
# Makes the secrets that compose.yaml mounts, once: sh deploy/docker/make-secrets.sh
set -eu
cd "$(dirname "$0")/../.."
folder=data/secrets
if [ -e "$folder/secret_key" ]; then
    echo "$folder is there already and is left as it is."
    exit 0
fi
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
redis=$(random)
postgres=$(random)
mkdir -p "$folder"
# The containers' user must read the files; nobody else on this machine gets into the folder.
chmod 700 data "$folder"
printf '%s' "$(random)" >"$folder/secret_key"
printf '%s' "$redis" >"$folder/redis_password"
printf '%s' "redis://:$redis@redis:6379/0" >"$folder/redis_url"
printf '%s' "$postgres" >"$folder/postgres_password"
printf '%s' "postgres://aigc:$postgres@postgres:5432/aigc" >"$folder/database_url"
chmod 644 "$folder"/*
echo "Made the secrets in $folder. Keep a copy of them with your backups."
