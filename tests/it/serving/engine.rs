//! A serving engine as far as its page of metrics goes: it answers what a test tells it to, lies and stalls included.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use afterword::service::detached::spawn;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a path answers.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// A page, and its status.
    Page(u16, String),
    /// Another place to ask.
    Redirect(String),
    /// A head, and a body that does not end.
    Stall,
    /// A body without an end, as fast as it is read.
    Flood,
    /// Nothing: the connection is closed.
    Close,
}

/// A running engine; it ends with the test's runtime.
pub(super) struct FakeEngine {
    /// Address of its page of metrics.
    pub(super) url: String,
    replies: Arc<Mutex<HashMap<String, Reply>>>,
    asked: watch::Receiver<usize>,
}

impl FakeEngine {
    /// Starts an engine whose page is this.
    pub(super) async fn start(page: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        let replies = Arc::new(Mutex::new(HashMap::new()));
        let (count, asked) = watch::channel(0);
        let served = Arc::clone(&replies);
        spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (served, count) = (Arc::clone(&served), count.clone());
                spawn(async move {
                    let _closed = serve(connection, &served, &count).await;
                });
            }
        });
        let engine = Self { url, replies, asked };
        engine.answer("/metrics", Reply::Page(200, page.to_owned()));
        engine
    }

    /// Changes what a path answers.
    pub(super) fn answer(&self, path: &str, reply: Reply) {
        self.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// Changes the page.
    pub(super) fn page(&self, page: &str) {
        self.answer("/metrics", Reply::Page(200, page.to_owned()));
    }

    /// Waits until it was asked so often.
    pub(super) async fn asked(&self, n_times: usize) {
        let mut asked = self.asked.clone();
        asked.wait_for(|n| *n >= n_times).await.unwrap();
    }

    /// Returns how often it was asked.
    pub(super) fn n_asked(&self) -> usize {
        *self.asked.borrow()
    }
}

async fn serve(
    mut connection: TcpStream,
    replies: &Mutex<HashMap<String, Reply>>,
    count: &watch::Sender<usize>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let reply = replies.lock().unwrap().get(&path).cloned().unwrap_or(Reply::Page(404, String::new()));
    count.send_modify(|n| *n += 1);
    match reply {
        Reply::Page(status, page) => {
            let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", page.len());
            connection.write_all(head.as_bytes()).await?;
            connection.write_all(page.as_bytes()).await
        }
        Reply::Redirect(to) => {
            let head = format!("HTTP/1.1 302 x\r\nlocation: {to}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            connection.write_all(head.as_bytes()).await
        }
        Reply::Stall => {
            connection.write_all(b"HTTP/1.1 200 x\r\ncontent-length: 100\r\n\r\nvllm:").await?;
            // Until the other side has had enough.
            connection.read_to_end(&mut Vec::new()).await.map(drop)
        }
        Reply::Flood => {
            connection.write_all(b"HTTP/1.1 200 x\r\nconnection: close\r\n\r\n").await?;
            let line = [b'#'; 4096];
            loop {
                connection.write_all(&line).await?;
            }
        }
        Reply::Close => Ok(()),
    }
}
