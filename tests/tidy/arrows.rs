//! Who may name whom: the arrows of `docs/ARCHITECTURE.md`.

use std::collections::BTreeSet;

use crate::tree::{code_lines, files, nothing, places_of, read, rust_files, rust_files_in, source_files};

/// What a crate may name of ours in its `[dependencies]`.
const ARROWS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("domain", &[]),
    ("store", &["domain"]),
    ("midtrans", &["domain"]),
    ("midtrans-sim", &["clock"]),
    ("courier", &["domain"]),
    ("oidc", &["clock", "domain"]),
    ("queue", &["clock", "domain", "store", "traces"]),
    ("workers", &["clock", "courier", "domain", "midtrans", "queue", "store"]),
    (
        "kasir",
        &[
            "clock",
            "courier",
            "domain",
            "midtrans",
            "midtrans-sim",
            "oidc",
            "queue",
            "store",
            "traces",
            "workers",
        ],
    ),
    ("traces", &[]),
    ("xtask", &[]),
];

/// What its tests may name besides.
const ARROWS_OF_TESTS: &[(&str, &[&str])] = &[("store", &["clock"])];

/// A library that only some crates may name, and the crates whose tests may name it too.
struct Kept {
    library: &'static str,
    by: &'static [&'static str],
    in_tests_of: &'static [&'static str],
    because: &'static str,
}

const KEPT: &[Kept] = &[
    Kept {
        library: "apalis",
        by: &["queue"],
        in_tests_of: &[],
        because: "ask the queue for work: queue::Queue",
    },
    Kept { library: "apalis-core", by: &["queue"], in_tests_of: &[], because: "the queue hides apalis" },
    Kept { library: "apalis-redis", by: &["queue"], in_tests_of: &[], because: "the queue hides apalis" },
    Kept {
        library: "redis",
        by: &["queue"],
        in_tests_of: &["kasir"],
        because: "Redis carries ids, for the queue",
    },
    Kept { library: "sqlx", by: &["store"], in_tests_of: &["kasir"], because: "SQL lives in crates/store" },
    Kept {
        library: "reqwest",
        by: &["courier", "midtrans", "midtrans-sim", "oidc", "traces"],
        in_tests_of: &["kasir"],
        because: "calls go out through the crates that have the time-outs",
    },
    Kept {
        library: "opentelemetry",
        by: &["traces"],
        in_tests_of: &[],
        because: "a span of `tracing` is sent by crates/traces",
    },
    Kept {
        library: "openidconnect",
        by: &["oidc"],
        in_tests_of: &[],
        because: "crates/oidc knows what to believe",
    },
    Kept {
        library: "lettre",
        by: &["courier"],
        in_tests_of: &[],
        because: "letters go out through crates/courier",
    },
    Kept {
        library: "axum",
        by: &["kasir", "midtrans-sim"],
        in_tests_of: &["midtrans"],
        because: "HTTP comes in through src/http",
    },
    Kept {
        library: "tokio-cron-scheduler",
        by: &["workers"],
        in_tests_of: &[],
        because: "a schedule is a line in crates/queue/src/schedule.rs",
    },
];

/// What the domain may name: no I/O, no clock, no runtime among them.
const LIBRARIES_OF_THE_DOMAIN: &[&str] = &["chrono", "secrecy", "serde", "serde_json", "thiserror"];

/// The manifest of a crate, as far as arrows go.
struct Manifest {
    name: String,
    dependencies: BTreeSet<String>,
    dependencies_of_tests: BTreeSet<String>,
}

fn manifests() -> Vec<Manifest> {
    let files = files().into_iter().filter(|name| name == "Cargo.toml" || name.ends_with("/Cargo.toml"));
    files.map(|file| manifest(&read(&file))).collect()
}

fn manifest(text: &str) -> Manifest {
    let table: toml::Table = text.parse().unwrap();
    let name = table["package"]["name"].as_str().unwrap().to_owned();
    let mut dependencies = named_in(&table, "dependencies");
    dependencies.extend(named_in(&table, "build-dependencies"));
    Manifest { name, dependencies, dependencies_of_tests: named_in(&table, "dev-dependencies") }
}

/// What `[section]` names, and every `[target.'…'.section]`.
fn named_in(table: &toml::Table, section: &str) -> BTreeSet<String> {
    let targets = table.get("target").and_then(toml::Value::as_table);
    let of_targets =
        targets.into_iter().flat_map(toml::Table::values).filter_map(|target| target.get(section));
    let sections = table.get(section).into_iter().chain(of_targets);
    sections.filter_map(toml::Value::as_table).flat_map(names).collect()
}

/// The names that the registry knows, whatever they are called here.
fn names(table: &toml::Table) -> Vec<String> {
    let name = |(key, value): (&String, &toml::Value)| {
        value.get("package").and_then(toml::Value::as_str).unwrap_or(key).to_owned()
    };
    table.iter().map(name).collect()
}

