//! Who the client is and what it is told, over random headers; and that none of it costs more than it says.

mod cost;
mod fields;
mod walk;

use seawall_testkit::alloc::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;
