# What both variants share: the settings of the house, and a gateway that knows the charges of the seeded payments.

# Everything comes from the environment, as in production.
house() {
  API_KEY=bench-api-key-of-kasir # one that is long enough
  export KASIR KASIR_ADDR=127.0.0.1:$PORT KASIR_CONFIG=${KASIR_CONFIG:-$PWD/kasir.toml} API_KEYS=bench=$API_KEY
  export MIDTRANS_CLIENT_KEY=SB-Mid-client-bench KASIR_SECRET=a-secret-of-the-benchmark-and-of-nothing-else
  export RUST_LOG=${RUST_LOG:-warn}
}

# Kasir believes no notification and asks the gateway, so the gateway must know the payments, and that they are settled.
charges_known() {
  local p
  for ((p = 1; p <= PAYMENTS; p++)); do
    [ "$p" = 1 ] || echo next
    printf 'url = "%s/v2/charge"\noutput = "/dev/null"\nheader = "authorization: Basic bench"\n' "$MIDTRANS_BASE_URL"
    printf 'data = "{\\"payment_type\\":\\"bank_transfer\\",\\"bank_transfer\\":{\\"bank\\":\\"bca\\"},'
    printf '\\"transaction_details\\":{\\"order_id\\":\\"INV-%08d\\",\\"gross_amount\\":%d}}"\n' "$p" $((500000 + p % 50 * 1000))
  done | curl -fsS -K -
  curl -fsS -XPOST "$MIDTRANS_BASE_URL/_stub?status=settlement" >/dev/null
}

# The generator of load looks for `token` in the answer to a login, and Kasir calls it `accessToken`.
GENERATOR=$LOAD LOAD=load_on_kasir
load_on_kasir() {
  [ "$1" = tokens ] || { "$GENERATOR" "$@"; return; }
  local i
  for ((i = 1; i <= ACTIVE; i++)); do
    curl -fsS -XPOST "http://127.0.0.1:$PORT/api/login" -H 'content-type: application/json' \
      -d "{\"email\":\"user$i@kost.test\",\"password\":\"password\"}" | sed 's/.*"accessToken":"\([^"]*\)".*/\1/'
    echo
  done | grep . >"$DIR/tokens"
}
