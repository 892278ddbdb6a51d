//! Callers who are slow, endless, many or mad: each connection has its limits, and the others are served meanwhile.

use std::time::Duration;

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::kost::{Kost, Setup};

/// Between two bytes of a caller who is slow.
const SLOW: Duration = Duration::from_millis(30);
const MANY: usize = 50;
const ASK: &str = "GET /livez HTTP/1.1\r\nhost: kost\r\n\r\n";

async fn open(limits: &str) -> Kost {
    Kost::open(Setup::Embedded).await.with_limits(limits).await
}

async fn connect(kost: &Kost) -> TcpStream {
    TcpStream::connect(kost.program.url.trim_start_matches("http://")).await.unwrap()
}

/// All that still comes until the service closes. A connection that was cut may end with an error.
async fn rest_of(mut stream: TcpStream) -> String {
    let mut heard = Vec::new();
    let _cut = stream.read_to_end(&mut heard).await;
    String::from_utf8_lossy(&heard).into_owned()
}

/// What is answered to this, until the service closes.
async fn told(kost: &Kost, words: impl AsRef<[u8]>) -> String {
    let mut stream = connect(kost).await;
    let _cut = stream.write_all(words.as_ref()).await;
    rest_of(stream).await
}

/// Sends `begin` and then a byte now and then, until the service closes; gives what it said.
async fn slowly(kost: &Kost, begin: &str) -> String {
    let mut stream = connect(kost).await;
    stream.write_all(begin.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    loop {
        match tokio::time::timeout(SLOW, stream.read_buf(&mut heard)).await {
            Ok(Ok(0) | Err(_)) => return String::from_utf8_lossy(&heard).into_owned(),
            Ok(Ok(_)) => {}
            Err(_nothing_yet) => {
                let _cut = stream.write_all(b"a").await;
            }
        }
    }
}

/// How a request of somebody else is answered.
async fn is_served(kost: &Kost) {
    let answer = kost.send(kost.request(Method::GET, "/readyz")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_come_byte_by_byte_are_cut_and_others_are_served() {
    let kost = open("head_timeout_s = 1\n").await;
    let begin = "GET /livez HTTP/1.1\r\nhost: kost\r\nx-slow: ";
    // The second begins like HTTP/2, the third says nothing first.
    for begin in [begin, "PRI * HTTP/2", ""] {
        let slow = join_all((0..MANY).map(|_| slowly(&kost, begin)));
        let (heard, ()) = tokio::join!(slow, is_served(&kost));
        assert!(heard.iter().all(|heard| !heard.contains("200 OK")), "{heard:?}");
        is_served(&kost).await;
    }
    // And one who says nothing at all.
    assert_eq!(told(&kost, "").await, "");
    kost.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_head_of_a_connection_has_no_more_time_than_the_first() {
    let kost = open("head_timeout_s = 1\nidle_timeout_s = 3600\n").await;
    let heard = slowly(&kost, &format!("{ASK}GET /livez HTTP/1.1\r\nx-slow: ")).await;
    assert_eq!(heard.matches("HTTP/1.1 200 OK").count(), 1, "{heard}");
    kost.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_come_slowly_are_answered_and_take_no_place() {
    let kost = open("body_timeout_s = 1\nnotifications_at_once = 2\n").await;
    let begin = "POST /api/midtrans-notification HTTP/1.1\r\nhost: kost\r\ncontent-length: 60000\r\n\r\n";
    let form =
        begin.replace("content-length", "content-type: multipart/form-data; boundary=a\r\ncontent-length");
    let slow = join_all((0..MANY).map(|number| slowly(&kost, if number % 2 == 0 { begin } else { &form })));
    let others = async {
        assert!(kost.sim.send_test_notification());
        kost.sim.wait_until_delivered().await.unwrap();
        kost.sim.notifications_sent().pop().unwrap().answer
    };
    let (heard, other) = tokio::join!(slow, others);
    assert_eq!(other, Some(201));
    for heard in heard {
        assert!(
            heard.starts_with("HTTP/1.1 408 Request Timeout\r\n") && heard.contains("too-slow"),
            "{heard}"
        );
    }
    kost.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_too_large_is_refused() {
    let kost = open("").await;
    let many = "x-header: a\r\n".repeat(100);
    let large = format!("x-header: {}\r\n", "a".repeat(16 * 1024));
    for head in [
        format!("GET /livez HTTP/1.1\r\nhost: kost\r\n{many}\r\n"),
        format!("GET /livez HTTP/1.1\r\n{large}\r\n"),
    ] {
        let heard = told(&kost, head).await;
        assert!(heard.starts_with("HTTP/1.1 431 "), "{heard}");
    }
    // One that never ends is cut.
    let mut stream = connect(&kost).await;
    stream.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
    while stream.write_all(many.as_bytes()).await.is_ok() {}
    let heard = rest_of(stream).await;
    assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 431 "), "{heard}");
    is_served(&kost).await;
    kost.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_request_garbage_ends_its_own_connection_only() {
    let kost = open("head_timeout_s = 1\n").await;
    let heard = told(&kost, format!("{ASK}{ASK}\u{0}\u{1}\u{2}nonsense\r\n\r\n{ASK}")).await;
    assert_eq!(heard.matches("HTTP/1.1 200 OK").count(), 2, "{heard}");
    assert_eq!(heard.matches("HTTP/1.1 400 Bad Request").count(), 1, "{heard}");
    let noise: Vec<u8> = (0..100_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let http2 = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", noise.as_slice()].concat();
    for garbage in [noise, http2, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()] {
        let heard = told(&kost, garbage).await;
        assert!(!heard.contains("200 OK"), "{heard}");
    }
    is_served(&kost).await;
    kost.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_is_closed() {
    let kost = open("idle_timeout_s = 1\n").await;
    let heard = told(&kost, ASK).await;
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\n"), "{heard}");
    kost.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_connections_than_there_are_places_wait_and_idle_ones_make_room() {
    // The house itself needs some: the gateway's and its own.
    let kost = open("connections = 8\nhead_timeout_s = 2\nidle_timeout_s = 3600\n").await;
    let callers = join_all((0..MANY).map(|_| async {
        let mut stream = connect(&kost).await;
        stream.write_all(ASK.as_bytes()).await.unwrap();
        let mut heard = [0; 15];
        stream.read_exact(&mut heard).await.unwrap();
        (stream, String::from_utf8_lossy(&heard).into_owned())
    }));
    // Nobody hangs up, and yet all are served.
    for (_, heard) in callers.await {
        assert_eq!(heard, "HTTP/1.1 200 OK");
    }
    // Heads that do not end take all places, until they are cut.
    let mut slow = Vec::new();
    for _ in 0..MANY {
        let mut stream = connect(&kost).await;
        stream.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
        slow.push(stream);
    }
    is_served(&kost).await;
    drop(slow);
    kost.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_nobody_takes_is_given_up() {
    let kost =
        open("connections = 1\nbody_timeout_s = 1\nrequest_timeout_s = 1\nstall_timeout_s = 3\n").await;
    let mut stream = connect(&kost).await;
    // More than the buffers of the system hold, and nothing of it is read.
    let asked = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: kost\r\n\r\n".repeat(100);
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut other = connect(&kost).await;
    other.write_all(ASK.as_bytes()).await.unwrap();
    let mut heard = [0; 15];
    other.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"HTTP/1.1 200 OK", "the place of the first is free");
    let taken = rest_of(stream).await;
    assert!(taken.len() > 100_000, "the first was being answered: {} bytes", taken.len());
    drop(other);
    kost.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_of_http_2_says_how_much_it_takes() {
    let kost = open("").await;
    let mut stream = connect(&kost).await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    // A frame: its length in three bytes, its type (4 for settings), flags and stream, then pairs of name and value.
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4);
    let mut settings = vec![0; usize::from(head[2])];
    stream.read_exact(&mut settings).await.unwrap();
    let value = |name: u8| {
        let pair = settings.chunks(6).find(|pair| pair[1] == name).unwrap();
        u32::from_be_bytes(pair[2..].try_into().unwrap())
    };
    assert_eq!((value(3), value(6)), (32, 16 * 1024), "streams at once, and the size of a head");
    drop(stream);
    is_served(&kost).await;
    kost.close().await;
}
