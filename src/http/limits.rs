//! How fast one may ask: a bucket for each principal and kind of request, and one for each address that is not yet
//! anybody.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use actix_web::HttpRequest;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde::Deserialize;
use signalbox_domain::ids::ClientId;

use super::problem::{Code, Problem};

/// The numbers. `burst` is what one may ask at once after a pause.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConf {
    /// Signals and every other change. A strategy that rebalances 2,000 names at once must fit.
    pub writes_per_s: NonZeroU32,
    pub writes_burst: NonZeroU32,
    /// A console and a notebook that poll.
    pub reads_per_s: NonZeroU32,
    pub reads_burst: NonZeroU32,
    /// Cancels and trading states.
    pub cancels_per_s: NonZeroU32,
    pub cancels_burst: NonZeroU32,
    /// Logins with one username from one address: a person who mistypes, not a program that guesses.
    pub logins_per_min: NonZeroU32,
    pub logins_burst: NonZeroU32,
    /// Logins from one address: an office behind one router.
    pub logins_per_address_per_min: NonZeroU32,
    /// Logins with one username from everywhere: whoever owns many addresses guesses no faster.
    pub logins_per_username_per_min: NonZeroU32,
    /// Refreshes from one address.
    pub refreshes_per_address_per_min: NonZeroU32,
    /// Believe the last entry of `X-Forwarded-For`. Only behind a proxy of ours that appends it.
    pub behind_proxy: bool,
}

impl Default for LimitsConf {
    fn default() -> Self {
        let n = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self {
            writes_per_s: n(2_000),
            writes_burst: n(4_000),
            reads_per_s: n(100),
            reads_burst: n(200),
            cancels_per_s: n(100),
            cancels_burst: n(500),
            logins_per_min: n(10),
            logins_burst: n(10),
            logins_per_address_per_min: n(120),
            logins_per_username_per_min: n(60),
            refreshes_per_address_per_min: n(300),
            behind_proxy: false,
        }
    }
}

/// Kinds of requests that do not hold each other up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Read,
    Write,
    Cancel,
}

/// All buckets. Shared by all workers.
#[derive(Debug)]
pub struct Limits {
    reads: Buckets<ClientId>,
    writes: Buckets<ClientId>,
    cancels: Buckets<ClientId>,
    logins: Buckets<(IpAddr, String)>,
    logins_by_address: Buckets<IpAddr>,
    logins_by_username: Buckets<String>,
    refreshes: Buckets<IpAddr>,
    behind_proxy: bool,
}

impl Limits {
    #[must_use]
    pub fn new(conf: &LimitsConf) -> Self {
        let per_s = |rate, burst| Buckets::new(Quota::per_second(rate).allow_burst(burst));
        let per_min = |rate| Quota::per_minute(rate).allow_burst(rate);
        Self {
            reads: per_s(conf.reads_per_s, conf.reads_burst),
            writes: per_s(conf.writes_per_s, conf.writes_burst),
            cancels: per_s(conf.cancels_per_s, conf.cancels_burst),
            logins: Buckets::new(Quota::per_minute(conf.logins_per_min).allow_burst(conf.logins_burst)),
            logins_by_address: Buckets::new(per_min(conf.logins_per_address_per_min)),
            logins_by_username: Buckets::new(per_min(conf.logins_per_username_per_min)),
            refreshes: Buckets::new(per_min(conf.refreshes_per_address_per_min)),
            behind_proxy: conf.behind_proxy,
        }
    }

    /// # Errors
    /// 429 with the time to wait.
    pub fn check(&self, class: Class, client: &ClientId) -> Result<(), Problem> {
        self.of(class).check(client, NonZeroU32::MIN)
    }

    /// For a request that does the work of `n`: the other items of a batch.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub fn check_n(&self, class: Class, client: &ClientId, n: NonZeroU32) -> Result<(), Problem> {
        self.of(class).check(client, n)
    }

    /// # Errors
    /// 429 with the time to wait.
    pub fn check_login(&self, req: &HttpRequest, username: &str) -> Result<(), Problem> {
        let address = self.address(req);
        // The address first: it cannot be made up, so it also bounds how many usernames one can fill the map with.
        self.logins_by_address.check(&address, NonZeroU32::MIN)?;
        // No user has a longer name; what is longer shares a bucket.
        let username: String = username.chars().take(64).collect();
        self.logins.check(&(address, username.clone()), NonZeroU32::MIN)?;
        self.logins_by_username.check(&username, NonZeroU32::MIN)
    }

    /// # Errors
    /// 429 with the time to wait.
    pub fn check_refresh(&self, req: &HttpRequest) -> Result<(), Problem> {
        self.refreshes.check(&self.address(req), NonZeroU32::MIN)
    }

    const fn of(&self, class: Class) -> &Buckets<ClientId> {
        match class {
            Class::Read => &self.reads,
            Class::Write => &self.writes,
            Class::Cancel => &self.cancels,
        }
    }

    fn address(&self, req: &HttpRequest) -> IpAddr {
        let forwarded = || {
            let last = req.headers().get_all("x-forwarded-for").last()?.to_str().ok()?.rsplit(',').next()?;
            last.trim().parse().ok()
        };
        let peer = || req.peer_addr().map(|address| address.ip());
        let address = if self.behind_proxy { forwarded().or_else(peer) } else { peer() };
        block(address.unwrap_or(IpAddr::from([0, 0, 0, 0])))
    }
}

