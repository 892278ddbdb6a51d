//! The papers: what they promise is there, and what is there they tell.

use std::collections::BTreeSet;

use kasir::config::{Config, SECRETS};

use crate::tree::{code_lines, files, nothing, read, root, rust_files, rust_files_in};

const README: &str = "README.md";
const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";
const MIDTRANS: &str = "docs/midtrans.md";
/// The tests that play the gateway's official client.
const CLIENTS: &str = "tests/clients/node.mjs";
const SECURITY: &str = "docs/security.md";
const EXAMPLE: &str = "kasir.example.toml";
const DOCUMENT: &str = "docs/openapi.json";
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// The routes that the OpenAPI document does not have: pages for people, and questions of those who run the service.
const UNTOLD: [&str; 6] =
    ["GET /docs", "GET /livez", "GET /metrics", "GET /openapi.json", "GET /problems/{slug}", "GET /readyz"];
const ARCHITECTURE_LINES_MAX: usize = 150;
const SECURITY_LINES_MAX: usize = 220;
const ADR_LINES_MAX: usize = 70;

/// Where environment variables are read or explained.
const READERS: [&str; 6] = [
    "src/config.rs",
    "src/config/addresses.rs",
    "src/config/keys.rs",
    "src/config/reminders.rs",
    "src/telemetry.rs",
    "src/main.rs",
];

fn papers() -> Vec<String> {
    let is_paper =
        |name: &String| name.ends_with(".md") && (name.starts_with("docs/") || !name.contains('/'));
    files().into_iter().filter(is_paper).collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

fn is_variable(word: &str) -> bool {
    word.contains('_')
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Words of small letters, joined as in the name of a test.
fn is_sentence(word: &str) -> bool {
    let is_word =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    word.split('_').count() > 3 && word.split('_').all(is_word)
}

/// The text of every Rust file.
fn all_code() -> String {
    rust_files().iter().map(|name| read(name)).collect()
}

/// Whether `code` has a function, or lists a story, of this name.
fn has_test(code: &str, name: &str) -> bool {
    code.contains(&format!("fn {name}(")) || code.contains(&format!("    {name},\n"))
}

/// The names in `text` that look like environment variables, also inside a line of shell.
fn variables(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| is_variable(word)).map(str::to_owned).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut found = Vec::new();
    for paper in papers() {
        let folder = root().join(&paper).parent().unwrap().to_owned();
        let text = read(&paper);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(link, _)| link)) {
            let file = link.split('#').next().unwrap();
            if !file.is_empty() && !link.contains("://") && !folder.join(file).exists() {
                found.push(format!("{paper}: {link}"));
            }
        }
    }
    nothing(&found, "A link of a paper is a path from its own folder to something that is there:");
}

