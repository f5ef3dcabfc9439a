//! Any bytes as an OTLP/JSON request and as a plain JSON document: nothing panics, and what is taken comes back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_batch::{Batch, Signal, ValueBuf};

fuzz_target!(|input: &[u8]| {
    let Some((first, json)) = input.split_first() else { return };
    let signal = Signal::ALL[usize::from(*first) % Signal::ALL.len()];
    if let Ok(batch) = Batch::decode_json(signal, json) {
        let wire = batch.encode();
        let again = Batch::decode(signal, wire.clone().into()).expect("our protobuf is ours to read");
        assert_eq!(again.encode(), wire);
    }
    if let Ok(value) = ValueBuf::from_json(json) {
        let mut out = Vec::new();
        value.as_value().write_json(&mut out);
        let again = ValueBuf::from_json(&out).expect("our JSON is ours to read");
        let mut second = Vec::new();
        again.as_value().write_json(&mut second);
        assert_eq!(out, second);
    }
});
