//! What operators copy: the role in the database and the unit of systemd fit the program.

use std::collections::BTreeSet;

use crate::compose::known_variables;
use crate::tree::{nothing, read, rust_files_in};

const ROLE: &str = "deploy/postgres-role.sql";
const UNIT: &str = "deploy/kasir.service";

/// The words behind each place where one of `before` stands, as far as they are names of tables.
fn tables_behind(text: &str, before: &str) -> BTreeSet<String> {
    let rests = text.split(before).skip(1);
    let name =
        |rest: &str| rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().map(str::to_owned);
    rests.filter_map(name).filter(|name| !name.is_empty()).collect()
}

/// The tables that a statement `INSERT INTO … ON CONFLICT … DO UPDATE` changes.
fn tables_updated_on_conflict(text: &str) -> BTreeSet<String> {
    let befores = text.split("DO UPDATE").map(|before| before.rsplit_once("INSERT INTO "));
    let count = text.matches("DO UPDATE").count();
    let table = |rest: &str| rest.split_whitespace().next().map(str::to_owned);
    befores.take(count).filter_map(|found| table(found?.1)).collect()
}

/// What the file grants for this verb, on whole tables and on a column.
fn granted(role: &str, verb: &str) -> BTreeSet<String> {
    let columns =
        role.lines().filter_map(|line| line.strip_prefix(&format!("GRANT {verb} ("))?.split_once(" ON "));
    let columns = columns.filter_map(|(_, rest)| rest.split_whitespace().next().map(str::to_owned));
    let Some((_, rest)) = role.split_once(&format!("GRANT {verb} ON\n")) else { return columns.collect() };
    let (list, _) = rest.split_once("TO kasir_service").unwrap();
    list.split(',').map(|name| name.trim().to_owned()).chain(columns).collect()
}

#[test]
fn the_role_of_the_service_has_what_the_store_does_and_no_more() {
    let role = read(ROLE);
    let product = |name: &String| read(name).split("#[cfg(test)]").next().unwrap().to_owned();
    let code: Vec<String> = rust_files_in("crates/store/src/").iter().map(product).collect();
    let mut found = Vec::new();
    for verb in ["INSERT", "UPDATE", "DELETE"] {
        let mut done = BTreeSet::new();
        for text in &code {
            match verb {
                "INSERT" => done.extend(tables_behind(text, "INSERT INTO ")),
                "DELETE" => done.extend(tables_behind(text, "DELETE FROM ")),
                _ => {
                    done.extend(tables_behind(text, "UPDATE "));
                    done.extend(tables_updated_on_conflict(text));
                }
            }
        }
        assert!(!done.is_empty(), "the store does no {verb}");
        let granted = granted(&role, verb);
        found.extend(done.difference(&granted).map(|table| format!("{verb} on {table} is not granted")));
        found.extend(
            granted.difference(&done).map(|table| format!("{verb} on {table} is granted and not needed")),
        );
    }
    nothing(&found, "deploy/postgres-role.sql grants what crates/store/src does. Change the file:");
}

#[test]
fn the_unit_names_commands_and_variables_that_there_are() {
    let (unit, config, main) =
        (read(UNIT), read("src/config.rs") + &read("src/telemetry.rs"), read("src/main.rs"));
    let mut found = Vec::new();
    for line in unit.lines() {
        if let Some(command) = line.strip_prefix("ExecStart=/usr/local/bin/kasir ") {
            let mut letters = command.chars();
            let variant: String =
                letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
            if !main.contains(&format!("    {variant},\n")) {
                found.push(format!("kasir {command}"));
            }
        }
        let words = line.split(|c: char| !c.is_ascii_uppercase() && c != '_');
        let variables = words.filter(|word| word.contains('_') && word.len() > 7 && !word.starts_with("AF_"));
        found.extend(variables.filter(|name| !config.contains(*name)).map(str::to_owned));
    }
    assert!(unit.contains("ExecStart=/usr/local/bin/kasir "), "{UNIT} starts nothing");
    nothing(&found, "deploy/kasir.service names what the program does not know:");
}

#[test]
fn the_example_of_the_environment_names_variables_that_are_read() {
    let example = read("deploy/kasir.environment");
    let set = example.lines().filter_map(|line| line.trim_start_matches('#').split_once('='));
    let names: Vec<&str> = set.map(|(name, _)| name).filter(|name| !name.contains(' ')).collect();
    assert!(names.contains(&"MIDTRANS_SERVER_KEY"), "{names:?}");
    let known = known_variables();
    let found: Vec<String> =
        names.iter().filter(|name| !known.contains(**name)).map(|name| (*name).to_owned()).collect();
    nothing(&found, "deploy/kasir.environment names variables that nothing reads:");
}
