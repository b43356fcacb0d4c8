//! How often sign-in and set-up may be tried.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, Reference as _};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use sha2::{Digest, Sha256};
use z4j_core::env::Env;

/// Keys a limiter remembers before it forgets those that have recovered.
const KEYS_SWEEP: usize = 10_000;

/// Who tries: an IPv4 address or an IPv6 network of 64 bits.
///
/// Loopback has no limit of its own: behind a proxy on the same machine everybody comes from there, and one stranger would
/// lock all of them out. The limits of each account and of the whole instance hold for it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AddressKey(Option<IpAddr>);

impl AddressKey {
    /// The key of an address; all callers without one share a key.
    pub(crate) fn of(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => {
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)))
            }
            whole => whole,
        }))
    }

    fn is_loopback(self) -> bool {
        self.0.is_some_and(|address| address.is_loopback())
    }
}

/// The machine's clock as a limiter reads it.
#[derive(Clone, Debug)]
struct EnvClock(Env);

impl Clock for EnvClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}

type Keyed<K> = RateLimiter<K, HashMapStateStore<K>, EnvClock, NoOpMiddleware<Nanos>>;
type Single = RateLimiter<NotKeyed, InMemoryState, EnvClock, NoOpMiddleware<Nanos>>;

/// The limits of `reliability.md` §6.6 on sign-in and set-up.
#[derive(Debug)]
pub(crate) struct Throttles {
    clock: EnvClock,
    sign_in_by_address: Keyed<AddressKey>,
    sign_in_by_account: Keyed<[u8; 32]>,
    setup_by_address: Keyed<AddressKey>,
    in_all: Single,
}

impl Throttles {
    /// Nobody has tried yet.
    pub(crate) fn new(env: Env) -> Self {
        let clock = EnvClock(env);
        Self {
            sign_in_by_address: keyed(20, Duration::from_secs(3), &clock),
            sign_in_by_account: keyed(10, Duration::from_secs(60), &clock),
            setup_by_address: keyed(5, Duration::from_secs(180), &clock),
            in_all: RateLimiter::direct_with_clock(
                quota(30, Duration::from_secs(1) / 30),
                clock.clone(),
            ),
            clock,
        }
    }

    /// Takes one try at signing in.
    ///
    /// # Errors
    /// How long to wait, when there have been too many.
    pub(crate) fn sign_in(&self, address: AddressKey, account: &str) -> Result<(), Duration> {
        self.take_of_address(&self.sign_in_by_address, address)?;
        self.take(
            &self.sign_in_by_account,
            &Sha256::digest(account.as_bytes()).into(),
        )?;
        self.take_in_all()
    }

    /// Takes one try at setting up.
    ///
    /// # Errors
    /// How long to wait, when there have been too many.
    pub(crate) fn setup(&self, address: AddressKey) -> Result<(), Duration> {
        self.take_of_address(&self.setup_by_address, address)?;
        self.take_in_all()
    }

    fn take_of_address(
        &self,
        limiter: &Keyed<AddressKey>,
        address: AddressKey,
    ) -> Result<(), Duration> {
        if address.is_loopback() {
            return Ok(());
        }
        self.take(limiter, &address)
    }

    fn take_in_all(&self) -> Result<(), Duration> {
        self.in_all
            .check()
            .map_err(|not_until| self.wait(&not_until))
    }

    fn take<K: Clone + Eq + std::hash::Hash>(
        &self,
        limiter: &Keyed<K>,
        key: &K,
    ) -> Result<(), Duration> {
        if limiter.len() > KEYS_SWEEP {
            limiter.retain_recent();
        }
        limiter
            .check_key(key)
            .map_err(|not_until| self.wait(&not_until))
    }

    fn wait(&self, not_until: &governor::NotUntil<Nanos>) -> Duration {
        let wait = not_until
            .earliest_possible()
            .duration_since(self.clock.now());
        Duration::from(wait).max(Duration::from_secs(1))
    }
}

fn keyed<K: Clone + Eq + std::hash::Hash>(
    burst: u32,
    every: Duration,
    clock: &EnvClock,
) -> Keyed<K> {
    RateLimiter::new(
        quota(burst, every),
        HashMapStateStore::default(),
        clock.clone(),
    )
}

/// `burst` at once, then one `every`.
fn quota(burst: u32, every: Duration) -> Quota {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(every)
        .unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN))
        .allow_burst(burst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_key_of_ipv6_is_its_network() {
        let key = |text: &str| AddressKey::of(Some(text.parse().unwrap()));
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }

    #[test]
    fn eleventh_try_at_one_account_waits_whatever_the_address() {
        let throttles = Throttles::new(Env::system());
        for n in 0..10 {
            let address = AddressKey::of(Some(IpAddr::from([192, 0, 2, n])));
            throttles.sign_in(address, "a@example.org").unwrap();
        }
        let address = AddressKey::of(Some(IpAddr::from([192, 0, 2, 99])));
        let wait = throttles.sign_in(address, "a@example.org").unwrap_err();
        assert!(wait <= Duration::from_secs(60), "{wait:?}");
        throttles.sign_in(address, "b@example.org").unwrap();
    }

    #[test]
    fn twenty_first_try_from_one_address_waits_whatever_the_account() {
        let throttles = Throttles::new(Env::system());
        let address = AddressKey::of(None);
        for n in 0..20 {
            throttles
                .sign_in(address, &format!("{n}@example.org"))
                .unwrap();
        }
        assert!(throttles.sign_in(address, "new@example.org").is_err());
    }

    #[test]
    fn loopback_has_the_limit_of_the_instance_only() {
        for text in ["127.0.0.1", "127.8.9.10", "::ffff:127.0.0.1", "::1"] {
            let throttles = Throttles::new(Env::system());
            let address = AddressKey::of(Some(text.parse().unwrap()));
            assert!((0..30).all(|_| throttles.setup(address).is_ok()), "{text}");
        }
        let throttles = Throttles::new(Env::system());
        let address = AddressKey::of(Some("192.0.2.1".parse().unwrap()));
        assert_eq!(
            (0..30).filter(|_| throttles.setup(address).is_ok()).count(),
            5
        );
    }
}
