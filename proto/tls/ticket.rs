//! Session tickets whose keys are derived, not kept: every process that holds the authority's key can resume the sessions of
//! every other, so a control plane that was started again takes its miners back without full handshakes, and nothing is stored.
//!
//! A ticket names the certificate of a client that was verified before, so whoever can seal one can pass as any client. The
//! secret is therefore derived from the authority's key and worth as much. Resumed handshakes still exchange fresh keys.

use super::Roots;
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
    rand::{SecureRandom, SystemRandom},
};
use rustls::server::ProducesTickets;
use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

/// How long one key seals, in seconds; tickets open for at least this long and at most twice.
const PERIOD: u64 = 12 * 60 * 60;
/// Bytes of the number of the period that stands before a ticket.
const EPOCH: usize = 8;
/// Bytes of a nonce.
const NONCE: usize = 12;

/// What ticket keys are derived from.
#[derive(Clone)]
pub struct TicketSecret([u8; 32]);

impl TicketSecret {
    /// Derives the secret from the authority's private key.
    #[must_use]
    pub fn derive(private_key: &[u8]) -> Self {
        let mut secret = [0; 32];
        expand(private_key, b"mujina session tickets", &mut secret);
        Self(secret)
    }

    /// A secret of this process alone.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn random() -> Result<Self, super::TokenError> {
        let mut secret = [0; 32];
        SystemRandom::new().fill(&mut secret).map_err(|_| super::TokenError::Random)?;
        Ok(Self(secret))
    }
}

impl fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketSecret(***)")
    }
}

/// HKDF-SHA256.
fn expand(secret: &[u8], info: &[u8], into: &mut [u8; 32]) {
    let pseudorandom = Salt::new(HKDF_SHA256, b"mujina").extract(secret);
    let info = [info];
    let okm = pseudorandom.expand(&info, HKDF_SHA256).expect("32 bytes are one block of SHA-256");
    okm.fill(into).expect("as long as asked for");
}

pub(super) struct Tickets {
    secret: TicketSecret,
    /// Tickets that were given out under other authorities do not open.
    roots: Vec<u8>,
    clock: fn() -> SystemTime,
}

impl Tickets {
    pub(super) fn new(secret: TicketSecret, roots: &Roots) -> Self {
        let roots = roots.fingerprints().flat_map(|one| *one.as_bytes()).collect();
        Self { secret, roots, clock: SystemTime::now }
    }

    fn epoch(&self) -> u64 {
        (self.clock)().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / PERIOD
    }

    fn key(&self, epoch: [u8; EPOCH]) -> LessSafeKey {
        let mut key = [0; 32];
        expand(&self.secret.0, &epoch, &mut key);
        LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).expect("keys of this cipher have 32 bytes"))
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets")
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(PERIOD).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let epoch = self.epoch().to_be_bytes();
        let mut nonce = [0; NONCE];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        let sealing = Nonce::assume_unique_for_key(nonce);
        self.key(epoch).seal_in_place_append_tag(sealing, Aad::from(&self.roots), &mut sealed).ok()?;
        Some([&epoch[..], &nonce, &sealed].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let (epoch, rest) = cipher.split_first_chunk::<EPOCH>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>()?;
        let age = self.epoch().checked_sub(u64::from_be_bytes(*epoch))?;
        if age > 1 {
            return None;
        }
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.key(*epoch).open_in_place(nonce, Aad::from(&self.roots), &mut sealed).ok()?;
        Some(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn tickets(secret: &[u8], roots: &[u8], clock: fn() -> SystemTime) -> Tickets {
        Tickets { secret: TicketSecret::derive(secret), roots: roots.to_vec(), clock }
    }

    #[test]
    fn ticket_opens_in_another_process_of_the_same_authority_only() {
        let sealed = tickets(b"key", b"roots", || at(1_790_000_000)).encrypt(b"session").unwrap();
        let open = |secret: &[u8], roots: &[u8]| tickets(secret, roots, || at(1_790_000_000)).decrypt(&sealed);
        assert_eq!(open(b"key", b"roots").as_deref(), Some(&b"session"[..]));
        assert_eq!(open(b"another", b"roots"), None);
        assert_eq!(open(b"key", b"others"), None);
    }

    #[test]
    fn ticket_opens_through_the_next_period_and_no_longer_and_not_before_its_own() {
        let sealed = tickets(b"key", b"", || at(10 * PERIOD)).encrypt(b"session").unwrap();
        let open = |clock| tickets(b"key", b"", clock).decrypt(&sealed).is_some();
        assert!(open(|| at(11 * PERIOD - 1)));
        assert!(open(|| at(12 * PERIOD - 1)));
        assert!(!open(|| at(12 * PERIOD)));
        assert!(!open(|| at(10 * PERIOD - 1)));
    }

    #[test]
    fn changed_and_cut_tickets_do_not_open() {
        let tickets = tickets(b"key", b"", || at(1_790_000_000));
        let sealed = tickets.encrypt(b"session").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(tickets.decrypt(&changed), None, "{at}");
            assert_eq!(tickets.decrypt(&sealed[..at]), None, "{at}");
        }
        assert_ne!(tickets.encrypt(b"session").unwrap(), sealed);
    }
}
