//! What a newcomer reads after `cargo run`: where everything is, and how to pay a bill.

use std::net::SocketAddr;

use domain::{BillId, Rank, Role, Secret};
use kasir::demo::Login;

/// What there is to print.
pub(crate) struct Demo<'a> {
    pub(crate) kasir: SocketAddr,
    pub(crate) simulator: &'a str,
    pub(crate) logins: &'a [Login],
    pub(crate) api_key: &'a Secret,
    pub(crate) bill: Option<BillId>,
}

pub(crate) fn print(demo: &Demo<'_>) {
    let Demo { kasir, simulator, logins, api_key, bill } = demo;
    println!("Kasir        http://{kasir}");
    println!("Dashboard    http://{kasir}/admin   (log in as the admin below)");
    println!("Simulator    {simulator}   (Midtrans on this machine: pay, expire, deny, break things)");
    println!();
    print_logins(logins);
    println!("x-api-key  {}", api_key.expose());
    println!();
    let Some(budi) = logins.first() else { return };
    let who = format!("-H 'email: {}' -H 'password: {}'", budi.email, budi.password.expose());
    let Some(bill) = bill else {
        println!(
            "{} has paid everything. Remove kasir.db and kasir.simulator.json to start afresh.",
            budi.email
        );
        return;
    };
    println!("Pay a bill, from another terminal:");
    println!();
    println!("  curl -s http://{kasir}/api/bills {who}");
    println!();
    println!("  INVOICE=$(curl -s http://{kasir}/api/bills/{bill}/pay {who} \\");
    println!("    -H 'x-api-key: {}' -H 'content-type: application/json' \\", api_key.expose());
    println!(
        "    -d '{{\"payment\":\"bca\"}}' | sed 's/.*\"invoice\":\"\\([^\"]*\\)\".*/\\1/'); echo $INVOICE"
    );
    println!();
    println!("  curl -s http://{kasir}/api/payment/$INVOICE {who}");
    println!();
    println!("  curl -s -X POST {simulator}/sim/transactions/$INVOICE/settle");
    println!();
    println!("  curl -s http://{kasir}/api/payment/$INVOICE {who}");
    println!();
    println!("Or open {simulator} and press Pay. Ctrl-C stops everything.");
}

pub(crate) fn print_logins(logins: &[Login]) {
    for login in logins {
        // Of admins who may not do everything it is said.
        let may = match (login.role, login.rank) {
            (Role::Admin, Rank::Viewer) => "   (looks only)",
            (Role::Admin, Rank::Staff) => "   (daily work)",
            (Role::Admin, Rank::Owner) | (Role::Tenant, _) => "",
        };
        let (role, password) = (login.role.as_str(), login.password.expose());
        println!("{role:<7} email: {:<20} password: {password}{may}", login.email);
    }
}
