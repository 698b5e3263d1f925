//! Faults that the service survives, made on purpose.

#![cfg(test)]

mod canary;
mod canary_bodies;
mod dirty_connection;
mod journal;
mod kill;
mod load;
mod plant;
mod proxy;
mod reply_cut;
mod reset;
mod size;
mod starting;
