//! columnar
/// placeholder until the module lands
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct ColumnarError;
