//! Ports for programs that are started later.

#![allow(
    clippy::expect_used,
    reason = "a fixture is part of a test: it says what is wrong by panicking"
)]

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below what Linux gives to whoever asks for any port (`ip_local_port_range`, 32768 and up): none of these is given away between
/// the look and the start of the program.
const FIRST: u16 = 16_000;
/// Processes that look at the same time look in different places.
const PLACES: u16 = 1_000;
const PORTS_PER_PLACE: u16 = 16;

/// A port of this machine that nobody listens on. Asked again, a process gets another one.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    static ASKED: AtomicU16 = AtomicU16::new(0);
    let place = u16::try_from(std::process::id() % u32::from(PLACES)).unwrap_or_default();
    let all = PLACES * PORTS_PER_PLACE;
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let next = || {
        let asked = ASKED.fetch_add(1, Ordering::Relaxed);
        FIRST + (place * PORTS_PER_PLACE + asked % all) % all
    };
    let mut looks = (0..all).map(|_| next());
    looks.find(is_free).expect("a free port")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_port_is_another_one_and_can_be_bound() {
        let ports = [free_port(), free_port(), free_port()];
        let bound = ports.map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
        assert_eq!(bound.len(), 3);
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port())).unwrap();
        assert!(!ports.contains(&taken.local_addr().unwrap().port()));
    }
}
