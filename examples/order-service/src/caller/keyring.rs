//! Keys that are known, and whom they stand for.

use std::collections::HashMap;

use parking_lot::RwLock;

use super::Member;
use super::fingerprint::Fingerprint;

/// The longest key that is looked for.
const MAX_LENGTH: usize = 256;

type Keys = HashMap<Fingerprint, Member>;

/// The keys that the service knows, all in memory: a flood of unknown ones asks nothing of the database.
#[derive(Debug, Default)]
pub(crate) struct Keyring {
    /// As the database has them, once they were read.
    stored: RwLock<Option<Keys>>,
    /// Those of the service's own parts.
    issued: RwLock<Keys>,
}

/// The keys were not read yet, so nobody can say whether there is such a one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotRead;

impl Keyring {
    /// Whom `key` stands for; nobody if it is unknown.
    pub(super) fn find(&self, key: &[u8]) -> Result<Option<Member>, NotRead> {
        let wanted = (key.len() <= MAX_LENGTH).then(|| Fingerprint::of(key));
        let issued = wanted.and_then(|wanted| self.issued.read().get(&wanted).cloned());
        if issued.is_some() {
            return Ok(issued);
        }
        let keys = self.stored.read();
        let keys = keys.as_ref().ok_or(NotRead)?;
        Ok(wanted.and_then(|wanted| keys.get(&wanted).cloned()))
    }

    /// A new key for a part of the service that calls the service itself: for the user `name` of a tenant of the same name. It
    /// is no row of the database, and known until the process ends.
    pub(crate) fn issue(&self, name: &str) -> String {
        let key = format!("{name}-{:032x}", fastrand::u128(..));
        let member = Member { user: name.into(), tenant: name.into() };
        self.issued.write().insert(Fingerprint::of(key.as_bytes()), member);
        key
    }

    /// Knows these stored keys from now on, and no others.
    pub(super) fn replace(&self, keys: impl IntoIterator<Item = (Fingerprint, Member)>) {
        let keys = keys.into_iter().collect();
        // Freed after the lock is, so that no request waits for it.
        let _old = self.stored.write().replace(keys);
    }

    /// Whether the keys were read.
    pub(super) fn is_read(&self) -> bool {
        self.stored.read().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(user: &str) -> Member {
        Member { user: user.into(), tenant: "harbour".into() }
    }

    #[test]
    fn a_keyring_that_was_not_read_says_so_of_every_key() {
        let keyring = Keyring::default();
        assert_eq!(keyring.find(b"key"), Err(NotRead));
        assert_eq!(keyring.find(&[b'x'; 10_000]), Err(NotRead));
        keyring.replace([]);
        assert_eq!(keyring.find(b"key"), Ok(None));
    }

    #[test]
    fn only_the_last_keys_count() {
        let keyring = Keyring::default();
        keyring.replace([(Fingerprint::of(b"old"), member("ada")), (Fingerprint::of(b"kept"), member("ben"))]);
        keyring.replace([(Fingerprint::of(b"new"), member("ada")), (Fingerprint::of(b"kept"), member("ben"))]);
        assert_eq!(keyring.find(b"old"), Ok(None));
        assert_eq!(keyring.find(b"new"), Ok(Some(member("ada"))));
        assert_eq!(keyring.find(b"kept"), Ok(Some(member("ben"))));
    }

    #[test]
    fn an_issued_key_is_known_before_any_was_read_and_whatever_is_read() {
        let keyring = Keyring::default();
        let (key, other) = (keyring.issue("load-test"), keyring.issue("load-test"));
        assert_ne!(key, other);
        for stored in [None, Some(vec![]), Some(vec![(Fingerprint::of(b"key"), member("ada"))])] {
            if let Some(stored) = stored {
                keyring.replace(stored);
            }
            let found = keyring.find(key.as_bytes()).expect("it is known").expect("it stands for somebody");
            assert_eq!((&*found.user, &*found.tenant), ("load-test", "load-test"));
            assert_eq!(keyring.find(b"load-test").ok().flatten(), None);
        }
    }

    #[test]
    fn a_key_is_known_by_all_its_bytes_and_no_more_than_its_bound() {
        let longest = [b'x'; MAX_LENGTH];
        let keyring = Keyring::default();
        keyring.replace([(Fingerprint::of(&longest), member("ada"))]);
        assert_eq!(keyring.find(&longest), Ok(Some(member("ada"))));
        assert_eq!(keyring.find(&longest[1..]), Ok(None));
        assert_eq!(keyring.find(&[b'x'; MAX_LENGTH + 1]), Ok(None));
    }
}
