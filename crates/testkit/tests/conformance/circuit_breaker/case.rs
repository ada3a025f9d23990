pub(crate) use crate::case::{Play, Seen};

use super::op::Op;

/// A vector of this file.
pub(crate) type Case<O = Op> = crate::case::Case<O>;
