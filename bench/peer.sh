# Kasir as the benchmark measures it: PostgreSQL and Redis, api, worker and scheduler apart. Sourced by its run.sh.
# KASIR_BENCH_AUTH=bearer (or headers): how callers say who they are. KASIR_BENCH_BIN: a program that is built already.
DB=postgres REDIS=1 AUTH=${KASIR_BENCH_AUTH:-bearer}
SQL_PAID="SELECT count(*) FROM payments WHERE state='paid'"
SQL_CHARGED="SELECT count(*) FROM payments WHERE transaction_id IS NOT NULL"
KASIR=${KASIR_BENCH_BIN:-${CARGO_TARGET_DIR:-$PWD/../target}/release/kasir}
. ./house.sh
build() { [ -n "${KASIR_BENCH_BIN:-}" ] || cargo build --release --manifest-path ../Cargo.toml; }
seed() {
  house
  "$KASIR" migrate >/dev/null
  echo password | "$KASIR" admin create --email admin@kost.test --name Admin >/dev/null
  sql -v users="$USERS" -v payments="$PAYMENTS" -v bills="$BILLS" -v active="$ACTIVE" -f seed.sql
  charges_known
}
start() { "$KASIR" worker & "$KASIR" scheduler & exec "$KASIR" api; }
