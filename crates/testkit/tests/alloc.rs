//! What the counting allocator counts.

use std::hint::black_box;

use seawall_testkit::alloc::{self, Allocations, CountingAllocator};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn each_allocation_and_each_growth_counts() {
    let found = alloc::count(|| {
        let mut list: Vec<u8> = Vec::with_capacity(10);
        list.reserve_exact(100);
        black_box(vec![0_u8; 50]);
        black_box(list)
    });
    assert_eq!(found, Allocations { count: 3, bytes: 10 + 100 + 50 });
}

#[test]
fn freeing_does_not_count() {
    let list = black_box(vec![1_u8; 100]);
    assert_eq!(alloc::count(|| drop(list)), Allocations::default());
}

#[test]
fn another_thread_is_not_counted() {
    let (start, started) = std::sync::mpsc::sync_channel::<()>(0);
    let (done, finished) = std::sync::mpsc::sync_channel::<()>(0);
    let other = std::thread::spawn(move || {
        started.recv().expect("the test starts the thread");
        black_box(vec![0_u8; 4096]);
        done.send(()).expect("the test waits for the thread");
    });
    let mut own = Allocations::default();
    let both = alloc::count(|| {
        start.send(()).expect("the thread waits");
        finished.recv().expect("the thread answers");
        own = alloc::count(|| ());
    });
    other.join().expect("the thread ends");
    assert!(both.bytes < 4096, "{both:?}");
    assert_eq!(own, Allocations::default());
}

#[test]
#[should_panic(expected = "the boxed path must not allocate")]
fn an_allocation_where_none_may_be_is_found() {
    alloc::assert_none("the boxed path", || black_box(Box::new(1_u64)));
}

#[test]
fn the_warm_up_call_may_allocate() {
    let mut made_once: Option<Box<u64>> = None;
    alloc::assert_none("the second call", || black_box(**made_once.get_or_insert_with(|| Box::new(7))));
}