#[test]
fn the_readme_names_the_environment_as_it_is() {
    let told = variables(&read(README));
    let mut known: BTreeSet<String> = READERS.iter().flat_map(|name| variables(&read(name))).collect();
    known.extend(rust_files_in("xtask/src/").iter().flat_map(|name| variables(&read(name))));
    known.extend(SECRETS.iter().map(|name| format!("{name}_FILE")));
    let found: Vec<String> = told.difference(&known).cloned().collect();
    nothing(&found, "README.md names variables that nothing reads. Take them out, or correct them:");

    let literals = |name: &str| -> BTreeSet<String> {
        let lines = code_lines(name).into_iter().take_while(|(_, line)| !line.contains("#[cfg(test)]"));
        let words: Vec<String> = lines
            .flat_map(|(_, line)| line.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
            .collect();
        words.into_iter().filter(|word| is_variable(word)).collect()
    };
    let read_by_us = READERS.iter().flat_map(|name| literals(name));
    let found: Vec<String> = read_by_us.filter(|name| !told.contains(name)).collect();
    nothing(&found, "These are read from the environment. Add a line to the table in README.md:");
}

#[test]
fn the_readme_lists_the_routes_that_exist() {
    // The routes that tell of themselves, as the router and the document have them.
    let document: serde_json::Value = serde_json::from_str(&kasir::http::openapi()).unwrap();
    let mut routes = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys().filter(|key| METHODS.contains(&key.as_str()));
        routes.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    assert!(!routes.is_empty(), "the document names no route");
    routes.extend(UNTOLD.iter().map(|route| (*route).to_owned()));
    let readme = read(README);
    let told: BTreeSet<String> = quoted(&readme)
        .filter(|word| {
            word.split_once(" /").is_some_and(|(word, _)| METHODS.contains(&word.to_lowercase().as_str()))
        })
        .map(|word| word.split('?').next().unwrap_or(word).to_owned())
        .collect();
    let missing: Vec<String> = routes.difference(&told).cloned().collect();
    nothing(&missing, "Add a row to the table of endpoints in README.md, as `GET /path`:");
    let gone: Vec<String> = told.difference(&routes).cloned().collect();
    nothing(&gone, "README.md tells of endpoints that the service does not have. Take them out:");
}

#[test]
fn every_route_but_a_few_is_in_the_document() {
    let document: serde_json::Value = serde_json::from_str(&kasir::http::openapi()).unwrap();
    let mut untold = BTreeSet::new();
    for file in rust_files_in("src/http/") {
        let text = read(&file);
        for word in [".route(", ".route_service(", ".nest(", ".nest_service(", "SwaggerUi::new("] {
            let rests = text.split(word).skip(1).map(str::trim_start);
            untold.extend(rests.map(|rest| {
                let path = rest.strip_prefix('"').and_then(|rest| rest.split('"').next());
                path.map_or_else(
                    || format!("{file}: a path that is no literal"),
                    |path| path.trim_end_matches('/').to_owned(),
                )
            }));
        }
    }
    untold.retain(|path| document["paths"].get(path).is_none());
    let named: BTreeSet<String> =
        UNTOLD.iter().map(|route| route.trim_start_matches("GET ").to_owned()).collect();
    let found: Vec<String> = untold.symmetric_difference(&named).cloned().collect();
    nothing(
        &found,
        "A route is made by `.routes(told(routes!(…)))`, so that the OpenAPI document has it. What a machine does not \
         call stands in UNTOLD and is made by `.route(\"…\")`. These are in one of the two only:",
    );
}

#[test]
fn the_openapi_document_is_the_committed_one() {
    let committed = read(DOCUMENT);
    assert!(
        committed.trim_end() == kasir::http::openapi().trim_end(),
        "\n{DOCUMENT} is not what the routes tell. Look at the difference: cargo run -- openapi > {DOCUMENT}\n"
    );
}

#[test]
fn the_example_file_holds_every_default() {
    let text = read(EXAMPLE);
    let nothing_set = |_: &str| None;
    let told =
        Config::from_parts(&nothing_set, &text).unwrap_or_else(|mistakes| panic!("{EXAMPLE}: {mistakes}"));
    let default = Config::from_parts(&nothing_set, "").unwrap();
    assert_eq!(
        format!("{:#?}", told.file),
        format!("{:#?}", default.file),
        "\n{EXAMPLE} and the defaults in src/config/file.rs differ. Correct the one that is wrong.\n"
    );

    let example: toml::Table = text.parse().unwrap();
    let keys = example.values().filter_map(toml::Value::as_table).flat_map(|section| section.keys().cloned());
    // What has no default of its own is shown behind a `#`.
    let shown = text
        .lines()
        .filter_map(|line| line.strip_prefix("# ")?.split_once(" = "))
        .map(|(key, _)| key.to_owned());
    let keys: BTreeSet<String> = keys.chain(example.keys().cloned()).chain(shown).collect();
    let files =
        ["file", "limits", "methods", "oidc", "reminders"].map(|name| format!("src/config/{name}.rs"));
    let lines = files.iter().flat_map(|name| code_lines(name));
    let lines = lines.filter(|(_, line)| !line.contains(": Option<Secret>"));
    let fields = lines.filter_map(|(_, line)| {
        let (name, _) = line.trim().strip_prefix("pub ")?.split_once(": ")?;
        name.chars().all(|c| c.is_ascii_lowercase() || c == '_').then(|| name.to_owned())
    });
    let found: Vec<String> = fields.filter(|field| !keys.contains(field)).collect();
    nothing(&found, "kasir.example.toml shows every field with its default and a sentence. It lacks:");
}

#[test]
fn every_invariant_names_a_test_that_is_there() {
    let text = read(ARCHITECTURE);
    let code = all_code();
    let invariants: Vec<&str> = text.split("**Invariant:**").skip(1).collect();
    assert!(!invariants.is_empty(), "{ARCHITECTURE} has no invariant");
    let mut found = Vec::new();
    for invariant in invariants {
        let paragraph = invariant.split("\n\n").next().unwrap().split("\n- ").next().unwrap();
        let sentence = paragraph.trim().lines().next().unwrap_or_default();
        // A guard is a name of several words.
        let guards: Vec<&str> =
            paragraph.rsplit_once("Guard:").map(|(_, guards)| quoted(guards).collect()).unwrap_or_default();
        if guards.is_empty() {
            found.push(format!("no guard: {sentence}"));
        }
        found.extend(
            guards
                .iter()
                .filter(|name| !has_test(&code, name))
                .map(|name| format!("there is no test {name}")),
        );
    }
    nothing(&found, "An invariant ends in `Guard:` and the names of the tests that fail without it:");
}

#[test]
fn the_paper_on_midtrans_names_tests_that_are_there() {
    let (text, code, clients) = (read(MIDTRANS), all_code(), read(CLIENTS));
    let is_title = |word: &&str| word.len() > 2 && word.starts_with('"') && word.ends_with('"');
    let (names, titles): (BTreeSet<&str>, BTreeSet<&str>) = (
        quoted(&text).filter(|word| is_sentence(word)).collect(),
        quoted(&text).filter(is_title).map(|word| word.trim_matches('"')).collect(),
    );
    assert!(!names.is_empty() && !titles.is_empty(), "{MIDTRANS} names no test");
    let no_test = names.iter().filter(|name| !has_test(&code, name));
    let no_title = titles.iter().filter(|title| !clients.contains(&format!("test('{title}'")));
    let found: Vec<String> = no_test.chain(no_title).map(|name| format!("there is no test {name}")).collect();
    nothing(
        &found,
        "docs/midtrans.md names tests that hold a rule. Correct the name, or say that no test holds it:",
    );
}

#[test]
fn the_paper_on_security_names_tests_that_are_there() {
    let (text, code) = (read(SECURITY), all_code());
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
    let names: BTreeSet<&str> =
        rows.iter().flat_map(|row| quoted(row)).filter(|word| is_sentence(word)).collect();
    assert!(rows.len() > 20 && names.len() > 20, "{SECURITY} is no checklist");
    let found: Vec<String> = names
        .iter()
        .filter(|name| !has_test(&code, name))
        .map(|name| format!("there is no test {name}"))
        .collect();
    nothing(
        &found,
        "docs/security.md names the test that holds an item. Correct the name, or say that it is open:",
    );
    let is_told = |row: &&&str| {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let heads = ["where it is tested", "who may have it"];
        let is_head = last.trim_matches(['-', ' ']).is_empty() || heads.contains(&last.trim());
        let words = ["open", "not applicable", "by hand", "cargo "];
        is_head || quoted(last).any(is_sentence) || words.iter().any(|word| last.contains(word))
    };
    let untold: Vec<String> = rows.iter().filter(|row| !is_told(row)).map(|row| (*row).to_owned()).collect();
    nothing(
        &untold,
        "Each row of docs/security.md ends in a test, or in `open`, `by hand` or `not applicable`:",
    );
}

#[test]
fn the_papers_are_short() {
    let found: Vec<String> = papers()
        .into_iter()
        .filter_map(|name| {
            let limit = match name.as_str() {
                ARCHITECTURE => ARCHITECTURE_LINES_MAX,
                SECURITY => SECURITY_LINES_MAX,
                name if name.starts_with("docs/adr/") => ADR_LINES_MAX,
                _ => return None,
            };
            let lines = read(&name).lines().count();
            (lines > limit).then(|| format!("{name}: {lines} lines, {limit} at most"))
        })
        .collect();
    nothing(&found, "The map fits on a few screens, a decision on a page. Say less:");
}
