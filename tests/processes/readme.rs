//! The README's contract by curl, run word by word against the program in its demo house.

use std::process::Stdio;

use tokio::process::Command;

use crate::embedded::Embedded;

/// The block of commands under the README's heading.
fn commands() -> &'static str {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("## The contract by curl").unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    block.split_once("```").unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_the_readme_does_what_it_says() {
    let kasir = Embedded::prepare();
    let _process = kasir.start("readme").await;
    let printed = kasir.printed("readme").await;
    let script = format!("set -eu\n{}", commands());
    let ended = Command::new("sh")
        .args(["-c", &script])
        .envs(printed.variables())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let (said, problems) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "is curl installed? {said}\n{problems}");
    for word in [
        r#""kind":"virtual_account""#,
        r#""status":"paid""#,
        "event: payment",
        r#""code":"C9""#,
        r#""email":"dewi@kost.test""#,
        r#""action":"tenant."#,
        "<svg",
    ] {
        assert!(said.contains(word), "nothing says {word}: {said}");
    }
}
