//! The runbook, the alerts and the charts: each alert has its chapter, each variable its row, each label its meaning.

use std::collections::BTreeSet;

use domain::FindingKind;
use kasir::config::SECRETS;
use kasir::http::Problem;
use serde_json::Value;

use crate::compose::{COMPOSE, help_on, known_variables, yaml};
use crate::tree::{files, nothing, read};

const RUNBOOK: &str = "docs/operating.md";
const ALERTS: &str = "deploy/observe/alerts.yml";
const PROMETHEUS: &str = "deploy/observe/prometheus.yml";
const DASHBOARD: &str = "deploy/observe/grafana/dashboards/kasir.json";
const PROVIDER: &str = "deploy/observe/grafana/provisioning/dashboards/kasir.yml";
const SOURCE: &str = "deploy/observe/grafana/provisioning/datasources/prometheus.yml";
const DEMO: &str = "deploy/compose/demo.env";

fn rules() -> Vec<Value> {
    let groups = yaml(ALERTS);
    let rules =
        groups["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    rules.cloned().collect()
}

/// The first cell of each row of the runbook's tables that is a name in backticks, with the rest of the row.
fn rows(is_name: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let text = read(RUNBOOK);
    let cells = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    cells.filter(|(name, _)| is_name(name)).map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
}

fn is_variable(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

#[test]
fn every_alert_has_its_chapter_and_every_chapter_its_alert() {
    let text = read(RUNBOOK);
    let (_, chapter) = text.split_once("\n## Alerts\n").unwrap();
    let chapter = chapter.split("\n## ").next().unwrap();
    let told: BTreeSet<&str> = chapter.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let rules = rules();
    let there: BTreeSet<&str> = rules.iter().map(|rule| rule["alert"].as_str().unwrap()).collect();
    assert_eq!(told, there, "left: the chapters of {RUNBOOK}; right: {ALERTS}");
    for rule in &rules {
        let name = rule["alert"].as_str().unwrap();
        let runbook = format!("{RUNBOOK}#{}", name.to_lowercase());
        assert_eq!(rule["annotations"]["runbook"], *runbook, "{name}");
        assert!(rule["annotations"]["summary"].is_string(), "{name} does not say what it is about");
        assert!(["page", "ticket"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
    }
}

#[test]
fn alerts_ask_for_labels_that_there_are() {
    let kinds = FindingKind::ALL.iter().map(|kind| kind.as_str());
    let slugs: Vec<&'static str> = Problem::all().iter().map(Problem::slug).collect();
    let mut known: BTreeSet<&str> = kinds.chain(slugs.iter().copied()).collect();
    known.extend(["stored", "api", "worker", "scheduler", "alive", "silent", "kasir"]);
    let mut found = Vec::new();
    for rule in rules() {
        let expr = rule["expr"].as_str().unwrap();
        let values = expr.split('"').skip(1).step_by(2).flat_map(|value| value.split('|'));
        found.extend(
            values.filter(|value| !known.contains(value)).map(|value| format!("{}: {value}", rule["alert"])),
        );
    }
    nothing(&found, "deploy/observe/alerts.yml asks for labels that no metric has:");
    let urgent = rules().into_iter().find(|rule| rule["alert"] == "KasirUrgentFinding").unwrap();
    let forgotten = FindingKind::ALL
        .iter()
        .map(|kind| kind.as_str())
        .filter(|kind| *kind != "missed_notification" && !urgent["expr"].as_str().unwrap().contains(kind));
    let forgotten: Vec<String> = forgotten.map(str::to_owned).collect();
    nothing(&forgotten, "These findings wake nobody. Add them to KasirUrgentFinding:");
}

#[test]
fn what_observes_finds_what_it_observes() {
    let (compose, prometheus) = (yaml(COMPOSE), yaml(PROMETHEUS));
    let job = &prometheus["scrape_configs"][0];
    assert_eq!((&job["job_name"], &job["metrics_path"]), (&"kasir".into(), &"/metrics".into()));
    let lookup = &job["dns_sd_configs"][0];
    assert!(compose["services"].get(lookup["names"][0].as_str().unwrap()).is_some());
    assert_eq!(compose["services"]["api"]["expose"][0], *lookup["port"].to_string());
    let mounts = |service: &str| compose["services"][service]["volumes"].to_string();
    let rule_file = prometheus["rule_files"][0].as_str().unwrap();
    assert!(mounts("prometheus").contains(&format!("./{ALERTS}:{rule_file}:ro")));
    let path = yaml(PROVIDER)["providers"][0]["options"]["path"].as_str().unwrap().to_owned();
    assert!(mounts("grafana").contains(&format!("./deploy/observe/grafana/dashboards:{path}:ro")));
    let source = yaml(SOURCE)["datasources"][0].take();
    assert_eq!(source["url"], "http://prometheus:9090");

    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let panels: Vec<&Value> =
        dashboard["panels"].as_array().unwrap().iter().filter(|one| one["type"] != "row").collect();
    assert!(panels.len() > 10);
    for panel in panels {
        assert_eq!(panel["datasource"]["uid"], source["uid"], "{}", panel["title"]);
        let targets = panel["targets"].as_array().unwrap();
        assert!(
            !targets.is_empty() && targets.iter().all(|one| one["expr"].is_string()),
            "{}",
            panel["title"]
        );
    }
}

#[test]
fn the_runbook_lists_the_variables_that_are_read() {
    let told = rows(is_variable);
    let (of_files, known): (BTreeSet<String>, BTreeSet<String>) =
        known_variables().into_iter().partition(|name| name.ends_with("_FILE"));
    let listed: BTreeSet<String> = told.iter().map(|(name, _)| name.clone()).collect();
    let missing: Vec<String> = known.difference(&listed).cloned().collect();
    nothing(&missing, "Add a row to the table of variables in docs/operating.md:");

    let text = read(COMPOSE);
    let used: BTreeSet<String> =
        text.split("${").skip(1).map(|rest| rest.split([':', '}']).next().unwrap().to_owned()).collect();
    let of_compose: BTreeSet<String> = listed.difference(&known).cloned().collect();
    let untold: Vec<String> = used.difference(&listed).cloned().collect();
    nothing(&untold, "docker-compose.yml asks for variables that docs/operating.md does not tell of:");
    let gone: Vec<String> = of_compose.difference(&used).cloned().collect();
    nothing(&gone, "docs/operating.md tells of variables that nothing reads:");
    let demo = read(DEMO);
    let set = demo.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let idle: Vec<String> =
        set.map(|(name, _)| name.to_owned()).filter(|name| !used.contains(name)).collect();
    nothing(&idle, "deploy/compose/demo.env sets variables that docker-compose.yml does not ask for:");

    assert_eq!(of_files, SECRETS.iter().map(|name| format!("{name}_FILE")).collect());
    let wrong = told
        .iter()
        .filter(|(name, _)| known.contains(name))
        .filter(|(name, row)| row.contains(&format!("`{name}_FILE`")) != SECRETS.contains(&name.as_str()));
    let wrong: Vec<String> = wrong.map(|(name, _)| name.clone()).collect();
    nothing(&wrong, "docs/operating.md is wrong about these being read from files:");
}

/// What a paper tells to type: the words of the command, and its flags.
fn commands(text: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("    ").map(str::trim));
    let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let typed = lines.chain(spans).filter_map(|line| {
        // Behind two spaces stands what it does.
        let line = line.split("  ").next().unwrap();
        line.strip_prefix("kasir ")
            .or_else(|| line.split_once("docker compose run --rm cli ").map(|(_, rest)| rest))
    });
    let is_word = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase()) && !word.contains('.');
    typed
        .map(|line| {
            let words = line.split(' ').take_while(is_word).map(str::to_owned).collect();
            let flags = line.split(' ').filter(|word| word.starts_with("--"));
            (words, flags.map(str::to_owned).collect())
        })
        .filter(|(words, _): &(Vec<String>, _)| !words.is_empty())
        .collect()
}

#[test]
fn papers_tell_to_type_commands_that_there_are() {
    let is_paper = |name: &String| name.ends_with(".md") && !name.starts_with("docs/adr/");
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for paper in files().into_iter().filter(is_paper) {
        for (words, flags) in commands(&read(&paper)) {
            seen.insert(words.join(" "));
            match help_on(&words) {
                None => found.push(format!("{paper}: kasir {}", words.join(" "))),
                Some(help) => {
                    let unknown = flags.iter().filter(|flag| !help.contains(*flag));
                    found.extend(unknown.map(|flag| format!("{paper}: kasir {} {flag}", words.join(" "))));
                }
            }
        }
    }
    for known in ["migrate", "admin create", "healthcheck api", "reconcile", "backup", "import"] {
        assert!(seen.contains(known), "no paper tells of `kasir {known}`; seen: {seen:?}");
    }
    nothing(&found, "These commands or flags do not exist:");
}
