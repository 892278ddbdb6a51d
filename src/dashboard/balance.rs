//! `/admin/balance`: the trial balance of the journal, and whether the journal says what the payments say.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::html;
use store::journal::{self, Balance, COMPARED_MAX};

use super::layout;
use super::parts::{Table, flow};
use super::session::Visitor;
use super::words;
use crate::http::{App, Problem};

/// Payments that are named when the journal does not agree with them.
const NAMED: i64 = 20;

pub(super) async fn show(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let balances = journal::trial_balance(&app.db).await?;
    let drifted = journal::drifted_of_newest(&app.db, NAMED).await?;
    let (v, sum) = (&visitor, balances.iter().map(Balance::net).sum::<i64>());
    let rows = balances.iter().map(|one| {
        vec![
            html! { (words::account(&v.view, one.account.as_str())) },
            flow(one.debit),
            flow(one.credit),
            flow(one.net()),
        ]
    });
    let body = html! {
        @if sum == 0 && drifted.is_empty() {
            p.notice.good {
                (v.t("Jumlahnya nol, dan jurnal sepakat dengan pembayaran terbaru, paling banyak", "The sum is nothing, and the journal agrees with the newest payments, at most"))
                " " (COMPARED_MAX) "; " (v.t("semuanya dibandingkan oleh", "all of them are compared by")) " " code { "kasir balance" } "."
            }
        } @else {
            p.notice.bad role="alert" {
                (v.t("Jurnal tidak beres. Jumlah:", "The journal is not in order. Sum:")) " " (flow(sum)) ". "
                @for id in &drifted { "#" (id) " " }
            }
        }
        (Table {
            name: v.t("Neraca saldo", "Trial balance"),
            heads: &[v.t("Akun", "Account"), v.t("Debit", "Debit"), v.t("Kredit", "Credit"), v.t("Saldo", "Balance")],
            rows: rows.collect(),
            empty: v.t("Belum ada yang dibukukan.", "Nothing was posted yet."),
        }.show())
    };
    Ok(layout::page(v, v.t("Neraca saldo", "Trial balance"), &body))
}
