//! A web server that answers what the test wants, truth or not.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A request.
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) body: String,
}

/// Answers requests on a free port of the loopback address until it is dropped.
pub(crate) struct Web {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Web {
    /// `answer` gets the path and returns the body; without one the answer is 404.
    pub(crate) fn start(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + 'static) -> Self {
        Self::answering(move |asked| {
            answer(&asked.path).map_or((404, Vec::new()), |body| (200, body))
        })
    }

    /// `answer` returns status and body.
    pub(crate) fn answering(answer: impl Fn(&Asked) -> (u16, Vec<u8>) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let answer = Arc::new(Mutex::new(answer));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Acquire) {
                    return;
                }
                // A client may hold a connection on which it asks nothing, or go away in the middle
                // of an endless answer.
                let answer = Arc::clone(&answer);
                thread::spawn(move || {
                    let _ = stream.and_then(|stream| {
                        serve(stream, |asked| {
                            answer.lock().expect("no test panics while it answers")(asked)
                        })
                    });
                });
            }
        });
        Self {
            address,
            is_over,
            thread: Some(thread),
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        // Wakes it up.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, answer: impl Fn(&Asked) -> (u16, Vec<u8>)) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim_end().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
    let (status, body) = answer(&Asked {
        path,
        body: String::from_utf8(body).expect("text"),
    });
    write!(
        stream,
        "HTTP/1.1 {status} -\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}
