use std::collections::HashMap;

use parking_lot::RwLock;

use super::Member;
use super::fingerprint::Fingerprint;

/// The longest key that is looked for.
const MAX_LENGTH: usize = 256;

type Keys = HashMap<Fingerprint, Member>;

/// The keys that the service knows, all in memory: a flood of unknown ones asks nothing of the database.
#[derive(Debug, Default)]
pub(crate) struct Keyring(RwLock<Option<Keys>>);

/// The keys were not read yet, so nobody can say whether there is such a one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotRead;

impl Keyring {
    /// Whom `key` stands for; nobody if it is unknown.
    pub(super) fn find(&self, key: &[u8]) -> Result<Option<Member>, NotRead> {
        let wanted = (key.len() <= MAX_LENGTH).then(|| Fingerprint::of(key));
        let keys = self.0.read();
        let keys = keys.as_ref().ok_or(NotRead)?;
        Ok(wanted.and_then(|wanted| keys.get(&wanted).cloned()))
    }

    /// Knows these keys from now on, and no others.
    pub(super) fn replace(&self, keys: impl IntoIterator<Item = (Fingerprint, Member)>) {
        let keys = keys.into_iter().collect();
        // Freed after the lock is, so that no request waits for it.
        let _old = self.0.write().replace(keys);
    }

    /// Whether the keys were read.
    pub(super) fn is_read(&self) -> bool {
        self.0.read().is_some()
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
    fn a_key_is_known_by_all_its_bytes_and_no_more_than_its_bound() {
        let longest = [b'x'; MAX_LENGTH];
        let keyring = Keyring::default();
        keyring.replace([(Fingerprint::of(&longest), member("ada"))]);
        assert_eq!(keyring.find(&longest), Ok(Some(member("ada"))));
        assert_eq!(keyring.find(&longest[1..]), Ok(None));
        assert_eq!(keyring.find(&[b'x'; MAX_LENGTH + 1]), Ok(None));
    }
}