fn allowed<'a>(arrows: &[(&str, &'a [&'a str])], from: &str) -> &'a [&'a str] {
    arrows.iter().find(|(name, _)| *name == from).map_or(&[], |(_, to)| to)
}

#[test]
fn crates_name_only_what_lies_below_them() {
    let ours: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let mut found = Vec::new();
    for manifest in manifests() {
        let from = manifest.name.as_str();
        if !ours.contains(from) {
            found.push(format!("{from} has no line in ARROWS"));
        }
        let below = allowed(ARROWS, from);
        let below_tests = allowed(ARROWS_OF_TESTS, from);
        let named = manifest.dependencies.iter().filter(|to| !below.contains(&to.as_str()));
        let named_by_tests = manifest
            .dependencies_of_tests
            .iter()
            .filter(|to| !below.contains(&to.as_str()) && !below_tests.contains(&to.as_str()));
        let wrong = named.chain(named_by_tests).filter(|to| ours.contains(to.as_str()));
        found.extend(wrong.map(|to| format!("{from} names {to}")));
    }
    nothing(
        &found,
        "Arrows point down only. Move the code to the crate that may name both, or hand in what is needed as an \
         argument. A new crate gets its line in tests/tidy/arrows.rs and in docs/ARCHITECTURE.md:",
    );
}

#[test]
fn a_library_stays_in_the_crate_that_hides_it() {
    let mut found = Vec::new();
    for manifest in manifests() {
        let from = manifest.name.as_str();
        for Kept { library, by, in_tests_of, because } in KEPT {
            let names = manifest.dependencies.contains(*library) && !by.contains(&from);
            let tests_name = manifest.dependencies_of_tests.contains(*library)
                && !by.contains(&from)
                && !in_tests_of.contains(&from);
            if names || tests_name {
                found.push(format!("{from} names {library}: {because}"));
            }
        }
    }
    nothing(&found, "A library that one crate hides is named nowhere else:");
}

#[test]
fn the_domain_knows_no_clock_no_io_and_no_waiting() {
    let domain = manifests().into_iter().find(|manifest| manifest.name == "domain").unwrap();
    let foreign = domain.dependencies.iter().filter(|name| !LIBRARIES_OF_THE_DOMAIN.contains(&name.as_str()));
    let mut found: Vec<String> =
        foreign.map(|name| format!("crates/domain/Cargo.toml names {name}")).collect();
    for file in rust_files_in("crates/domain/src/") {
        for word in ["async fn", "std::fs", "std::net", "std::env", "std::process", "std::thread", "::now()"]
        {
            found.extend(places_of(word, &file).iter().map(|place| format!("{place}: {word}")));
        }
    }
    nothing(
        &found,
        "The domain decides from what it is given. Read in store, workers or src, and pass the value in:",
    );
}

#[test]
fn the_service_and_the_workers_meet_only_in_the_roles() {
    let see_both = ["src/roles.rs", "src/main.rs"];
    let names = |file: &str, word: &str| {
        let places = code_lines(file).into_iter().filter(|(_, line)| {
            line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
        });
        places.map(|(number, _)| format!("{file}:{number} names {word}")).collect::<Vec<_>>()
    };
    let service = rust_files_in("src/").into_iter().filter(|file| !see_both.contains(&file.as_str()));
    let mut found: Vec<String> = service.flat_map(|file| names(&file, "workers")).collect();
    for file in rust_files_in("workers/src/") {
        found.extend(["axum", "tower_http", "kasir"].iter().flat_map(|word| names(&file, word)));
    }
    nothing(
        &found,
        "The service asks for work by a job of crates/queue, and the workers answer through the books:",
    );
}

#[test]
fn payments_change_in_one_place() {
    let change = "payments::change(";
    let mut found: Vec<String> = source_files().iter().flat_map(|file| places_of(change, file)).collect();
    found.retain(|place| !place.starts_with("workers/src/books.rs:"));
    nothing(
        &found,
        "A payment changes in workers/src/books.rs, from a domain::Report. Call Context::settle or note:",
    );
}

#[test]
fn time_and_randomness_have_one_source() {
    let lint = "expect(clippy::disallowed_methods";
    let mut found: Vec<String> = rust_files().iter().flat_map(|file| places_of(lint, file)).collect();
    // xtask is no part of the program.
    found.retain(|place| {
        !["crates/clock/src/", "xtask/src/", "tests/tidy/"].iter().any(|folder| place.starts_with(folder))
    });
    nothing(&found, "What clippy.toml disallows has one place. Take a clock::Clock and ask it:");
}

#[test]
fn a_manifest_is_read_with_its_targets_and_under_real_names() {
    let manifest = manifest(
        "[package]\nname = \"a\"\n[dependencies]\nb.workspace = true\nd = { package = \"c\", version = \"1\" }\n\
         [target.'cfg(unix)'.dependencies]\ne = \"1\"\n[build-dependencies]\nf = \"1\"\n[dev-dependencies]\ng = \"1\"\n\
         [workspace.dependencies]\nh = \"1\"\n",
    );
    assert_eq!(manifest.name, "a");
    assert_eq!(manifest.dependencies.into_iter().collect::<Vec<_>>(), ["b", "c", "e", "f"]);
    assert_eq!(manifest.dependencies_of_tests.into_iter().collect::<Vec<_>>(), ["g"]);
}
