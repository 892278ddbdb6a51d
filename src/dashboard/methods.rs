//! `/admin/methods`: the ways to pay, and which of them tenants are offered.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::{Rank, RuleBook};
use maud::{Markup, html};
use store::methods::{self, Offered};

use super::form::{Form, done};
use super::parts::{Action, Table, money, opt_field, select};
use super::session::Visitor;
use super::{layout, words};
use crate::http::admin::Row;
use crate::http::admin::methods as rest;
use crate::http::{App, Body, Problem};

const HERE: &str = "/admin/methods";

pub(super) async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let offered = methods::all(&app.db).await?;
    let v = &visitor;
    let rows = offered.iter().map(|one| row(v, one, &app.settings.rules)).collect();
    let body = Table {
        name: v.t("Cara bayar", "Payment methods"),
        heads: &[
            v.t("Nama", "Title"),
            v.t("Kode", "Code"),
            v.t("Keadaan", "State"),
            v.t("Paling sedikit", "Least"),
            v.t("Paling banyak", "Most"),
            v.t("Tindakan", "Actions"),
        ],
        rows,
        empty: v.t("Belum ada cara bayar.", "There is no payment method yet."),
    };
    Ok(layout::page(v, v.t("Cara bayar", "Payment methods"), &body.show()))
}

fn row(v: &Visitor, offered: &Offered, rules: &RuleBook) -> Vec<Markup> {
    let Offered { id, method, title, active, .. } = offered;
    let limits = rules.of(*method);
    let (state, word) = match active {
        true => ("active", v.t("ditawarkan", "offered")),
        false => ("calm", v.t("dimatikan", "switched off")),
    };
    let offers = [("true", v.t("Tawarkan", "Offer")), ("false", v.t("Matikan", "Switch off"))];
    let change = Action {
        to: &format!("{HERE}/{id}"),
        name: v.t("Ubah", "Change"),
        object: title,
        help: v.t(
            "Pembayaran yang sudah berjalan tidak terpengaruh.",
            "Payments that are under way are not touched.",
        ),
        rank: Rank::Owner,
        needs_reason: true,
        fields: html! {
            (opt_field("title", v.t("Nama", "Title"), "text", title))
            (opt_field("place", v.t("Urutan (1 paling atas)", "Place (1 is on top)"), "number", ""))
            (select("active", v.t("Keadaan", "State"), &offers, Some(if *active { "true" } else { "false" })))
        },
    };
    vec![
        html! { (title) },
        html! { code { (method.code()) } },
        words::mark(state, word),
        money(limits.min),
        money(limits.max),
        change.show(v),
    ]
}

pub(super) async fn change(State(app): State<Arc<App>>, row: Row, form: Form) -> Result<Response, Problem> {
    let owner = form.visitor.owner()?;
    form.reason()?;
    let patch = rest::Patch {
        active: form.fields.read("active")?,
        title: form.fields.text("title"),
        place: form.fields.read("place")?,
        why: form.why(),
    };
    let _method = rest::change(State(app), owner, row, Body(patch)).await?;
    Ok(done(HERE, "changed"))
}
