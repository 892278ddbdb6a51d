//! A caller on one connection, who costs little: the request is bytes that were made before, of the answer only the status
//! matters.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Nobody waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that is opened when it is needed.
pub(crate) struct Caller {
    port: u16,
    stream: Option<TcpStream>,
    heard: Vec<u8>,
}

impl Caller {
    pub(crate) fn of(port: u16) -> Self {
        Self { port, stream: None, heard: Vec::with_capacity(4_096) }
    }

    /// Sends the request; gives the status, and how long that took. A connection that the service closed while it was
    /// idle is opened again, once, as every client does.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<(u16, Duration)> {
        let begun = Instant::now();
        let was_open = self.stream.is_some();
        let mut answer = self.once(request).await;
        if answer.is_err() && was_open {
            answer = self.once(request).await;
        }
        answer.map(|status| (status, begun.elapsed()))
    }

    async fn once(&mut self, request: &[u8]) -> io::Result<u16> {
        let asking = async {
            let mut stream = match self.stream.take() {
                Some(stream) => stream,
                None => TcpStream::connect(("127.0.0.1", self.port)).await?,
            };
            stream.write_all(request).await?;
            self.heard.clear();
            let end = loop {
                if stream.read_buf(&mut self.heard).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                if let Some(end) = end_of_answer(&self.heard) {
                    break end;
                }
            };
            while self.heard.len() < end {
                if stream.read_buf(&mut self.heard).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            let head = String::from_utf8_lossy(&self.heard[..end.min(self.heard.len())]);
            let status = head.get(9..12).and_then(|status| status.parse().ok());
            if !head.contains("connection: close") {
                self.stream = Some(stream);
            }
            status.ok_or_else(|| io::ErrorKind::InvalidData.into())
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// Where the answer ends, once its head is there.
fn end_of_answer(heard: &[u8]) -> Option<usize> {
    let head = heard.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&heard[..head]).ok()?;
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    Some(head + length.trim().parse::<usize>().ok()?)
}
