//! Every hot path of ours under criterion, on one thread: `cargo bench --manifest-path benches/Cargo.toml --bench self`.

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use seawall_benches::compare::hot_paths;

fn hot(criterion: &mut Criterion) {
    for path in hot_paths() {
        let subject = (path.build)();
        let mut lane = subject.lane(0);
        criterion.benchmark_group(path.pattern).bench_function(path.path, |bencher| {
            bencher.iter_custom(|calls| {
                let began = Instant::now();
                lane(calls);
                began.elapsed()
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50);
    targets = hot
}
criterion_main!(benches);
