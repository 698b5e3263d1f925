//! Transactions that nobody can cancel.
//!
//! An HTTP server drops a handler's future when its client goes away. A transaction inside it would be cut anywhere,
//! even within `begin`, which hands a connection inside an open transaction back to the pool. So a transactional unit
//! runs in a task of its own, and the handler only waits for it.

use super::error::ServiceError;

/// Runs a unit to its end, whether or not the caller still waits.
pub async fn detached<T: Send + 'static>(
    unit: impl Future<Output = Result<T, ServiceError>> + Send + 'static,
) -> Result<T, ServiceError> {
    spawn(unit).await.map_err(|_| ServiceError::Internal("a detached task ended without a result"))?
}

/// Runs a unit to its end on another runtime than the caller's.
///
/// The HTTP server's threads have runtimes of their own, which end with it; connections of the pools that were opened
/// on one of them, and units that still run there, would end too.
pub async fn detached_on<T: Send + 'static>(
    runtime: &tokio::runtime::Handle,
    unit: impl Future<Output = Result<T, ServiceError>> + Send + 'static,
) -> Result<T, ServiceError> {
    runtime.spawn(unit).await.map_err(|_| ServiceError::Internal("a detached task ended without a result"))?
}

/// Runs a computation that takes long on a thread where nobody else waits for it, to its end, whether or not the caller
/// still waits.
pub async fn blocking_on<T: Send + 'static>(
    runtime: &tokio::runtime::Handle,
    compute: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ServiceError> {
    runtime.spawn_blocking(compute).await.map_err(|_| ServiceError::Internal("a computation ended without a result"))
}

/// Starts a task of the service's; the one place where tasks are made.
#[expect(clippy::disallowed_methods, reason = "the owner of every task")]
pub fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio::spawn(task)
}

/// Starts a task of the service's on another runtime than the caller's, for callers that may go away with theirs.
pub fn spawn_on<T: Send + 'static>(
    runtime: &tokio::runtime::Handle,
    task: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    runtime.spawn(task)
}
