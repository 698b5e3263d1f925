//! How many connections one address may hold. It knows addresses and counts, and neither requests nor who sends them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The connections that are open, by address.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    max_per_address: usize,
    seats: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Crowd {
    /// Admits so many connections from each address; any number for 0.
    pub(crate) fn new(max_per_address: usize) -> Self {
        Self { max_per_address, seats: Arc::default() }
    }

    /// Gives a connection its seat, unless its address has too many.
    pub(crate) fn seat(&self, address: Option<IpAddr>) -> Option<Seat> {
        let Some(address) = address.filter(|_| self.max_per_address > 0) else { return Some(Seat(None)) };
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let n_taken = seats.entry(address).or_default();
        if *n_taken >= self.max_per_address {
            return None;
        }
        *n_taken += 1;
        Some(Seat(Some((address, Arc::clone(&self.seats)))))
    }
}

/// One connection's seat, free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat(Option<(IpAddr, Arc<Mutex<HashMap<IpAddr, usize>>>)>);

impl Drop for Seat {
    fn drop(&mut self) {
        let Some((address, seats)) = &self.0 else { return };
        let mut seats = seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n_taken) = seats.get_mut(address) {
            *n_taken -= 1;
            if *n_taken == 0 {
                seats.remove(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_seats_and_others_have_their_own() {
        let crowd = Crowd::new(2);
        let address = |last| Some(IpAddr::from([192, 0, 2, last]));
        let taken = (crowd.seat(address(1)).unwrap(), crowd.seat(address(1)).unwrap());

        assert!(crowd.seat(address(1)).is_none());
        assert!(crowd.seat(address(2)).is_some());
        drop(taken);
        assert!(crowd.seat(address(1)).is_some());
        assert!(crowd.seats.lock().unwrap().is_empty());
    }
}
