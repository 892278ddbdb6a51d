//! `/admin/people`: who runs the house, and the visitor's own password.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::{Rank, Secret};
use maud::{Markup, html};
use store::people::{self, Person};

use super::form::{Form, done};
use super::parts::{Action, Table, field};
use super::session::Visitor;
use super::{layout, words};
use crate::http::sessions as rest;
use crate::http::{App, Body, Caller, Problem, Remote};

/// So many are listed.
const LISTED: i64 = 200;

pub(super) async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let found = people::admins(&app.db, LISTED).await?;
    let v = &visitor;
    let password = Action {
        to: "/admin/people/password",
        name: v.t("Ganti kata sandi saya", "Change my password"),
        object: "",
        help: v.t("Semua sesi Anda berakhir, juga yang ini.", "All your sessions end, this one too."),
        rank: Rank::Viewer,
        needs_reason: false,
        fields: html! {
            (field("current", v.t("Kata sandi sekarang", "Current password"), "password"))
            (field("new", v.t("Kata sandi baru", "New password"), "password"))
        },
    };
    let body = html! {
        div.actions {
            (password.show(v))
            a href="/admin/second-factor" { (v.t("Faktor kedua saya", "My second factor")) }
        }
        (Table {
            name: v.t("Pengurus", "People"),
            heads: &[v.t("Nama", "Name"), v.t("Surel", "E-mail"), v.t("Pangkat", "Rank"), v.t("Faktor kedua", "Second factor")],
            rows: found.iter().map(|one| row(v, one)).collect(),
            empty: "",
        }.show())
        p.quiet {
            (v.t("Pengurus baru dibuat di server:", "New people are made on the server:")) " "
            code { "kasir admin create --rank viewer" }
        }
        dl.facts {
            div { dt { (words::rank(&v.view, Rank::Viewer)) } dd { (v.t("melihat semuanya", "sees everything")) } }
            div { dt { (words::rank(&v.view, Rank::Staff)) } dd { (v.t("juga mengurus rumah, tugas dan temuan", "also runs the house, jobs and findings")) } }
            div { dt { (words::rank(&v.view, Rank::Owner)) } dd { (v.t("juga mengembalikan uang, memutuskan kartu, mengatur cara bayar", "also gives money back, decides on cards, sets payment methods")) } }
        }
    };
    Ok(layout::page(v, v.t("Pengurus", "People"), &body))
}

fn row(v: &Visitor, one: &Person) -> Vec<Markup> {
    let mine = one.id == v.person.id;
    vec![
        html! { (one.name) @if mine { " (" (v.t("Anda", "you")) ")" } },
        html! { (one.email) },
        html! { (words::rank(&v.view, one.rank)) },
        html! { @if one.has_second_factor { (v.t("ya", "yes")) } @else { (v.t("tidak", "no")) } },
    ]
}

pub(super) async fn change_password(
    State(app): State<Arc<App>>,
    remote: Remote,
    form: Form,
) -> Result<Response, Problem> {
    let wish = rest::ChangePassword {
        current_password: Secret::from(form.fields.raw("current")),
        new_password: Secret::from(form.fields.raw("new")),
    };
    let me = Caller(form.visitor.person.clone());
    match rest::change_password(State(app), me, remote, Body(wish)).await {
        Ok(_done) => {}
        Err(Problem::Unauthenticated) => {
            return Err(Problem::Unprocessable("the current password is wrong".to_owned()));
        }
        Err(other) => return Err(other),
    }
    Ok(done("/admin/login", "password"))
}
