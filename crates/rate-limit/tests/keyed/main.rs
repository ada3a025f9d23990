//! One limit for each of many keys.
