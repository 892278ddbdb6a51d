//! Reading JSON bodies, with a clear word about what is wrong with one, those that are written once and told often, and the
//! names in paths.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Problem;

/// A JSON body that parsed.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::JsonDataError(error)) => Err(Problem::Unprocessable(reason(&error))),
            Err(JsonRejection::JsonSyntaxError(error)) => Err(Problem::Malformed(reason(&error))),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(Problem::UnsupportedMediaType),
            Err(other) if other.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Problem::TooLarge),
            Err(other) => Err(Problem::Malformed(other.body_text())),
        }
    }
}

/// A JSON body that is written already.
#[derive(Debug, Clone, Default)]
pub(super) struct Written(Bytes);

impl Written {
    pub(super) fn of(value: &impl Serialize) -> Result<Self, Problem> {
        serde_json::to_vec(value).map(|text| Self(text.into_boxed_slice().into())).map_err(|error| {
            tracing::error!(%error, "an answer cannot be written");
            Problem::Internal
        })
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], self.0).into_response()
    }
}

/// The thing that a path names by a word. What is no text names nothing.
pub(crate) struct Named(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(name)| Self(name)).map_err(|_| Problem::NotFound)
    }
}

/// The parser's own words: what was expected, and where. It names fields, not what stands in them.
fn reason(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}
