//! Without the counting allocator a count is refused: zero would prove nothing.

#[test]
#[should_panic(expected = "nothing is counted")]
fn counting_without_the_allocator_panics() {
    seawall_testkit::alloc::count(|| Vec::<u8>::with_capacity(10));
}
