//! `/admin/rooms`: what rooms there are, what they cost, and who could move in.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::Rank;
use maud::{Markup, html};
use store::rooms::{self, Room};

use super::form::{Form, done};
use super::parts::{Action, Table, cut, field, money, opt_field, page_of, pager};
use super::session::Visitor;
use super::{layout, words};
use crate::http::admin::rooms as rest;
use crate::http::admin::{Perhaps, Row};
use crate::http::{App, Body, Problem};

const HERE: &str = "/admin/rooms";

pub(super) async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let mut found = rooms::list(&app.db, page_of(&visitor.view)).await?;
    let next = cut(&mut found, |room| room.id.0);
    let v = &visitor;
    let rows = found.iter().map(|room| row(v, room)).collect();
    let body = html! {
        div.actions { (adding(v)) }
        (Table {
            name: v.t("Kamar", "Rooms"),
            heads: &[v.t("Kode", "Code"), v.t("Harga sebulan", "Price a month"), v.t("Keadaan", "State"), v.t("Tindakan", "Actions")],
            rows,
            empty: v.t("Belum ada kamar. Tambahkan yang pertama.", "There is no room yet. Add the first."),
        }.show())
        (pager(&v.view, next))
    };
    Ok(layout::page(v, v.t("Kamar", "Rooms"), &body))
}

fn adding(v: &Visitor) -> Markup {
    Action {
        to: HERE,
        name: v.t("Tambah kamar", "Add a room"),
        object: "",
        help: v.t("Tanpa harga, berlaku harga rumah.", "Without a price, that of the house."),
        rank: Rank::Staff,
        needs_reason: false,
        fields: html! {
            (field("code", v.t("Kode", "Code"), "text"))
            (opt_field("price", v.t("Harga sebulan (rupiah)", "Price a month (rupiah)"), "money", ""))
        },
    }
    .show(v)
}

fn row(v: &Visitor, room: &Room) -> Vec<Markup> {
    let (state, word) = match room.available {
        true => ("active", v.t("kosong", "free")),
        false => ("calm", v.t("dihuni", "occupied")),
    };
    let change = Action {
        to: &format!("{HERE}/{}", room.id),
        name: v.t("Ubah", "Change"),
        object: &room.code,
        help: v.t("Harga baru berlaku untuk tagihan berikutnya.", "A new price holds from the next bill on."),
        rank: Rank::Staff,
        needs_reason: false,
        fields: html! {
            (opt_field("code", v.t("Kode", "Code"), "text", &room.code))
            (opt_field("price", v.t("Harga sebulan (rupiah)", "Price a month (rupiah)"), "money", &room.price.to_string()))
        },
    };
    let remove = Action {
        to: &format!("{HERE}/{}/remove", room.id),
        name: v.t("Hapus", "Remove"),
        object: &room.code,
        help: v.t("Tagihan lamanya tetap ada.", "Its old bills stay."),
        rank: Rank::Staff,
        needs_reason: false,
        fields: html! {},
    };
    vec![
        html! { (room.code) },
        money(room.price),
        words::mark(state, word),
        html! { (change.show(v)) @if room.available { (remove.show(v)) } },
    ]
}

pub(super) async fn add(State(app): State<Arc<App>>, form: Form) -> Result<Response, Problem> {
    let staff = form.visitor.staff()?;
    let new = rest::NewRoom {
        code: form.fields.need("code")?,
        price: form.fields.rupiah("price")?,
        why: form.why(),
    };
    let _room = rest::create(State(app), staff, Body(new)).await?;
    Ok(done(HERE, "added"))
}

pub(super) async fn change(State(app): State<Arc<App>>, row: Row, form: Form) -> Result<Response, Problem> {
    let staff = form.visitor.staff()?;
    let patch =
        rest::Patch { code: form.fields.text("code"), price: form.fields.rupiah("price")?, why: form.why() };
    let _room = rest::change(State(app), staff, row, Body(patch)).await?;
    Ok(done(HERE, "changed"))
}

pub(super) async fn remove(State(app): State<Arc<App>>, row: Row, form: Form) -> Result<Response, Problem> {
    let staff = form.visitor.staff()?;
    let _done = rest::remove(State(app), staff, row, Perhaps(form.why())).await?;
    Ok(done(HERE, "removed"))
}
