#!/bin/sh
# Makes ./secrets, which docker-compose.yml hands to the containers: one file for each secret, drawn at random. A file that
# is there stays as it is. MIDTRANS_SERVER_KEY is taken from the environment; without it, it is the simulator's.
set -eu
folder="${1:-secrets}"
mkdir -p "$folder"
# Nobody else on this machine comes into the folder. In a container, the file alone is there, for a user of another number.
chmod 700 "$folder"

draw() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
keep() {
    if [ ! -s "$folder/$1" ]; then
        printf '%s\n' "$2" >"$folder/$1"
        chmod 444 "$folder/$1"
        echo "made $folder/$1"
    fi
}

keep owner_password "$(draw)"
keep service_password "$(draw)"
keep redis_password "$(draw)"
keep grafana_password "$(draw)"
keep kasir_secret "$(draw)"
keep data_keys "k1:$(head -c 32 /dev/urandom | base64 | tr -d '\n')"
keep api_keys "web=$(draw)"
keep midtrans_server_key "${MIDTRANS_SERVER_KEY:-SB-Mid-server-simulator}"
keep owner_url "postgres://kasir_owner:$(cat "$folder/owner_password")@db/kasir"
keep service_url "postgres://kasir:$(cat "$folder/service_password")@db/kasir"
keep redis_url "redis://:$(cat "$folder/redis_password")@redis/"
