//! How a call is admitted and how it ends: [`Policy`], [`Admits`], and the RAII guards around what they give.

mod admission;
mod owned;
mod permit;
mod policy;
mod protected;
mod with;

pub(crate) use admission::Admission;
pub use owned::AdmitOwned;
pub use permit::{Hold, Permit};
pub use policy::{Admits, Ask, Configure, Entry, Policy};
pub(crate) use protected::Protected;
pub use protected::{Classified, Conclude};
pub(crate) use with::block_on;
pub use with::{Admit, With};
