use std::fmt;
use std::hash::{Hash, Hasher};

/// A key of several parts, none of which can pass for another's: the number of parts and the length of each are in it.
///
/// Joined with a separator, a user called `1:admin` is the user `1` in the role `admin`. Here `["ab", "c"]`, `["a", "bc"]`,
/// `["ab", "c", ""]` and `["abc"]` are four keys. It borrows its parts and is hashed without copying them; whatever the
/// hasher, what it is fed determines the parts. [`PartsKey`] is the same in one piece of memory of its own, with the same hash.
///
/// ```
/// use seawall_rate_limit::http::Parts;
///
/// let (tenant, user) = ("acme", "17");
/// let key = Parts::new([tenant, user]);
/// assert_ne!(key, Parts::new(["acme1", "7"]));
/// assert_ne!(key, Parts::new(["acme", "17", ""]));
/// assert_eq!(key.to_key().parts().count(), 2);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a, const N: usize>([&'a [u8]; N]);

impl<'a, const N: usize> Parts<'a, N> {
    /// The key of these parts, in this order.
    pub fn new<T: AsRef<[u8]> + ?Sized>(parts: [&'a T; N]) -> Self {
        Self(parts.map(AsRef::as_ref))
    }

    /// The key as one that owns its parts: one allocation.
    pub fn to_key(&self) -> PartsKey {
        let lengths = (N + 1) * size_of::<u64>();
        let mut bytes = Vec::with_capacity(lengths + self.0.iter().map(|part| part.len()).sum::<usize>());
        bytes.extend(length(N));
        for part in self.0 {
            bytes.extend(length(part.len()));
            bytes.extend(part);
        }
        PartsKey(bytes.into())
    }
}

impl<const N: usize> Hash for Parts<'_, N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&length(N));
        for part in self.0 {
            state.write(&length(part.len()));
            state.write(part);
        }
    }
}

impl<const N: usize, const M: usize> PartialEq<Parts<'_, M>> for Parts<'_, N> {
    fn eq(&self, other: &Parts<'_, M>) -> bool {
        self.0.as_slice() == other.0.as_slice()
    }
}

impl<const N: usize> Eq for Parts<'_, N> {}

impl<const N: usize> PartialEq<PartsKey> for Parts<'_, N> {
    fn eq(&self, other: &PartsKey) -> bool {
        other.parts().eq(self.0)
    }
}

/// A [key of several parts](Parts) that owns them. Its bytes are the same on every machine.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartsKey(Box<[u8]>);

impl PartsKey {
    /// The parts, in their order.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.0.get(size_of::<u64>()..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk()?;
            let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            let (part, after) = after.split_at_checked(length)?;
            rest = after;
            Some(part)
        })
    }

    /// The number of parts, then of each part its length and its bytes. Numbers are of 64 bits, the lowest byte first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Hash for PartsKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0.get(..size_of::<u64>()).unwrap_or_default());
        for part in self.parts() {
            state.write(&length(part.len()));
            state.write(part);
        }
    }
}

impl fmt::Debug for PartsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.parts().map(|part| String::from_utf8_lossy(part).into_owned())).finish()
    }
}

/// A length as it is hashed and written, alike on every machine.
fn length(length: usize) -> [u8; 8] {
    (length as u64).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    use super::*;
    use proptest::prelude::*;

    /// What a hasher is fed, in one piece.
    #[derive(Default)]
    struct Fed(Vec<u8>);

    impl Hasher for Fed {
        fn finish(&self) -> u64 {
            0
        }

        fn write(&mut self, bytes: &[u8]) {
            self.0.extend(bytes);
        }
    }

    fn fed(key: &impl Hash) -> Vec<u8> {
        let mut fed = Fed::default();
        key.hash(&mut fed);
        fed.0
    }

    fn hashed(key: &impl Hash) -> u64 {
        BuildHasherDefault::<DefaultHasher>::default().hash_one(key)
    }

    #[test]
    fn the_ends_of_parts_and_their_number_are_in_the_key() {
        let keys = [
            fed(&Parts::new(["ab", "c"])),
            fed(&Parts::new(["a", "bc"])),
            fed(&Parts::new(["abc"])),
            fed(&Parts::new(["ab", "c", ""])),
            fed(&Parts::new(["", "ab", "c"])),
            fed(&Parts::<0>::new::<str>([])),
            fed(&Parts::new([""])),
            fed(&Parts::new(["", ""])),
        ];
        for (i, a) in keys.iter().enumerate() {
            for b in &keys[..i] {
                assert_ne!(a, b);
            }
        }
        assert_ne!(Parts::new(["x", ""]), Parts::new(["x"]));
        assert_eq!(Parts::new(["x", "y"]), Parts::new(["x", "y"]));
        assert_ne!(Parts::new(["x", "y"]), Parts::new(["y", "x"]));
    }

    proptest! {
        #[test]
        fn a_key_is_equal_and_hashed_as_its_parts(a in "\\PC{0,9}", b in prop::collection::vec(any::<u8>(), 0..9), c in "a{0,3}") {
            let parts = Parts::new([a.as_bytes(), &b, c.as_bytes()]);
            let key = parts.to_key();
            prop_assert!(parts == key);
            prop_assert_eq!(key.parts().collect::<Vec<_>>(), vec![a.as_bytes(), &b, c.as_bytes()]);
            prop_assert_eq!(hashed(&parts), hashed(&key));
            prop_assert_eq!(fed(&parts), key.as_bytes());
        }

        #[test]
        fn what_is_hashed_tells_parts_apart(a in prop::array::uniform3("[a:]{0,2}"), b in prop::array::uniform3("[a:]{0,2}")) {
            let (first, second) = (Parts::new(a.each_ref()), Parts::new(b.each_ref()));
            prop_assert_eq!(first == second, a == b);
            prop_assert_eq!(fed(&first) == fed(&second), a == b);
            prop_assert_eq!(first.to_key() == second.to_key(), a == b);
        }
    }
}
