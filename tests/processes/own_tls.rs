//! `kasir` as its own TLS end point.

use std::path::PathBuf;

use reqwest::{Certificate, Client, StatusCode, Version};
use tokio::io::AsyncReadExt as _;

use crate::doctor::House;
use crate::process::{Start, built};
use crate::waiting::{eventually, s};

/// A new certificate for `localhost`, in the files that the house reads; gives what a client must trust.
fn renew(house: &House) -> Certificate {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let [certificate, key] = files(house);
    std::fs::write(certificate, made.cert.pem()).unwrap();
    std::fs::write(key, made.signing_key.serialize_pem()).unwrap();
    Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()
}

fn files(house: &House) -> [PathBuf; 2] {
    ["certificate.pem", "key.pem"].map(|name| house.dir.path().join(name))
}

async fn house() -> (House, Certificate) {
    let mut house = House::open().await;
    let trusted = renew(&house);
    let [certificate, key] = files(&house);
    house.set("KASIR_TLS_CERT", certificate.display().to_string());
    house.set("KASIR_TLS_KEY", key.display().to_string());
    (house, trusted)
}

/// A browser that trusts this certificate alone.
fn trusting(certificate: &Certificate) -> Client {
    Client::builder().tls_certs_only([certificate.clone()]).build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_are_served_over_tls_and_a_renewed_certificate_needs_no_restart() {
    let (house, first) = house().await;
    let kasir = house.start("serve").await;
    let url = format!("https://localhost:{}/livez", house.port);
    let answer = trusting(&first).get(&url).send().await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
    assert!(answer.headers().contains_key("strict-transport-security"));
    let old = trusting(&first).get(&url).version(Version::HTTP_11);
    assert_eq!(old.send().await.unwrap().status(), StatusCode::OK);
    let plain = trusting(&first).get(url.replace("https://", "http://")).send().await;
    assert!(plain.is_err(), "{plain:?}");

    // What cannot be used leaves the old one in place.
    let [certificate, key] = files(&house);
    std::fs::write(&key, "no key").unwrap();
    kasir.hang_up().await;
    eventually(s(10), "it complains", async || {
        match kasir.logged().contains("the certificate stays as it was") {
            true => Ok(()),
            false => Err(kasir.logged()),
        }
    })
    .await;
    assert_eq!(trusting(&first).get(&url).send().await.unwrap().status(), StatusCode::OK);

    let second = renew(&house);
    kasir.hang_up().await;
    let renewed = trusting(&second);
    eventually(s(10), "the new certificate is shown", async || {
        renewed.get(&url).send().await.map_err(|error| error.to_string())
    })
    .await;
    assert!(trusting(&first).get(&url).send().await.is_err(), "the old one is still shown");
    assert!(certificate.exists());
    kasir.terminate().await;
    assert!(kasir.ends_within(s(20)).await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_connects_and_does_not_agree_on_keys_is_cut_off() {
    let (house, trusted) = house().await;
    let file = house.dir.path().join("kasir.toml");
    std::fs::write(file, "[limits]\nhead_timeout_s = 1\n").unwrap();
    let _kasir = house.start("serve").await;
    let mut silent = tokio::net::TcpStream::connect(("127.0.0.1", house.port)).await.unwrap();
    let mut heard = Vec::new();
    let ended = tokio::time::timeout(s(20), silent.read_to_end(&mut heard)).await;
    assert!(ended.is_ok(), "it is still held");
    let url = format!("https://localhost:{}/readyz", house.port);
    assert_eq!(trusting(&trusted).get(&url).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_cannot_be_used_is_told_at_the_start() {
    let (house, _) = house().await;
    let refusal = async || {
        let start = Start {
            program: built(),
            role: Some("serve"),
            environment: &house.environment,
            dir: house.dir.path(),
            name: "serve",
        };
        assert!(!start.start().ends_within(s(20)).await.success());
        std::fs::read_to_string(house.dir.path().join("serve.log")).unwrap()
    };
    let [certificate, key] = files(&house);
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&key, other.signing_key.serialize_pem()).unwrap();
    let told = refusal().await;
    assert!(told.contains("key.pem cannot be used"), "{told}");
    std::fs::remove_file(&certificate).unwrap();
    let told = refusal().await;
    assert!(told.contains("certificate.pem cannot be used"), "{told}");
}
