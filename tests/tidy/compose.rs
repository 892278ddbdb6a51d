//! What runs in containers: docker-compose.yml, the Dockerfile and what they mount fit the program and each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use kasir::config::{Config, SECRETS};
use serde_json::{Map, Value};

use crate::tree::{nothing, read, root};

pub(crate) const COMPOSE: &str = "docker-compose.yml";
const DOCKERFILE: &str = "Dockerfile";
const CADDYFILE: &str = "deploy/compose/Caddyfile";
const SECRETS_SCRIPT: &str = "deploy/compose/secrets.sh";
/// What the program reads besides its configuration.
const READ_ELSEWHERE: [&str; 7] = [
    "KASIR_CONFIG",
    "KASIR_OTLP_ENDPOINT",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "RUST_LOG",
    "KASIR_LOG_FORMAT",
];

/// A file of YAML, with what `<<` merges in its place.
pub(crate) fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The text with `${NAME:-DEFAULT}` as it is where nothing is set.
fn with_defaults(text: &str) -> String {
    let mut pieces = text.split("${");
    let mut done = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let (variable, rest) = piece.split_once('}').unwrap();
        done.push_str(variable.split_once(":-").map_or("", |(_, default)| default));
        done.push_str(rest);
    }
    done
}

fn services(compose: &Value) -> &Map<String, Value> {
    compose["services"].as_object().unwrap()
}

/// Those that run the program of this house.
fn ours(compose: &Value) -> impl Iterator<Item = (&String, &Value)> {
    services(compose)
        .iter()
        .filter(|(_, service)| service["image"].as_str().is_some_and(|image| image.starts_with("kasir:")))
}

/// The words of a list, or of a line.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(line) => line.split_whitespace().map(str::to_owned).collect(),
        list => list.as_array().into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect(),
    }
}

/// The names in a list, or the keys of a table.
fn named(value: &Value) -> Vec<String> {
    value.as_object().map_or_else(|| words(value), |table| table.keys().cloned().collect())
}

/// What the program says of these words when it is asked for help; `None` when it does not understand them.
pub(crate) fn help_on(words: &[String]) -> Option<String> {
    let mut kasir = Command::new(env!("CARGO_BIN_EXE_kasir"));
    let said = kasir.args(words).arg("--help").output().unwrap();
    said.status.success().then(|| String::from_utf8(said.stdout).unwrap())
}

fn is_command(words: &[String]) -> bool {
    help_on(words).is_some()
}

/// Every variable that the program asks its environment for, found by watching it ask.
pub(crate) fn known_variables() -> BTreeSet<String> {
    let asked = std::cell::RefCell::new(BTreeSet::from(READ_ELSEWHERE.map(str::to_owned)));
    let env = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        // Some are asked for only where there is a gateway or a Redis.
        ["MIDTRANS_SERVER_KEY", "REDIS_URL"].contains(&name).then(|| "redis://SB".to_owned())
    };
    let _mistakes = Config::from_parts(&env, "");
    asked.into_inner()
}

/// The secrets that the script makes, in a folder that is gone afterwards.
fn made_secrets() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut script = Command::new("sh");
    script.arg(root().join(SECRETS_SCRIPT)).arg(folder.path()).env_remove("MIDTRANS_SERVER_KEY");
    assert!(script.output().unwrap().status.success(), "{SECRETS_SCRIPT} fails");
    folder
}

/// The environment of a service where nobody set anything, with its secrets in `folder`.
fn environment(service: &Value, folder: &Path) -> BTreeMap<String, String> {
    let table = service["environment"].as_object().unwrap();
    let text = |value: &Value| with_defaults(value.as_str().unwrap());
    let value = |value: &Value| text(value).replace("/run/secrets", folder.to_str().unwrap());
    let pairs = table.iter().map(|(name, told)| (name.clone(), value(told)));
    pairs.filter(|(_, value)| !value.is_empty()).collect()
}

#[test]
fn a_command_is_told_from_nonsense() {
    let split = |line: &str| words(&Value::String(line.to_owned()));
    assert!(is_command(&split("healthcheck worker")));
    assert!(!is_command(&split("healthcheck nonsense")) && !is_command(&split("nonsense")));
    assert_eq!(with_defaults("a${B:-c}d${E}f"), "acdf");
}

