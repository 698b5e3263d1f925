//! Faults that the service survives, made on purpose.

#![cfg(test)]

mod bombs;
mod canary;
mod canary_bodies;
mod dirty_connection;
mod disk_full;
mod export_disk;
mod export_kill;
mod export_place;
mod freeze;
mod good_client;
mod journal;
mod kill;
mod load;
mod plant;
mod pool;
mod proxy;
mod reply_cut;
mod reset;
mod silence;
mod size;
mod slow_clients;
mod starting;
