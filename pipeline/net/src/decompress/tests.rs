use std::io::Write as _;

use super::*;
use crate::admission::Admission;
use crate::{Compression, CompressionParams};

const PACKERS: [(Encoding, Compression); 4] = [
    (Encoding::Gzip, Compression::Gzip),
    (Encoding::Zstd, Compression::Zstd),
    (Encoding::Zlib, Compression::Zlib),
    (Encoding::Deflate, Compression::Deflate),
];

fn pack(compression: Compression, body: &[u8]) -> Bytes {
    compression
        .compress(CompressionParams::default(), body)
        .unwrap()
        .into()
}

fn unpack_under(encoding: Encoding, packed: &Bytes, limit: usize) -> Result<Bytes, Unpack> {
    decompress(
        encoding,
        packed,
        limit,
        &mut Admission::new(256 << 20).charge(),
    )
}

#[test]
fn what_is_compressed_comes_back_up_to_exactly_the_limit() {
    let body: Vec<u8> = (0..300_000u32)
        .flat_map(|i| (i % 1000).to_le_bytes())
        .collect();
    for (encoding, compression) in PACKERS {
        let packed = pack(compression, &body);
        assert!(
            unpack_under(encoding, &packed, body.len()).unwrap() == body,
            "{encoding:?}"
        );
        assert!(
            matches!(
                unpack_under(encoding, &packed, body.len() - 1),
                Err(Unpack::TooLarge)
            ),
            "{encoding:?}"
        );
    }
}

#[test]
fn an_empty_body_comes_back_empty() {
    for (encoding, compression) in PACKERS {
        assert!(
            unpack_under(encoding, &pack(compression, b""), 0)
                .unwrap()
                .is_empty(),
            "{encoding:?}"
        );
    }
}

#[test]
fn a_bomb_of_600_mb_is_noticed_at_the_limit_and_never_held() {
    let chunk = vec![0u8; 1 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..600 {
        gzip.write_all(&chunk).unwrap();
        zstd.write_all(&chunk).unwrap();
    }
    for (encoding, packed) in [
        (Encoding::Gzip, gzip.finish().unwrap()),
        (Encoding::Zstd, zstd.finish().unwrap()),
    ] {
        for limit in [1 << 20, 64 << 20] {
            let admission = Admission::new(16 << 20);
            let mut charge = admission.charge();
            let result = decompress(encoding, &packed.clone().into(), limit, &mut charge);
            assert!(
                matches!(result, Err(Unpack::TooLarge)),
                "{encoding:?} {result:?}"
            );
            assert!(charge.bytes() <= SUSPICIOUS_BYTES, "{encoding:?}");
        }
    }
}

#[test]
fn a_body_that_shrinks_well_but_fits_is_no_bomb() {
    let body = vec![b' '; 30 << 20];
    for (encoding, compression) in PACKERS {
        let packed = pack(compression, &body);
        assert!(
            unpack_under(encoding, &packed, body.len()).unwrap() == body,
            "{encoding:?}"
        );
        let result = unpack_under(encoding, &packed, body.len() - 1);
        assert!(matches!(result, Err(Unpack::TooLarge)), "{encoding:?}");
    }
}

#[test]
fn the_size_that_a_frame_claims_is_not_believed() {
    // The gzip trailer's size, and a zstd frame header's: both say far more than there is.
    let mut gzip = pack(Compression::Gzip, b"small").to_vec();
    let end = gzip.len();
    gzip[end - 4..].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(
        unpack_under(Encoding::Gzip, &gzip.into(), 100),
        Err(Unpack::Corrupt)
    ));
    let zstd: Bytes = [
        &[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..],
        &(1u64 << 40).to_le_bytes(),
        &[1, 0, 0],
    ]
    .concat()
    .into();
    assert!(matches!(
        unpack_under(Encoding::Zstd, &zstd, 100),
        Err(Unpack::Corrupt)
    ));
}

#[test]
fn several_gzip_members_and_zstd_frames_are_one_body() {
    for (encoding, compression) in &PACKERS[..2] {
        let both = [pack(*compression, b"one, "), pack(*compression, b"two")]
            .concat()
            .into();
        assert_eq!(
            unpack_under(*encoding, &both, 100).unwrap(),
            "one, two",
            "{encoding:?}"
        );
    }
}

#[test]
fn cut_or_followed_by_garbage_or_not_compressed_at_all_is_corrupt() {
    for (encoding, compression) in PACKERS {
        let packed = pack(compression, &[7; 5000]);
        for cut in 1..packed.len() {
            assert!(
                matches!(
                    unpack_under(encoding, &packed.slice(..cut), 9000),
                    Err(Unpack::Corrupt)
                ),
                "{encoding:?} at {cut}"
            );
        }
        let longer = [&packed[..], b"garbage"].concat().into();
        assert!(
            matches!(unpack_under(encoding, &longer, 9000), Err(Unpack::Corrupt)),
            "{encoding:?} + garbage"
        );
        let plain = Bytes::from_static(b"{\"resourceLogs\":[]}");
        assert!(
            matches!(unpack_under(encoding, &plain, 9000), Err(Unpack::Corrupt)),
            "{encoding:?} plain"
        );
    }
}

#[test]
fn without_room_in_the_budget_nothing_is_unpacked() {
    for (encoding, compression) in PACKERS {
        let admission = Admission::new(100_000);
        let packed = pack(compression, &[7; 200_000]);
        assert!(
            matches!(
                decompress(encoding, &packed, 1 << 20, &mut admission.charge()),
                Err(Unpack::Full(_))
            ),
            "{encoding:?}"
        );
        assert_eq!(admission.used(), 0);
    }
}

#[test]
fn a_zstd_window_of_more_than_32_mib_is_refused() {
    // Magic, a descriptor without a content size, a window descriptor, an empty last raw block.
    let frame = |window_log: u8| {
        Bytes::from(vec![
            0x28,
            0xb5,
            0x2f,
            0xfd,
            0x00,
            (window_log - 10) << 3,
            1,
            0,
            0,
        ])
    };
    assert!(
        unpack_under(Encoding::Zstd, &frame(25), 100)
            .unwrap()
            .is_empty()
    );
    assert!(matches!(
        unpack_under(Encoding::Zstd, &frame(26), 100),
        Err(Unpack::Corrupt)
    ));
}

#[test]
fn encodings_are_known_by_any_case_and_nothing_is_identity() {
    assert_eq!(Encoding::from_name("GZIP"), Some(Encoding::Gzip));
    assert_eq!(Encoding::from_name("x-gzip"), Some(Encoding::Gzip));
    assert_eq!(Encoding::from_name(""), Some(Encoding::Identity));
    assert_eq!(Encoding::from_name("br"), None);
}
