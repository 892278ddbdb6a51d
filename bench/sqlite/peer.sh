# Kasir on a bare machine, as the benchmark measures it: one process, SQLite, no Redis. Sourced by its run.sh.
DB=none REDIS=0 AUTH=${KASIR_BENCH_AUTH:-bearer}
SQL_PAID="SELECT count(*) FROM payments WHERE state='paid'"
SQL_CHARGED="SELECT count(*) FROM payments WHERE transaction_id IS NOT NULL"
KASIR=${KASIR_BENCH_BIN:-${CARGO_TARGET_DIR:-$PWD/../../target}/release/kasir}
KASIR_CONFIG=$PWD/../kasir.toml
. ../house.sh
build() { [ -n "${KASIR_BENCH_BIN:-}" ] || cargo build --release --manifest-path ../../Cargo.toml; }
seed() {
  export DATABASE_URL=sqlite://$DIR/kasir.db KASIR_CONFIG
  unset REDIS_URL
  SQL_CMD="sqlite3 -batch -cmd '.timeout 5000' $DIR/kasir.db"
  house
  "$KASIR" migrate >/dev/null
  echo password | "$KASIR" admin create --email admin@kost.test --name Admin >/dev/null
  { printf '.parameter set :users %d\n.parameter set :payments %d\n' "$USERS" "$PAYMENTS"
    printf '.parameter set :bills %d\n.parameter set :active %d\n' "$BILLS" "$ACTIVE"
    printf '.parameter set :now %d\n' "$(date +%s000)"; cat seed.sql; } | sqlite3 -batch -bail "$DIR/kasir.db"
  charges_known
}
start() { exec "$KASIR" serve; }