#[test]
fn containers_run_commands_that_there_are() {
    let compose = yaml(COMPOSE);
    let simulator = read("crates/midtrans-sim/src/main.rs");
    let mut found = Vec::new();
    for (name, service) in ours(&compose) {
        let (command, entrypoint) = (words(&service["command"]), words(&service["entrypoint"]));
        if entrypoint.is_empty() {
            if !is_command(&command) {
                found.push(format!("{name}: kasir {}", command.join(" ")));
            }
        } else {
            assert_eq!(entrypoint, ["/usr/local/bin/midtrans-sim"], "{name}");
            let flags = command.iter().map(|word| word.trim_start_matches("--").split('=').next().unwrap());
            let unknown = flags.filter(|flag| !simulator.contains(&format!("    {flag}: ")));
            found.extend(unknown.map(|flag| format!("{name}: midtrans-sim --{flag}")));
        }
        let check = words(&service["healthcheck"]["test"]);
        match check.as_slice() {
            [cmd, program, words @ ..] => {
                let is_ours = cmd == "CMD" && program == "/usr/local/bin/kasir" && is_command(words);
                found.extend((!is_ours).then(|| format!("{name}: {}", check.join(" "))));
            }
            _ if service["healthcheck"]["disable"] == true => {}
            _ => found.push(format!("{name}: no health check")),
        }
    }
    nothing(&found, "docker-compose.yml runs what the program does not know. Correct it, or the program:");
}

#[test]
fn containers_are_given_an_environment_that_the_program_takes() {
    let (compose, secrets, known) = (yaml(COMPOSE), made_secrets(), known_variables());
    let mut found = Vec::new();
    for (name, service) in ours(&compose).filter(|(_, service)| service["environment"].is_object()) {
        let environment = environment(service, secrets.path());
        let told = service["environment"].as_object().unwrap().keys();
        found.extend(
            told.filter(|variable| !known.contains(*variable)).map(|other| format!("{name}: {other}")),
        );
        let config = Config::from_parts(&|name| environment.get(name).cloned(), "")
            .unwrap_or_else(|mistakes| panic!("{name}: {mistakes}"));
        assert_eq!(words(&compose["services"]["api"]["expose"]), [config.addr.port().to_string()]);
        assert!(
            config.addr.ip().is_unspecified(),
            "{name}: nobody outside of the container reaches {}",
            config.addr
        );
        let hosts = [config.database_url.expose(), config.redis.as_ref().unwrap().url.expose()].map(|url| {
            let (_, host) = url.rsplit_once('@').unwrap();
            host.split('/').next().unwrap().to_owned()
        });
        assert_eq!(hosts, ["db", "redis"], "{name}");
        let user = if ["migrate", "seed"].contains(&name.as_str()) {
            "postgres://kasir_owner:"
        } else {
            "postgres://kasir:"
        };
        assert!(config.database_url.expose().starts_with(user), "{name} logs in as somebody else");
    }
    let owner = &compose["services"]["db"]["environment"];
    assert_eq!((&owner["POSTGRES_USER"], &owner["POSTGRES_DB"]), (&"kasir_owner".into(), &"kasir".into()));
    nothing(&found, "docker-compose.yml sets variables that nothing reads:");
}

#[test]
fn containers_name_secrets_files_and_each_other_as_they_are() {
    let (compose, made) = (yaml(COMPOSE), made_secrets());
    let has = |kind: &str, name: &str| compose[kind].get(name).is_some();
    let mut found = Vec::new();
    for (name, secret) in compose["secrets"].as_object().unwrap() {
        let file = secret["file"].as_str().unwrap().strip_prefix("./secrets/").unwrap();
        found
            .extend((!made.path().join(file).is_file()).then(|| format!("{SECRETS_SCRIPT} makes no {file}")));
        assert_eq!(name, file);
    }
    for (name, service) in services(&compose) {
        let secrets = named(&service["secrets"]);
        let text = service.to_string();
        let read = text
            .split("/run/secrets/")
            .skip(1)
            .map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap().to_owned());
        let read: BTreeSet<String> = read.collect();
        found.extend(
            read.iter()
                .filter(|one| !secrets.contains(*one))
                .map(|one| format!("{name}: secret {one} is not given")),
        );
        found.extend(
            secrets.iter().filter(|one| !has("secrets", one)).map(|one| format!("{name}: secret {one}")),
        );
        let needs = named(&service["depends_on"]);
        found.extend(
            needs.iter().filter(|one| !has("services", one)).map(|one| format!("{name}: needs {one}")),
        );
        let networks = named(&service["networks"]);
        found.extend(
            networks.iter().filter(|one| !has("networks", one)).map(|one| format!("{name}: network {one}")),
        );
        for mount in words(&service["volumes"]) {
            let mount = with_defaults(&mount);
            let from = mount.split(':').next().unwrap();
            let is_there = from
                .strip_prefix("./")
                .map_or_else(|| has("volumes", from), |file| root().join(file).exists());
            found.extend((!is_there).then(|| format!("{name}: mounts {from}")));
        }
    }
    nothing(&found, "docker-compose.yml names what is not there:");
}

