//! `/admin/tenants`: who lives in the house, who moves in, moves and moves out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::{Rank, Secret};
use maud::{Markup, html};
use store::tenants::{self, Tenant};

use super::form::{Form, done, missing};
use super::layout;
use super::parts::{Action, Table, cut, field, opt, opt_field, page_of, pager, select};
use super::session::Visitor;
use crate::http::admin::{Perhaps, Row, reminders as wishes, tenants as rest};
use crate::http::{App, Body, Problem};

const HERE: &str = "/admin/tenants";

pub(super) async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let mut found = tenants::list(&app.db, page_of(&visitor.view)).await?;
    let next = cut(&mut found, |tenant| tenant.id.0);
    let v = &visitor;
    let rows = found.iter().map(|tenant| row(v, tenant)).collect();
    let body = html! {
        div.actions { (arriving(v)) }
        (Table {
            name: v.t("Penghuni", "Tenants"),
            heads: &[
                v.t("Nama", "Name"), v.t("Surel", "E-mail"), v.t("Telepon", "Telephone"), v.t("Kamar", "Room"),
                v.t("Sejak", "Since"), v.t("Tindakan", "Actions"),
            ],
            rows,
            empty: v.t("Belum ada penghuni.", "Nobody lives here yet."),
        }.show())
        (pager(&v.view, next))
    };
    Ok(layout::page(v, v.t("Penghuni", "Tenants"), &body))
}

fn arriving(v: &Visitor) -> Markup {
    Action {
        to: HERE,
        name: v.t("Penghuni baru", "New tenant"),
        object: "",
        help: v.t(
            "Tanpa kata sandi, satu dibuat dan ditampilkan sekali.",
            "Without a password, one is drawn and shown once.",
        ),
        rank: Rank::Staff,
        needs_reason: false,
        fields: html! {
            (field("name", v.t("Nama", "Name"), "text"))
            (field("email", v.t("Surel", "E-mail"), "email"))
            (opt_field("phone", v.t("Telepon", "Telephone"), "tel", ""))
            (field("roomCode", v.t("Kode kamar", "Room code"), "text"))
            (field("startDate", v.t("Mulai tinggal", "Moves in on"), "date"))
            (opt_field("password", v.t("Kata sandi", "Password"), "password", ""))
        },
    }
    .show(v)
}

fn row(v: &Visitor, tenant: &Tenant) -> Vec<Markup> {
    let Tenant { id, email, name, phone, start_date, room_code } = tenant;
    let change = Action {
        to: &format!("{HERE}/{id}"),
        name: v.t("Ubah", "Change"),
        object: name,
        help: v.t(
            "Kode kamar lain berarti pindah kamar, mulai tagihan berikutnya.",
            "Another room code means another room, from the next bill on.",
        ),
        rank: Rank::Staff,
        needs_reason: false,
        fields: html! {
            (opt_field("name", v.t("Nama", "Name"), "text", name))
            (opt_field("email", v.t("Surel", "E-mail"), "email", email.as_str()))
            (opt_field("phone", v.t("Telepon", "Telephone"), "tel", phone.as_deref().unwrap_or_default()))
            (opt_field("roomCode", v.t("Kode kamar", "Room code"), "text", room_code))
        },
    };
    let leave = Action {
        to: &format!("{HERE}/{id}/remove"),
        name: v.t("Keluarkan", "Move out"),
        object: name,
        help: v.t(
            "Kamarnya menjadi kosong, pembayaran yang berjalan dibatalkan di Midtrans.",
            "The room becomes free; payments under way are cancelled at the gateway.",
        ),
        rank: Rank::Staff,
        needs_reason: true,
        fields: html! {},
    };
    vec![
        html! { (name) },
        html! { (email) },
        opt(phone.as_deref()),
        html! { (room_code) },
        html! { (start_date) },
        html! {
            a href={ "/admin/payments?tenant=" (id) } aria-label={ (v.t("Pembayaran", "Payments")) " " (name) } { (v.t("Pembayaran", "Payments")) }
            (change.show(v)) (reminding(v, tenant)) (leave.show(v))
        },
    ]
}

fn reminding(v: &Visitor, tenant: &Tenant) -> Markup {
    let as_before = v.t("Tetap", "As before");
    Action {
        to: &format!("{HERE}/{}/reminders", tenant.id),
        name: v.t("Pengingat", "Reminders"),
        object: &tenant.name,
        help: v.t("Pengingat tagihan, dan bahasanya.", "Reminders of bills, and their language."),
        rank: Rank::Staff,
        needs_reason: false,
        fields: html! {
            (select("reminders", v.t("Diingatkan", "Reminded"),
                &[("", as_before), ("yes", v.t("Ya", "Yes")), ("no", v.t("Tidak", "No"))], None))
            (select("language", v.t("Bahasa", "Language"),
                &[("", as_before), ("id", "Bahasa Indonesia"), ("en", "English"),
                    ("house", v.t("Bahasa rumah ini", "The house's"))], None))
        },
    }
    .show(v)
}

pub(super) async fn remind(State(app): State<Arc<App>>, row: Row, form: Form) -> Result<Response, Problem> {
    let staff = form.visitor.staff()?;
    let patch = wishes::Patch {
        reminders: form.fields.get("reminders").map(|word| word == "yes"),
        language: form.fields.text("language"),
        why: form.why(),
    };
    let _now = wishes::change(State(app), staff, row, Body(patch)).await?;
    Ok(done(HERE, "changed"))
}

/// A password that was drawn is on this page and on no other.
pub(super) async fn add(State(app): State<Arc<App>>, form: Form) -> Result<Response, Problem> {
    let staff = form.visitor.staff()?;
    let password = Some(form.fields.raw("password")).filter(|typed| !typed.is_empty());
    let arrival = rest::Arrival {
        email: form.fields.need("email")?,
        name: form.fields.need("name")?,
        start_date: form.fields.day("startDate")?.ok_or_else(|| missing("startDate"))?,
        room_code: form.fields.need("roomCode")?,
        password: password.map(Secret::from),
        phone: form.fields.text("phone"),
        why: form.why(),
    };
    let (_created, Json(created)) = rest::create(State(app), staff, Body(arrival)).await?;
    let Some(password) = created.temporary_password else { return Ok(done(HERE, "added")) };
    let v = &form.visitor;
    let body = html! {
        p.notice.good role="status" { (v.t("Sudah ditambahkan.", "It was added.")) }
        p { (v.t("Kata sandi pertamanya, hanya ditampilkan kali ini:", "The first password, shown only this once:")) }
        pre { (password) }
        p { a href=(HERE) { (v.t("Ke daftar penghuni", "To the tenants")) } }
    };
    Ok(layout::page(v, v.t("Penghuni baru", "New tenant"), &body))
}

pub(super) async fn change(State(app): State<Arc<App>>, row: Row, form: Form) -> Result<Response, Problem> {
    let staff = form.visitor.staff()?;
    let patch = rest::Patch {
        email: form.fields.text("email"),
        name: form.fields.text("name"),
        phone: form.fields.text("phone"),
        room_code: form.fields.text("roomCode"),
        why: form.why(),
    };
    let _tenant = rest::change(State(app), staff, row, Body(patch)).await?;
    Ok(done(HERE, "changed"))
}

pub(super) async fn remove(State(app): State<Arc<App>>, row: Row, form: Form) -> Result<Response, Problem> {
    let staff = form.visitor.staff()?;
    form.reason()?;
    let _done = rest::remove(State(app), staff, row, Perhaps(form.why())).await?;
    Ok(done(HERE, "removed"))
}
