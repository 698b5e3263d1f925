//! Faults that the service survives, made on purpose.

#![cfg(test)]

mod dirty_connection;
mod hang_up;
mod proxy;
