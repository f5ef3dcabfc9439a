use std::collections::BTreeMap;

use super::leaves;
use crate::{Frontier, Hashes as _, Tile, TileId, TileReadError, Tiler, TreeError};

#[test]
fn the_right_edge_of_a_tiler_is_a_frontier() {
    let mut tiler = Tiler::new();
    let mut frontier = Frontier::empty();
    for leaf in leaves(700) {
        tiler.push(leaf, |_, _| {});
        frontier.push(leaf);
        assert_eq!(tiler.frontier(), &frontier);
    }
}

#[test]
fn a_full_tile_comes_with_its_last_leaf_and_before_the_level_above() {
    let mut tiler = Tiler::new();
    let mut filled = Vec::new();
    for leaf in leaves(65_536) {
        let size = tiler.frontier().size() + 1;
        tiler.push(leaf, |id, bytes| {
            assert_eq!(bytes.len(), 8192);
            filled.push((size, id.to_string()));
        });
    }
    assert_eq!(filled[0], (256, "tile/0/000".to_owned()));
    assert_eq!(filled[1], (512, "tile/0/001".to_owned()));
    let last_two = [
        (65_536, "tile/0/255".to_owned()),
        (65_536, "tile/1/000".to_owned()),
    ];
    assert_eq!(filled[255..], last_two);
    let partial: Vec<_> = tiler.partial().map(|tile| tile.id().to_string()).collect();
    assert_eq!(partial, ["tile/2/000.p/1"]);
}

#[test]
fn a_resumed_tiler_goes_on_as_if_never_stopped() {
    let leaves = leaves(1100);
    for stop in [0, 1, 255, 256, 257, 300, 512, 1000] {
        let mut whole = Tiler::new();
        leaves[..stop]
            .iter()
            .for_each(|leaf| whole.push(*leaf, |_, _| {}));
        let files: BTreeMap<_, _> = whole.partial().map(|tile| (tile.id(), tile)).collect();
        let source = |id: TileId| {
            files
                .get(&id)
                .map(|tile| tile.as_bytes().to_vec())
                .ok_or(id)
        };
        let mut resumed = Tiler::resume(stop as u64, source).unwrap();
        assert_eq!(resumed.frontier().root(), leaves.root(stop as u64).unwrap());

        let (mut of_whole, mut of_resumed) = (Vec::new(), Vec::new());
        for leaf in &leaves[stop..] {
            whole.push(*leaf, |id, bytes| of_whole.push((id, bytes.to_vec())));
            resumed.push(*leaf, |id, bytes| of_resumed.push((id, bytes.to_vec())));
        }
        assert_eq!(of_resumed, of_whole);
        assert!(resumed.partial().eq(whole.partial()));
        assert_eq!(resumed.frontier(), whole.frontier());
    }
}

#[test]
fn a_tiler_does_not_resume_without_its_tiles() {
    let id: TileId = "tile/0/000.p/5".parse().unwrap();
    let nothing = |_: TileId| Err::<Vec<u8>, _>("gone");
    let error = TreeError::Source(TileReadError::Source { id, source: "gone" });
    assert_eq!(Tiler::resume(5, nothing).unwrap_err(), error);
    assert!(matches!(
        Tiler::resume(u64::MAX, nothing),
        Err(TreeError::OutOfRange { .. })
    ));
}

#[test]
fn a_changed_partial_tile_gives_another_root() {
    let leaves = leaves(300);
    let mut tiler = Tiler::new();
    leaves.iter().for_each(|leaf| tiler.push(*leaf, |_, _| {}));
    let tiles: BTreeMap<_, _> = tiler
        .partial()
        .map(|tile: Tile| (tile.id(), tile))
        .collect();
    for changed in tiles.keys() {
        let source = |id: TileId| {
            let mut bytes = tiles[&id].as_bytes().to_vec();
            bytes[7] ^= u8::from(id == *changed);
            Ok::<_, ()>(bytes)
        };
        let resumed = Tiler::resume(300, source).unwrap();
        assert_ne!(
            resumed.frontier().root(),
            tiler.frontier().root(),
            "{changed}"
        );
    }
}
