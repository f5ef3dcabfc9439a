//! Payloads that the benches share.

use std::io::Read as _;

/// 1000 audit events of a policy gateway with 24 attributes each, about 944 bytes a record, 2 % of them with personal
/// data or a credential in the body: an OTLP `ExportLogsServiceRequest`.
#[must_use]
pub fn policy_gateway_1000() -> Vec<u8> {
    let packed = include_bytes!("../payloads/policy_gateway_1000.pb.gz");
    let mut wire = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_end(&mut wire)
        .expect("a valid stored payload");
    wire
}
