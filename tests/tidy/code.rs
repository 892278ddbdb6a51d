//! How the code is laid out: first sentences, sizes, and the pairs that must stay pairs.

use std::collections::BTreeSet;

use crate::tree::{
    code_lines, files, nothing, places_of, read, root, rust_files, rust_files_in, source_files, stem,
};

/// The longest file of the program.
const LINES_MAX: usize = 400;

#[test]
fn every_file_says_what_lives_in_it() {
    let mut found = rust_files();
    found.retain(|name| !read(name).starts_with("//! "));
    nothing(&found, "Begin the file with one `//!` sentence that says what lives here:");
}

#[test]
fn no_file_outgrows_a_reader() {
    let long = source_files().into_iter().filter_map(|name| {
        let lines = read(&name).lines().count();
        (lines > LINES_MAX).then(|| format!("{name}: {lines} lines"))
    });
    let found: Vec<String> = long.collect();
    nothing(&found, "A file has at most 400 lines. Take out a part that has a name of its own:");
}

#[test]
fn lints_are_expected_and_not_allowed() {
    let attributes = [concat!("#[", "allow("), concat!("#![", "allow("), concat!(", ", "allow(clippy")];
    let places =
        rust_files().into_iter().flat_map(|name| attributes.map(|word| places_of(word, &name)).concat());
    let found: Vec<String> = places.collect();
    nothing(&found, "Write #[expect(lint, reason = \"…\")]: it tells when it is no longer needed:");
}

#[test]
fn secrets_are_compared_in_constant_time() {
    let is_open = |side: &str| side.ends_with("expose()") || side.ends_with("expose().as_bytes()");
    let compares = |line: &str| {
        [" == ", " != "].into_iter().filter_map(|sign| line.split_once(sign)).any(|(left, right)| {
            is_open(left)
                || right.split([' ', ',', ';', '{']).next().is_some_and(|word| word.contains("expose()"))
        })
    };
    let mut found = Vec::new();
    for name in source_files() {
        let lines = code_lines(&name).into_iter().take_while(|(_, line)| !line.contains("#[cfg(test)]"));
        let compared = lines.filter(|(_, line)| compares(line));
        found.extend(compared.map(|(number, line)| format!("{name}:{number}: {}", line.trim())));
    }
    nothing(&found, "The time that `==` takes tells where two texts differ. Compare with subtle's ct_eq:");
}

#[test]
fn both_databases_have_the_same_migrations() {
    let names = |folder: &str| -> BTreeSet<String> {
        let listed = files().into_iter().filter_map(|name| name.strip_prefix(folder).map(str::to_owned));
        listed.collect()
    };
    let (sqlite, postgres) = (names("migrations/sqlite/"), names("migrations/postgres/"));
    assert!(!sqlite.is_empty(), "migrations/sqlite/ is empty");
    let found: Vec<String> = sqlite.symmetric_difference(&postgres).cloned().collect();
    nothing(
        &found,
        "A migration has the same name in migrations/sqlite and migrations/postgres. Only one has:",
    );
}

/// The modules of the store that show what is in this one.
fn shown_by(module: &str) -> Vec<String> {
    let shows = format!("pub use crate::{module}::");
    let files = rust_files_in("crates/store/src/").into_iter();
    files.filter(|file| read(file).contains(&shows)).map(|file| stem(&file)).collect()
}

#[test]
fn every_function_of_the_store_is_tried_on_both_databases() {
    let contract: String =
        rust_files_in("crates/store/tests/contract/").iter().map(|name| read(name)).collect();
    let mut found = Vec::new();
    for file in rust_files_in("crates/store/src/") {
        // A part of a module is called by the name of the module.
        let part = file.trim_start_matches("crates/store/src/").split_once('/');
        let module = match part.map_or_else(|| stem(&file), |(module, _)| module.to_owned()).as_str() {
            "db" | "lib" => "store".to_owned(),
            module => module.to_owned(),
        };
        // What another module shows under its own name is called by that.
        let shown_by = shown_by(&module);
        let functions = code_lines(&file).into_iter().filter_map(|(_, line)| {
            let (name, _) = line.strip_prefix("pub async fn ")?.split_once(['(', '<'])?;
            Some([&module].into_iter().chain(&shown_by).map(|module| format!("{module}::{name}(")).collect())
        });
        let is_tried = |calls: &Vec<String>| calls.iter().any(|call| contract.contains(call));
        found.extend(functions.filter(|calls| !is_tried(calls)).map(|calls| calls.join(" or ")));
    }
    nothing(&found, "Add a story to crates/store/tests/contract, which runs it on SQLite and on PostgreSQL:");
}

#[test]
fn every_kind_of_job_has_a_file() {
    let kinds = code_lines("crates/queue/src/work.rs").into_iter().filter_map(|(_, line)| {
        let (_, kind) = line.split_once("const KIND: &'static str = \"")?;
        Some(kind.trim_end_matches("\";").to_owned())
    });
    let kinds: Vec<String> = kinds.collect();
    assert!(!kinds.is_empty(), "crates/queue/src/work.rs names no kind of job");
    let mut found = kinds;
    found.retain(|kind| !root().join(format!("workers/src/{kind}.rs")).is_file());
    nothing(&found, "The work of a kind lives in workers/src/KIND.rs. These have none:");
}

#[test]
fn no_file_names_a_place_on_one_machine() {
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    let mut found = Vec::new();
    for name in files() {
        // What is not text names nothing.
        let Ok(text) = std::fs::read_to_string(root().join(&name)) else { continue };
        let lines =
            (1..).zip(text.lines()).filter(|(_, line)| places.iter().any(|place| line.contains(place)));
        found.extend(lines.map(|(number, line)| format!("{name}:{number}: {}", line.trim())));
    }
    nothing(&found, "Name files from the root of the workspace, and ask the environment for the rest:");
}

#[test]
fn no_migration_takes_away_what_the_version_before_needs() {
    let words = ["DROP TABLE", "DROP COLUMN", "RENAME ", "SET NOT NULL", "ALTER COLUMN", "TRUNCATE"];
    let migrations = files().into_iter().filter(|name| name.starts_with("migrations/postgres/"));
    let mut found = Vec::new();
    for name in migrations {
        for (number, line) in (1..).zip(read(&name).lines()) {
            let upper = line.to_uppercase();
            let takes = words.iter().any(|word| upper.contains(word));
            // The version before writes rows without it.
            let is_owed =
                upper.contains("ADD COLUMN") && upper.contains("NOT NULL") && !upper.contains("DEFAULT");
            if takes || is_owed {
                found.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    nothing(
        &found,
        "A version that runs goes on with the next one's schema. Add now, and take away one version later:",
    );
}
