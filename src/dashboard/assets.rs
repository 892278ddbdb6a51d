//! Styles, scripts and the icon, compiled in. A link names the text's own hash, so that a browser may keep it for good.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use crate::http::{Named, Problem, name_of};

struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

const ASSETS: [Asset; 4] = [
    Asset { name: "style.css", kind: "text/css; charset=utf-8", text: include_str!("assets/style.css") },
    Asset {
        name: "htmx.min.js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("assets/htmx.min.js"),
    },
    Asset {
        name: "sse.min.js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("assets/sse.min.js"),
    },
    Asset { name: "icon.svg", kind: "image/svg+xml", text: include_str!("assets/icon.svg") },
];

static LINKS: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
    let link = |asset: &Asset| {
        let hash = name_of(asset.text);
        let short = hash.get(..16).unwrap_or_default();
        (asset.name, format!("/admin/assets/{}?{short}", asset.name))
    };
    ASSETS.iter().map(link).collect()
});

/// Where a page finds the asset of this name.
pub(super) fn link(name: &str) -> &'static str {
    LINKS.iter().find(|(known, _)| *known == name).map_or("", |(_, link)| link)
}

pub(super) async fn serve(Named(name): Named) -> Result<Response, Problem> {
    let asset = ASSETS.iter().find(|asset| asset.name == name).ok_or(Problem::NotFound)?;
    let headers =
        [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((headers, asset.text).into_response())
}
