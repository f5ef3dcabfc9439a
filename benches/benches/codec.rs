//! Decoding and encoding 1000 records, side by side with `prost`, which makes the same checks (structure, UTF-8).

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;
use sluice_batch::{Batch, Signal, Value};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn codec(criterion: &mut Criterion) {
    let wire = Bytes::from(sluice_benches::policy_gateway_1000());
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("rows", |b| {
        b.iter(|| Batch::decode(Signal::Logs, black_box(wire.clone())).expect("valid"))
    });
    group.bench_function("prost", |b| {
        b.iter(|| ExportLogsServiceRequest::decode(black_box(wire.clone())).expect("valid"))
    });
    let batch = Batch::decode(Signal::Logs, wire.clone()).expect("valid");
    let mut json = Vec::new();
    batch.encode_json_into(0..batch.len(), &mut json);
    group.bench_function("OTLP/JSON to rows", |b| {
        b.iter(|| Batch::decode_json(Signal::Logs, black_box(&json)).expect("valid"))
    });
    group.bench_function("OTLP/JSON to prost", |b| {
        b.iter(|| {
            serde_json::from_slice::<ExportLogsServiceRequest>(black_box(&json)).expect("valid")
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("rows, untouched", |b| b.iter(|| black_box(&batch).encode()));
    let mut edited = batch.clone();
    for i in 0..edited.len() {
        edited
            .record_mut(i)
            .set("data.classification", Value::Str("internal"));
    }
    group.bench_function("rows, one attribute set on each", |b| {
        b.iter(|| black_box(&edited).encode())
    });
    let request = ExportLogsServiceRequest::decode(wire).expect("valid");
    group.bench_function("prost", |b| b.iter(|| black_box(&request).encode_to_vec()));
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
