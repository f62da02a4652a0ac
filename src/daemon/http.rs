//! The loopback endpoint: `/healthz`, whether the loop still ticks, and `/metrics` for Prometheus. Off unless configured.
//!
//! It has no access control and needs none: it answers this machine alone, knows nothing of people, and takes no order. The hazard is that it disturbs the service, so
//! it reads the state off the loop and the async threads, one answer at a time, and connections are few, short and small.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::Full;
use hyper::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinError;
use tokio::time::{Instant, timeout};

use super::{DaemonError, Loaded, SILENCE};
use crate::clock::Clock;
use crate::metrics::{Format, Metrics};
use crate::source::chain;
use crate::status::status_of_all;
use crate::store::Store;
use crate::sync::RunReport;

/// So many connections at once; others wait until one is over.
const CONNECTIONS: usize = 8;
/// A request has so long to arrive.
const ARRIVAL: Duration = Duration::from_secs(5);
/// A whole connection, answer included. One request a connection.
const WHOLE: Duration = Duration::from_secs(30);
/// Largest head of a request, bytes.
const LARGEST: usize = 16 * 1024;
/// The wait after a failed accept: out of file handles, for one, is a lack that passes.
const BREATH: Duration = Duration::from_secs(1);

/// What the endpoint knows of the service, and the endpoint where there is one.
pub(super) struct Monitor {
    seen: Arc<Seen>,
    listening: Option<Listening>,
}

/// What the answers are made from.
struct Seen {
    metrics: Metrics,
    loaded: Mutex<Arc<Loaded>>,
    store: Store,
    clock: Clock,
    /// When the loop last looked for what is due.
    beat: Mutex<Instant>,
    /// Whether the log was told that the state cannot be read.
    told: Mutex<bool>,
    /// One look at the state at a time.
    looks: Semaphore,
}

