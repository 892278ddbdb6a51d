//! `GET` and `POST /api/admin/rooms`, `PATCH` and `DELETE /api/admin/rooms/{id}`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, patch};
use axum::{Json, Router};
use domain::{RoomId, Rupiah};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::audit::By;
use store::rooms::{self, Room, RoomChange};

use super::paging::{Listed, Paging};
use super::{Perhaps, Row, Why, opt_text, text};
use crate::http::{Admin, App, Body, Problem};

const CODE_CHARS_MAX: usize = 32;

/// A room of the house.
#[derive(Serialize)]
struct RoomView {
    id: RoomId,
    code: String,
    available: bool,
    price: Rupiah,
}

impl From<Room> for RoomView {
    fn from(room: Room) -> Self {
        let Room { id, code, price, available } = room;
        Self { id, code, available, price }
    }
}

/// A room that is to be there.
#[derive(Deserialize)]
struct NewRoom {
    code: String,
    price: Option<Rupiah>,
    #[serde(flatten)]
    why: Why,
}

/// What is to become of a room.
#[derive(Deserialize)]
struct Patch {
    code: Option<String>,
    price: Option<Rupiah>,
    #[serde(flatten)]
    why: Why,
}

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/admin/rooms", get(list).post(create))
        .route("/api/admin/rooms/{id}", patch(change).delete(remove))
}

async fn list(State(app): State<Arc<App>>, _: Admin, paging: Paging) -> Result<Listed<RoomView>, Problem> {
    let rooms = rooms::list(&app.db, paging.page()).await?;
    Ok(paging.answer(rooms.into_iter().map(RoomView::from).collect(), |room| room.id.0))
}

async fn create(
    State(app): State<Arc<App>>,
    admin: Admin,
    Body(new): Body<NewRoom>,
) -> Result<(StatusCode, Json<RoomView>), Problem> {
    let code = text("code", &new.code, CODE_CHARS_MAX)?;
    let price = new.price.unwrap_or(app.settings.default_price);
    let by = By { actor: &admin.actor(), reason: new.why.reason()?, now: app.clock.now() };
    let room = rooms::add(&app.db, code, price, &by).await?;
    Ok((StatusCode::CREATED, Json(room.into())))
}

async fn change(
    State(app): State<Arc<App>>,
    admin: Admin,
    Row(id): Row,
    Body(wish): Body<Patch>,
) -> Result<Json<RoomView>, Problem> {
    let code = opt_text("code", wish.code.as_deref(), CODE_CHARS_MAX)?;
    let change = RoomChange { code, price: wish.price };
    let by = By { actor: &admin.actor(), reason: wish.why.reason()?, now: app.clock.now() };
    Ok(Json(rooms::change(&app.db, RoomId(id), &change, &by).await?.into()))
}

async fn remove(
    State(app): State<Arc<App>>,
    admin: Admin,
    Row(id): Row,
    Perhaps(why): Perhaps<Why>,
) -> Result<Json<Value>, Problem> {
    let by = By { actor: &admin.actor(), reason: why.reason()?, now: app.clock.now() };
    rooms::remove(&app.db, RoomId(id), &by).await?;
    Ok(Json(json!({})))
}
