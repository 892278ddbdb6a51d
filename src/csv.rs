//! Rows for spreadsheets.

/// A row of CSV with its end of line. A text that a spreadsheet would take for a formula is shown as a text.
#[must_use]
pub fn line<T: AsRef<str>>(cells: &[T]) -> String {
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(Vec::new());
    // Writing into memory does not fail, and what was text stays text.
    let _written = writer.write_record(cells.iter().map(|cell| disarmed(cell.as_ref())));
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

fn disarmed(cell: &str) -> String {
    let is_number = cell.parse::<i64>().is_ok();
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') if !is_number => format!("'{cell}"),
        _ => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_quoted_where_it_must_be() {
        assert_eq!(line(&["KSR-1", "a, b", "say \"no\"", ""]), "KSR-1,\"a, b\",\"say \"\"no\"\"\",\r\n");
    }

    #[test]
    fn a_formula_is_a_text_and_a_number_a_number() {
        assert_eq!(line(&["=1+1", "@x", "-5", "+62", "-cmd"]), "'=1+1,'@x,-5,+62,'-cmd\r\n");
    }
}
