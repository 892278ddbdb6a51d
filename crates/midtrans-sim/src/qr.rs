//! A picture that looks like a QR code: nobody's phone reads it, but a page can show it.

use std::fmt::Write as _;

use sha2::{Digest, Sha512};

/// Modules on each side, as a small real code has.
const SIDE: usize = 29;

/// An SVG whose dots are drawn from the text.
pub(crate) fn svg(text: &str) -> String {
    let mut path = String::new();
    for row in 0..SIDE {
        let dots = Sha512::digest(format!("{text}/{row}"));
        for column in 0..SIDE {
            let drawn = dots[column] & 1 == 1;
            if in_corner(row, column).unwrap_or(drawn) {
                // Writing into a string does not fail.
                let _ = write!(path, "M{} {}h1v1h-1z", column + 2, row + 2);
            }
        }
    }
    let size = SIDE + 4;
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges"><rect width="{size}" height="{size}" fill="#fff"/><path d="{path}"/></svg>"##
    )
}

/// Whether a module of the three corner squares is dark; `None` outside of them.
fn in_corner(row: usize, column: usize) -> Option<bool> {
    let near = |at: usize| {
        if at < 8 { Some(at) } else { (SIDE - 1).checked_sub(at).filter(|from_end| *from_end < 8) }
    };
    let (y, x) = (near(row)?, near(column)?);
    if row >= SIDE / 2 && column >= SIDE / 2 {
        return None;
    }
    let ring = y.min(x).min(6_usize.saturating_sub(y)).min(6_usize.saturating_sub(x));
    Some(y < 7 && x < 7 && ring != 1)
}