/// Who has one IPv6 address has all of its /64.
fn block(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or_else(
            || {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            },
            IpAddr::V4,
        ),
    }
}

/// A hundred bytes each: 5 MB at most for each kind of bucket.
const KEYS_MAX: usize = 50_000;
/// Counting the keys looks at every shard of the map: not each time.
const CHECKS_BETWEEN_SWEEPS: u32 = 1_024;

#[derive(Debug)]
struct Buckets<K: Hash + Eq + Clone> {
    each: DefaultKeyedRateLimiter<K>,
    /// Used by everybody while there are too many keys: under attack all together are as fast as one.
    overflow: DefaultDirectRateLimiter,
    full: AtomicBool,
    checks: AtomicU32,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(quota: Quota) -> Self {
        Self {
            each: RateLimiter::keyed(quota),
            overflow: RateLimiter::direct(quota),
            full: AtomicBool::new(false),
            checks: AtomicU32::new(1),
            clock: DefaultClock::default(),
        }
    }

    fn check(&self, key: &K, n: NonZeroU32) -> Result<(), Problem> {
        if self.checks.fetch_add(1, Ordering::Relaxed).is_multiple_of(CHECKS_BETWEEN_SWEEPS) {
            self.sweep();
        }
        let outcome =
            if self.full.load(Ordering::Relaxed) { self.overflow.check_n(n) } else { self.each.check_key_n(key, n) };
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => {
                let wait = not_until.wait_time_from(self.clock.now());
                Err(Problem::new(Code::RateLimited).retry_after(wait.max(std::time::Duration::from_secs(1))))
            }
            // More at once than ever fits: waiting does not help, splitting does.
            Err(_) => Err(Problem::new(Code::RateLimited)
                .detail("more at once than the limit ever allows: send fewer")
                .retry_after(std::time::Duration::from_secs(1))),
        }
    }

    fn sweep(&self) {
        if self.each.len() > KEYS_MAX / 2 {
            // Forgets those whose bucket is full again.
            self.each.retain_recent();
        }
        self.full.store(self.each.len() > KEYS_MAX, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn conf() -> LimitsConf {
        let two = NonZeroU32::new(2).expect("two");
        LimitsConf { writes_per_s: NonZeroU32::MIN, writes_burst: two, logins_burst: two, ..LimitsConf::default() }
    }

    #[test]
    fn one_who_is_too_fast_holds_up_neither_others_nor_his_own_cancels() {
        let limits = Limits::new(&conf());
        let (ann, bob) = (ClientId::parse("ann").expect("name"), ClientId::parse("bob").expect("name"));
        assert!(limits.check(Class::Write, &ann).is_ok() && limits.check(Class::Write, &ann).is_ok());
        let refused = limits.check(Class::Write, &ann).expect_err("too fast");
        assert_eq!(refused.code(), Code::RateLimited);
        assert!(limits.check(Class::Write, &bob).is_ok());
        assert!(limits.check(Class::Cancel, &ann).is_ok() && limits.check(Class::Read, &ann).is_ok());
        let many = NonZeroU32::new(3).expect("three");
        assert!(limits.check_n(Class::Write, &bob, many).is_err(), "more than the bucket holds");
    }

    #[test]
    fn logins_are_counted_by_name_and_address() {
        let limits = Limits::new(&conf());
        let from =
            |address: &str| TestRequest::default().peer_addr(address.parse().expect("address")).to_http_request();
        let (here, same_block, elsewhere) = (from("[2001:db8::1]:1"), from("[2001:db8::ffff]:2"), from("192.0.2.1:1"));
        assert!(limits.check_login(&here, "ann").is_ok() && limits.check_login(&same_block, "ann").is_ok());
        assert!(limits.check_login(&here, "ann").is_err());
        assert!(limits.check_login(&here, "bob").is_ok(), "another name");
        assert!(limits.check_login(&elsewhere, "ann").is_ok(), "her own address");
    }

    #[test]
    fn many_keys_do_not_fill_the_memory() {
        let buckets = Buckets::new(Quota::per_second(NonZeroU32::MIN));
        let refused = (0..200_000_u32).filter(|key| buckets.check(key, NonZeroU32::MIN).is_err()).count();
        assert!(buckets.each.len() <= KEYS_MAX + CHECKS_BETWEEN_SWEEPS as usize);
        assert!(refused > 0, "in an attack all share one bucket");
    }
}
