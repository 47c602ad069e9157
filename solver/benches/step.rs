//! One full optimizer step, forward pass included: EGN against Adam.
//!
//! `cargo bench -p egn-solver`, or for some of it `cargo bench -p egn-solver -- 8-256-256-4/ce`.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use egn_solver::{
    Activation, AdamConfig, EgnConfig, Network, OptimizerConfig,
    bench_step::{BenchLoss, BenchStep},
};

const BATCHES: [usize; 4] = [32, 64, 128, 256];

fn steps(criterion: &mut Criterion) {
    let optimizers = [OptimizerConfig::Egn(EgnConfig::default()), OptimizerConfig::Adam(AdamConfig::default())];
    for widths in [[4, 64, 64, 2], [8, 256, 256, 4]] {
        let network = Network::mlp(&widths, Activation::Relu);
        for loss in [BenchLoss::MseSelected, BenchLoss::Ce] {
            let mut group = criterion.benchmark_group(format!("{network}/{loss}"));
            for batch in BATCHES {
                for optimizer in &optimizers {
                    let mut bench = BenchStep::new(&network, batch, loss, optimizer).expect("a made-up batch");
                    group.bench_function(BenchmarkId::new(optimizer.name().to_string(), batch), |bencher| {
                        bencher.iter(|| bench.step().expect("a made-up batch can be learned"));
                    });
                }
            }
            group.finish();
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = steps
}
criterion_main!(benches);