/// A listening endpoint; it ends with this.
struct Listening {
    address: SocketAddr,
    _end: oneshot::Sender<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Monitor {
    pub(super) fn new(loaded: &Arc<Loaded>, store: &Store, clock: &Clock) -> Self {
        let monitor = Self {
            seen: Arc::new(Seen {
                metrics: Metrics::new(clock.now()),
                loaded: Mutex::new(Arc::clone(loaded)),
                store: store.clone(),
                clock: clock.clone(),
                beat: Mutex::new(Instant::now()),
                told: Mutex::new(false),
                looks: Semaphore::new(1),
            }),
            listening: None,
        };
        monitor.loaded(loaded);
        monitor
    }

    /// Listens where the configuration says, or no longer. On an error everything is as before.
    pub(super) fn listen(&mut self, address: Option<SocketAddr>) -> Result<(), DaemonError> {
        if self.listening.as_ref().map(|old| old.address) == address {
            return Ok(());
        }
        let Some(address) = address else {
            self.listening = None;
            tracing::info!("Metrics are no longer served");
            return Ok(());
        };
        let failed = |cause| DaemonError::Http { address, cause };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
        let (end, ended) = oneshot::channel();
        tokio::spawn(serve(listener, Arc::clone(&self.seen), ended));
        self.listening = Some(Listening { address, _end: end });
        tracing::info!("Health and metrics are served on http://{address}");
        Ok(())
    }

    /// A configuration is in force.
    pub(super) fn loaded(&self, loaded: &Arc<Loaded>) {
        *lock(&self.seen.loaded) = Arc::clone(loaded);
        let names = loaded.config.integrations.iter();
        let names = names.map(|integration| integration.name.as_str());
        self.seen.metrics.expect(names);
    }

    /// A reload was made or refused.
    pub(super) fn reloaded(&self, successful: bool) {
        self.seen.metrics.reloaded(successful);
    }

    /// The loop has looked for what is due.
    pub(super) fn beat(&self, now: DateTime<Utc>) {
        self.seen.metrics.ticked(now);
        *lock(&self.seen.beat) = Instant::now();
    }

    /// A run has ended.
    pub(super) fn ended(&self, name: &str, result: &Result<RunReport, JoinError>) {
        match result {
            Ok(report) => self.seen.metrics.run_ended(report),
            Err(error) if error.is_panic() => self.seen.metrics.run_panicked(name),
            Err(_) => {}
        }
    }
}

/// Accepts until the other end of `ended` is gone.
async fn serve(
    listener: tokio::net::TcpListener,
    seen: Arc<Seen>,
    mut ended: oneshot::Receiver<()>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            _ = &mut ended => return,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    let _place = place;
                    speak(stream, seen).await;
                });
            }
            Err(error) => {
                tracing::warn!(error = %error, "The endpoint of the metrics cannot accept a connection");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

async fn speak(stream: TcpStream, seen: Arc<Seen>) {
    let service = service_fn(move |request| {
        let seen = Arc::clone(&seen);
        async move { Ok::<_, Infallible>(seen.answer(&request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ARRIVAL)
        .max_buf_size(LARGEST)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever asks badly or leaves early is told by the status or knows it.
    let _ = timeout(WHOLE, connection).await;
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

const TEXT: &str = "text/plain; charset=utf-8";

/// How the loop is, which has been silent for so long.
fn health(silent: Duration) -> Response<Full<Bytes>> {
    let (code, word) = if silent < SILENCE {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "silent")
    };
    let json = serde_json::json!({
        "status": word,
        "secondsSinceTick": silent.as_secs(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    response(code, "application/json", format!("{json}\n"))
}

impl Seen {
    async fn answer<B>(self: &Arc<Self>, request: &Request<B>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if !["/healthz", "/metrics"].contains(&path) {
            let text = "There are /healthz and /metrics\n".to_owned();
            return response(StatusCode::NOT_FOUND, TEXT, text);
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let text = "Only GET and HEAD\n".to_owned();
            let mut response = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allowed);
            return response;
        }
        if path == "/healthz" {
            return health(lock(&self.beat).elapsed());
        }
        let accept = request.headers().get(ACCEPT);
        let accept = accept.and_then(|accept| accept.to_str().ok());
        self.metrics(Format::asked_for(accept.unwrap_or_default()))
            .await
    }

    async fn metrics(self: &Arc<Self>, format: Format) -> Response<Full<Bytes>> {
        let Ok(_place) = self.looks.acquire().await else {
            return self.unreadable("The service is stopping");
        };
        let seen = Arc::clone(self);
        let look = tokio::task::spawn_blocking(move || {
            let loaded = Arc::clone(&lock(&seen.loaded));
            let status = status_of_all(&loaded.config, &seen.store, &seen.clock)?;
            Ok::<_, crate::store::StoreError>(seen.metrics.render(&status, format))
        });
        match look.await {
            Ok(Ok(text)) => {
                *lock(&self.told) = false;
                response(StatusCode::OK, format.content_type(), text)
            }
            Ok(Err(error)) => self.unreadable(&chain(&error)),
            Err(_) => self.unreadable("An internal error happened"),
        }
    }

    /// The log is told once, not at every question.
    fn unreadable(&self, why: &str) -> Response<Full<Bytes>> {
        if !std::mem::replace(&mut *lock(&self.told), true) {
            tracing::error!("The metrics cannot be made: {why}");
        }
        let text = "The state cannot be read; the log says why\n".to_owned();
        response(StatusCode::INTERNAL_SERVER_ERROR, TEXT, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_has_been_silent_for_longer_than_its_ticker_may_is_not_healthy() {
        let status = |seconds| health(Duration::from_secs(seconds)).status();
        assert_eq!(status(0), StatusCode::OK);
        assert_eq!(status(SILENCE.as_secs() - 1), StatusCode::OK);
        let silent = status(SILENCE.as_secs());
        assert_eq!(silent, StatusCode::SERVICE_UNAVAILABLE);
    }
}