#[test]
fn containers_can_do_little_and_use_little() {
    let compose = yaml(COMPOSE);
    let mut found = Vec::new();
    for (name, service) in services(&compose) {
        let limits = &service["deploy"]["resources"]["limits"];
        for (what, holds) in [
            (
                "is no user but root",
                !["", "root", "0", "0:0"].contains(&service["user"].as_str().unwrap_or_default()),
            ),
            ("may write its root", service["read_only"] == true),
            ("keeps capabilities", words(&service["cap_drop"]) == ["ALL"]),
            ("may gain rights", words(&service["security_opt"]) == ["no-new-privileges:true"]),
            ("has no limit of memory", limits["memory"].is_string()),
            ("has no limit of processors", limits["cpus"].is_string()),
            ("has no health check", service["healthcheck"].is_object()),
            ("fills the disk with its log", service["logging"]["options"]["max-size"].is_string()),
        ] {
            found.extend((!holds).then(|| format!("{name} {what}")));
        }
    }
    let redis = words(&compose["services"]["redis"]["command"]).join(" ");
    assert!(redis.contains("--appendonly yes") && redis.contains("--maxmemory-policy noeviction"), "{redis}");
    for (name, replicas) in [("api", 2), ("worker", 2)] {
        assert_eq!(compose["services"][name]["deploy"]["replicas"], replicas, "{name}");
    }
    nothing(&found, "Each service is hardened, limited and watched:");
}

#[test]
fn the_image_holds_what_is_run() {
    let text = read(DOCKERFILE).replace("\\\n", " ");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let of = |word: &str| -> Vec<&str> {
        lines.iter().filter_map(|line| line.trim().strip_prefix(word)?.strip_prefix(' ')).collect()
    };
    let json =
        |line: &str| -> Vec<String> { serde_json::from_str(&line[line.find('[').unwrap()..]).unwrap() };
    let check = json(of("HEALTHCHECK")[0]);
    assert_eq!(json(of("ENTRYPOINT")[0]), ["/usr/local/bin/kasir"]);
    assert_eq!(check[0], "/usr/local/bin/kasir");
    assert!(is_command(&check[1..]) && is_command(&json(of("CMD")[0])));
    assert!(
        text.contains("/out/bin/kasir /out/bin/midtrans-sim /usr/local/bin/"),
        "the programs are elsewhere"
    );
    assert!(of("USER").iter().all(|user| *user == "65532:65532"), "root runs it");

    let environment: BTreeMap<String, String> = of("ENV")
        .iter()
        .flat_map(|line| line.split_whitespace())
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let unknown: Vec<String> =
        environment.keys().filter(|name| !known_variables().contains(*name)).cloned().collect();
    nothing(&unknown, "The Dockerfile sets variables that nothing reads:");
    // With both set, a secret from a file would be a mistake.
    assert!(SECRETS.iter().all(|name| !environment.contains_key(*name)), "an image holds no secret");
    let config = Config::from_parts(&|name| environment.get(name).cloned(), "").unwrap();
    assert_eq!(of("EXPOSE"), [config.addr.port().to_string()]);

    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let rust = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    assert!(text.contains(&format!("FROM rust:{rust}-")), "another Rust than Cargo.toml's {rust}");
    let ignored: BTreeSet<String> = read(".dockerignore").lines().map(str::to_owned).collect();
    for name in ["secrets", "target", ".git", ".env", "kasir.toml"] {
        assert!(ignored.contains(name), ".dockerignore lacks {name}");
    }
}

#[test]
fn the_door_leads_to_the_apis() {
    let (caddy, compose) = (read(CADDYFILE), yaml(COMPOSE));
    let after = |word: &str| {
        let line = caddy.lines().find_map(|line| line.trim().strip_prefix(word)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{CADDYFILE} has no {word}")).to_owned()
    };
    let compose_has = |name: &str| compose["services"].get(name).is_some();
    assert!(compose_has(&after("name")));
    assert_eq!(words(&compose["services"]["api"]["expose"]), [after("port")]);
    let published =
        words(&compose["services"]["front"]["ports"]).into_iter().map(|port| with_defaults(&port));
    let inside: Vec<String> = published.map(|port| port.rsplit_once(':').unwrap().1.to_owned()).collect();
    assert_eq!(inside, [after("http_port"), after("https_port")]);
    let kept: u64 = after("keepalive").trim_end_matches('s').parse().unwrap();
    let idle = Config::from_parts(&|_| None, "").unwrap().file.limits.idle_timeout_s;
    assert!(kept < idle, "the door keeps connections for {kept} s, and Kasir closes them after {idle} s");
    for path in ["/metrics", "/readyz", "/livez", "/docs"] {
        assert!(!after("@open path").contains(path), "{path} is not for the world");
    }
    let simulator = words(&compose["services"]["simulator"]["command"]).join(" ");
    assert!(simulator.contains(&format!("--notify=http://api:{}/api/midtrans-notification", after("port"))));
}
