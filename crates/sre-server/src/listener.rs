//! Connections: as many as allowed, each with time limits.
//!
//! A slow client costs one connection for at most the time limits: the head of a request, its whole
//! body, every write, and the time between two requests have one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;

use crate::connection::{Limited, Phases, Routes};
use crate::{App, routes};

/// Bytes of a request's head.
const HEAD_LIMIT_BYTES: usize = 64 << 10;
/// Lines of a request's head.
const HEAD_LIMIT_LINES: usize = 64;

/// A bound address, ready to serve.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
}

impl Server {
    /// Binds `address`. Clients can connect from here on and wait until [`Server::run`].
    ///
    /// # Errors
    /// As `bind(2)`.
    pub async fn bind(app: Arc<App>, address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            app,
            listener: TcpListener::bind(address).await?,
        })
    }

    /// The address, with the port that was chosen where 0 was asked for.
    ///
    /// # Errors
    /// As `getsockname(2)`.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` ends; then takes no more connections, lets requests end for `grace`, and
    /// cuts the rest.
    pub async fn run(self, stop: impl Future<Output = ()>, grace: Duration) {
        let Self { app, listener } = self;
        let limit = app.options.connections_limit.max(1);
        let permits = Arc::new(Semaphore::new(limit));
        let router = routes::router(&app);
        let serve = async {
            while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let router = router.clone();
                        tokio::spawn(connection(Arc::clone(&app), router, stream, permit));
                    }
                    Err(error) => {
                        // Too many open files, for instance. Trying again at once would only burn
                        // the processor.
                        tracing::warn!(%error, "a connection cannot be accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        };
        tokio::select! {
            () = serve => {}
            () = stop => {}
        }
        drop(listener);
        app.service.stop_waiting();
        let all = u32::try_from(limit).unwrap_or(u32::MAX);
        drop(tokio::time::timeout(grace, permits.acquire_many(all)).await);
    }
}

async fn connection(
    app: Arc<App>,
    router: axum::Router,
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
) {
    // Answers are written whole; waiting for more to send would only delay them.
    drop(stream.set_nodelay(true));
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(app.options.write_time_limit));
    let phases = Phases::new(app.options.head_time_limit, app.options.idle_time_limit);
    let stream = Limited::new(Box::pin(stream), phases.clone());
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The stream has the limits; see `connection`.
        .header_read_timeout(None)
        .max_buf_size(HEAD_LIMIT_BYTES)
        .max_headers(HEAD_LIMIT_LINES)
        .serve_connection(TokioIo::new(stream), Routes { router, phases });
    let mut connection = std::pin::pin!(connection);
    let mut stop = app.service.stopping();
    let stopped = async move { stop.wait_for(|stop| *stop).await.is_ok() };
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        _ = stopped => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
