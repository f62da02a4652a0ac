//! Accepts connections and speaks HTTP/1.1 on each, by hand: only so can a connection be closed without an answer.

use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::desk::Desk;

/// How long running requests may take to finish once the sandbox stops.
const DRAIN: Duration = Duration::from_secs(5);
/// The wait after a failed accept: out of file handles, for one, is a lack that passes.
const BREATH: Duration = Duration::from_millis(50);

/// Serves until `stop` turns true or its sender is gone; then finishes what runs, for a bounded time.
pub(crate) async fn serve(listener: TcpListener, desk: Desk, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let told = stop.clone();
    loop {
        tokio::select! {
            () = asked_to(&mut stop) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(speak(stream, desk.clone(), told.clone()));
                }
                Err(error) => {
                    tracing::warn!(error = %error, "The sandbox cannot accept a connection");
                    desk.server.clock.sleep(BREATH).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        tracing::warn!("The sandbox stops with requests still running");
    }
    connections.shutdown().await;
}

/// Waits for the order to stop. The guard that the channel answers with must not live on.
async fn asked_to(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

async fn speak(stream: TcpStream, desk: Desk, mut stop: watch::Receiver<bool>) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        desk.clone().answer(request.map(Body::new))
    });
    // Half-closed connections live on: a request is processed to its end even when the client gave up waiting, as it
    // would be behind a gateway.
    let connection = http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        result = connection.as_mut() => Some(result),
        () = asked_to(&mut stop) => None,
    };
    let result = if let Some(result) = ended {
        result
    } else {
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Err(error) = result {
        tracing::debug!(error = %error, "A connection to the sandbox has ended early");
    }
}
