//! How often the gateway tells a merchant who does not listen: the table of the contract, under a clock that stands.

use std::time::Duration;

use crate::kit::{Kit, bca};

/// Longer than the longest wait between two attempts.
const AN_ATTEMPT_LATER: Duration = Duration::from_secs(210 * 60);

/// The bodies of the pending notification that went out, once every retry is over.
async fn attempts(kit: &Kit) -> usize {
    let mut charge = bca("o");
    // So that it does not expire meanwhile, which is another notification.
    charge["custom_expiry"] = serde_json::json!({ "expiry_duration": 30, "unit": "day" });
    kit.charge(&charge).await;
    kit.sim.wait_until_delivered().await.unwrap();
    assert_eq!(kit.sim.notifications_sent().len(), 1, "nothing more before its time");
    for _ in 0..8 {
        kit.clock.advance(AN_ATTEMPT_LATER);
        kit.sim.deliver_due().await.unwrap();
    }
    assert_eq!(kit.sim.notifications_waiting(), 0, "the gateway gave up");
    kit.sim.notifications_sent().len()
}

#[tokio::test]
async fn the_answer_decides_how_often_the_gateway_tries_again() {
    for (answer, retries) in [
        (200, 0),
        (202, 0),
        (204, 0),
        (500, 1),
        (503, 4),
        (400, 2),
        (404, 2),
        (301, 0),
        (302, 0),
        (303, 0),
        (304, 5),
        (401, 5),
        (403, 5),
        (405, 5),
        (419, 5),
        (429, 5),
        (501, 5),
        (502, 5),
        (504, 5),
    ] {
        let kit = Kit::open().await;
        kit.merchant.answers(answer);
        assert_eq!(attempts(&kit).await, 1 + retries, "{answer}");
        assert_eq!(kit.merchant.got().len(), 1 + retries, "{answer}");
    }
}

#[tokio::test]
async fn nobody_listening_earns_five_retries() {
    let kit = Kit::open().await;
    kit.sim.set_notification_url(Some("http://127.0.0.1:1/nobody".to_owned()));
    assert_eq!(attempts(&kit).await, 6);
    assert!(kit.sim.notifications_sent().iter().all(|sent| sent.answer.is_none()));
}

#[tokio::test]
async fn a_merchant_who_says_nothing_in_time_earns_five_retries() {
    let kit = Kit::open_with(|options| options.answer_within = Duration::from_millis(300)).await;
    kit.merchant.falls_silent();
    assert_eq!(attempts(&kit).await, 6);
    assert!(kit.sim.notifications_sent().iter().all(|sent| sent.answer.is_none()));
    assert_eq!(kit.merchant.got().len(), 6, "it heard every one");
}

#[tokio::test]
async fn five_redirects_are_followed_with_the_same_body_and_a_sixth_is_not() {
    for redirect in [307, 308] {
        let kit = Kit::open().await;
        kit.merchant.answers_next(&[redirect; 5]);
        assert_eq!(attempts(&kit).await, 1, "200 after five hops");
        let got = kit.merchant.got();
        assert_eq!(got.len(), 6);
        assert!(got.iter().all(|body| *body == got[0]));

        let kit = Kit::open().await;
        kit.merchant.answers(redirect);
        assert_eq!(attempts(&kit).await, 6);
        assert_eq!(kit.merchant.got().len(), 36, "six attempts of six requests");
    }
}

#[tokio::test]
async fn retries_keep_the_intervals_of_the_table() {
    let kit = Kit::open().await;
    kit.merchant.answers(502);
    kit.charge_bca("o").await;
    kit.sim.wait_until_delivered().await.unwrap();
    for minutes in [2_u64, 10, 30, 90, 210] {
        let before = kit.merchant.got().len();
        kit.clock.advance(Duration::from_secs(minutes * 30 - 1));
        kit.sim.deliver_due().await.unwrap();
        assert_eq!(kit.merchant.got().len(), before, "not before half of {minutes} minutes");
        kit.clock.advance(Duration::from_secs(minutes * 30 + 1));
        kit.sim.deliver_due().await.unwrap();
        assert_eq!(kit.merchant.got().len(), before + 1, "by {minutes} minutes");
    }
    assert_eq!(kit.sim.notifications_waiting(), 0);
    assert!(kit.sim.notifications_sent().iter().all(|sent| sent.answer == Some(502)));
}
