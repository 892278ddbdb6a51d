//! `GET` and `POST /api/admin/rooms`, `PATCH` and `DELETE /api/admin/rooms/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{RoomId, Rupiah};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::audit::By;
use store::rooms::{self, Room, RoomChange};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::paging::{Listed, Paging, Wish};
use super::{Perhaps, Row, Why, opt_text, text};
use crate::http::openapi::{Routes, Who, told};
use crate::http::schemas;
use crate::http::{Admin, App, Body, Problem, Staff};

const CODE_CHARS_MAX: usize = 32;

/// A room of the house.
#[derive(Serialize, ToSchema)]
#[schema(as = Room)]
pub(crate) struct RoomView {
    #[schema(value_type = i64, minimum = 1)]
    id: RoomId,
    code: String,
    available: bool,
    #[schema(value_type = i64, minimum = 0, maximum = 999_999_999_999_999_i64)]
    price: Rupiah,
}

impl From<Room> for RoomView {
    fn from(room: Room) -> Self {
        let Room { id, code, price, available } = room;
        Self { id, code, available, price }
    }
}

/// A room that is to be there.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewRoom {
    #[schema(min_length = 1, max_length = 32, pattern = r"\S")]
    pub(crate) code: String,
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 999_999_999_999_999_i64)]
    pub(crate) price: Option<Rupiah>,
    #[serde(flatten)]
    pub(crate) why: Why,
}

/// What is to become of a room.
#[derive(Deserialize, ToSchema)]
#[schema(as = RoomPatch)]
pub(crate) struct Patch {
    #[schema(min_length = 1, max_length = 32, pattern = r"\S")]
    pub(crate) code: Option<String>,
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 999_999_999_999_999_i64)]
    pub(crate) price: Option<Rupiah>,
    #[serde(flatten)]
    pub(crate) why: Why,
}

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(told(routes!(list), Who::Admin, &[]))
        .routes(told(routes!(create), Who::Staff, &[Problem::RoomCodeTaken]))
        .routes(told(routes!(change), Who::Staff, &[Problem::RoomCodeTaken]))
        .routes(told(routes!(remove), Who::Staff, &[Problem::RoomOccupied]))
}

/// The rooms.
#[utoipa::path(get, path = "/api/admin/rooms", tag = "admin", operation_id = "listRooms", params(Wish), responses((status = 200, description = "A page", body = Vec<RoomView>)))]
async fn list(State(app): State<Arc<App>>, _: Admin, paging: Paging) -> Result<Listed<RoomView>, Problem> {
    let rooms = rooms::list(&app.db, paging.page()).await?;
    Ok(paging.answer(rooms.into_iter().map(RoomView::from).collect(), |room| room.id.0))
}

/// Adds a room.
#[utoipa::path(post, path = "/api/admin/rooms", tag = "admin", operation_id = "createRoom", request_body = NewRoom, responses((status = 201, description = "The room", body = RoomView)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    admin: Staff,
    Body(new): Body<NewRoom>,
) -> Result<(StatusCode, Json<RoomView>), Problem> {
    let code = text("code", &new.code, CODE_CHARS_MAX)?;
    let price = new.price.unwrap_or(app.settings.default_price);
    let by = By { actor: &admin.actor(), reason: new.why.reason()?, now: app.clock.now() };
    let room = rooms::add(&app.db, code, price, &by).await?;
    Ok((StatusCode::CREATED, Json(room.into())))
}

/// Changes a room.
#[utoipa::path(patch, path = "/api/admin/rooms/{id}", tag = "admin", operation_id = "changeRoom", request_body = Patch, responses((status = 200, description = "The room", body = RoomView)))]
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    admin: Staff,
    Row(id): Row,
    Body(wish): Body<Patch>,
) -> Result<Json<RoomView>, Problem> {
    let code = opt_text("code", wish.code.as_deref(), CODE_CHARS_MAX)?;
    let change = RoomChange { code, price: wish.price };
    let by = By { actor: &admin.actor(), reason: wish.why.reason()?, now: app.clock.now() };
    Ok(Json(rooms::change(&app.db, RoomId(id), &change, &by).await?.into()))
}

/// Removes a room where nobody lives.
#[utoipa::path(delete, path = "/api/admin/rooms/{id}", tag = "admin", operation_id = "removeRoom", request_body = Option<Why>, responses((status = 200, description = "Done", body = schemas::Done)))]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    admin: Staff,
    Row(id): Row,
    Perhaps(why): Perhaps<Why>,
) -> Result<Json<Value>, Problem> {
    let by = By { actor: &admin.actor(), reason: why.reason()?, now: app.clock.now() };
    rooms::remove(&app.db, RoomId(id), &by).await?;
    Ok(Json(json!({})))
}
