//! `POST /api/login`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::{Email, Role, Secret, UserId};
use serde::{Deserialize, Serialize};

use super::{App, Body, Problem};

/// Who wants in.
#[derive(Deserialize)]
pub(super) struct Login {
    email: String,
    password: Secret,
}

/// Who came in.
#[derive(Serialize)]
pub(super) struct LoggedIn {
    id: UserId,
    email: Email,
    name: String,
    role: Role,
}

pub(super) async fn login(
    State(app): State<Arc<App>>,
    Body(login): Body<Login>,
) -> Result<Json<LoggedIn>, Problem> {
    let person = app.check(&login.email, &login.password).await?;
    Ok(Json(LoggedIn { id: person.id, email: person.email, name: person.name, role: person.role }))
}
