//! Faults that the service survives, made on purpose.

mod dirty_connection;
mod hang_up;
mod proxy;
