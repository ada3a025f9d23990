//! The manual: what the crates' own pages do not say because it concerns all of them.
//!
//! 1. [Concepts](_01_concepts): admission, endings, handles, time.
//! 2. [Choosing](_02_choosing): which pattern answers which trouble.
//! 3. [Order of layers](_03_order_of_layers): what stands outside and what inside.
//! 4. [Testing with time](_04_testing_with_time): tests that take no time.

#[doc = include_str!("concepts.md")]
pub mod _01_concepts {}

#[doc = include_str!("choosing.md")]
pub mod _02_choosing {}

#[doc = include_str!("order_of_layers.md")]
#[cfg_attr(feature = "tower", doc = include_str!("order_of_layers_tower.md"))]
pub mod _03_order_of_layers {}

#[doc = include_str!("testing_with_time.md")]
pub mod _04_testing_with_time {}
