//! Where letters go in the stories: a mail server that speaks SMTP over a real connection, and a webhook.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// What the mail server asks for.
pub(crate) const MAIL_PASSWORD: &str = "stories-mail-hush-4713";
/// The user `kost` and that password, as they go over the line (RFC 4616).
const CREDENTIALS: &str = "AGtvc3QAc3Rvcmllcy1tYWlsLWh1c2gtNDcxMw==";

/// A letter as the mail server took it.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) to: String,
    /// Head and body, as they came.
    pub(crate) text: String,
}

impl Mail {
    /// What a line of the head says.
    pub(crate) fn head(&self, name: &str) -> &str {
        let start = format!("{name}: ");
        self.text.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default()
    }

    /// The whole letter without the line ends that the way puts into it.
    pub(crate) fn unfolded(&self) -> String {
        self.text.replace("=\r\n", "").replace("=3D", "=")
    }
}

#[derive(Default)]
struct Shelf {
    mails: Vec<Mail>,
    /// What the next recipients are answered instead of 250.
    answers: VecDeque<&'static str>,
}

/// A mail server on a port of its own.
pub(crate) struct MailServer {
    addr: SocketAddr,
    shelf: Arc<Mutex<Shelf>>,
    serving: Option<AbortOnDropHandle<()>>,
}

impl MailServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (addr, shelf) = (listener.local_addr().unwrap(), Arc::default());
        let serving = Some(serve(listener, Arc::clone(&shelf)));
        Self { addr, shelf, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://kost:{MAIL_PASSWORD}@{}", self.addr)
    }

    /// Nobody listens there any more.
    pub(crate) async fn dies(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _cancelled = serving.await;
        }
    }

    /// It listens where it listened before.
    pub(crate) async fn is_back(&mut self) {
        let listener = TcpListener::bind(self.addr).await.unwrap();
        self.serving = Some(serve(listener, Arc::clone(&self.shelf)));
    }

    /// The next recipient is answered so.
    pub(crate) fn answers(&self, line: &'static str) {
        self.shelf.lock().unwrap().answers.push_back(line);
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.shelf.lock().unwrap().mails.clone()
    }

    /// The letters that came since the last look.
    pub(crate) fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut self.shelf.lock().unwrap().mails)
    }
}

fn serve(listener: TcpListener, shelf: Arc<Mutex<Shelf>>) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Whoever goes away in the middle has sent nothing.
            let _talk = tokio::spawn(talk(stream, Arc::clone(&shelf)));
        }
    }))
}

/// One conversation (RFC 5321), as far as a sender of letters needs it.
async fn talk(stream: TcpStream, shelf: Arc<Mutex<Shelf>>) -> std::io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    writing.write_all(b"220 mail.test ESMTP\r\n").await?;
    let mut to = String::new();
    while let Some(line) = lines.next_line().await? {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-mail.test\r\n250-8BITMIME\r\n250 AUTH PLAIN",
            "AUTH" if line.ends_with(CREDENTIALS) => "235 come in",
            "AUTH" => "535 who are you?",
            "MAIL" | "RSET" | "NOOP" => "250 ok",
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                let answer = shelf.lock().unwrap().answers.pop_front();
                answer.unwrap_or("250 ok")
            }
            "DATA" => {
                writing.write_all(b"354 go on\r\n").await?;
                let mut text = String::new();
                while let Some(line) = lines.next_line().await? {
                    if line == "." {
                        break;
                    }
                    text.push_str(line.strip_prefix('.').unwrap_or(&line));
                    text.push_str("\r\n");
                }
                shelf.lock().unwrap().mails.push(Mail { to: to.clone(), text });
                "250 taken"
            }
            "QUIT" => {
                writing.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "502 what?",
        };
        writing.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

/// A call as the webhook took it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

#[derive(Default)]
struct Calls {
    taken: Vec<Call>,
    answers: VecDeque<StatusCode>,
}

/// A webhook on a port of its own.
pub(crate) struct Hook {
    addr: SocketAddr,
    calls: Arc<Mutex<Calls>>,
    _serving: AbortOnDropHandle<()>,
}

impl Hook {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let calls: Arc<Mutex<Calls>> = Arc::default();
        let router = Router::new().route("/hook", post(take)).with_state(Arc::clone(&calls));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { addr, calls, _serving: AbortOnDropHandle::new(serving) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.addr)
    }

    /// The next call is answered so.
    pub(crate) fn answers(&self, status: StatusCode) {
        self.calls.lock().unwrap().answers.push_back(status);
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().taken.clone()
    }
}

async fn take(State(calls): State<Arc<Mutex<Calls>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut calls = calls.lock().unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    calls.taken.push(Call { headers, body });
    calls.answers.pop_front().unwrap_or(StatusCode::OK)
}
