//! `/logos/{method}.svg`: a plain card for each method, drawn here so that no trade mark is copied and nothing is fetched.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::Method;
use utoipa_axum::routes;

use super::openapi::{Routes, Who, told};
use super::{Named, Problem};

pub(super) fn routes() -> Routes {
    Routes::new().routes(told(routes!(logo), Who::Anyone, &[]))
}

/// The picture of a method.
#[utoipa::path(get, path = "/logos/{file}", tag = "methods", operation_id = "showLogo", responses((status = 200, description = "The picture", body = String, content_type = "image/svg+xml")))]
async fn logo(Named(file): Named) -> Result<Response, Problem> {
    let code = file.strip_suffix(".svg").ok_or(Problem::NotFound)?;
    let method = Method::try_from(code).map_err(|_| Problem::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "public, max-age=86400"),
        // A picture opened as a page of its own runs nothing.
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
    ];
    Ok((headers, drawn(method)).into_response())
}

fn drawn(method: Method) -> String {
    let (name, colour) = method.profile().logo;
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 64" role="img" aria-label="{name}"><rect width="160" height="64" rx="10" fill="{colour}"/><rect x="12" y="14" width="20" height="14" rx="3" fill="#fff" fill-opacity=".55"/><text x="80" y="46" text-anchor="middle" font-family="system-ui,sans-serif" font-size="22" font-weight="600" fill="#fff">{name}</text></svg>"##
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_a_card_with_its_name() {
        for method in Method::offered() {
            let svg = drawn(method);
            assert!(svg.contains(method.profile().logo.0) && svg.ends_with("</svg>"), "{svg}");
            assert!(!svg.contains("href") && !svg.contains("script"), "a card fetches and runs nothing");
        }
    }
}
