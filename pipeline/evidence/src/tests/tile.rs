use std::collections::BTreeMap;

use proptest::prelude::*;

use super::leaves;
use crate::{
    Hash, Hashes as _, Tile, TileCheckError, TileHashes, TileId, TileIdError, TileReadError, Tiler,
    TreeError, tiles, verify_tiles,
};

/// A directory of tiles by their paths, as a log of these leaves leaves it.
fn stored(leaves: &[Hash]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut tiler = Tiler::new();
    for leaf in leaves {
        tiler.push(*leaf, |id, bytes| {
            files.insert(id.to_string(), bytes.to_vec());
        });
    }
    for tile in tiler.partial() {
        files.insert(tile.id().to_string(), tile.as_bytes().to_vec());
    }
    files
}

fn read(files: &BTreeMap<String, Vec<u8>>) -> impl Fn(TileId) -> Result<Vec<u8>, String> {
    |id| {
        files
            .get(&id.to_string())
            .cloned()
            .ok_or_else(|| format!("no {id}"))
    }
}

#[test]
fn a_tree_of_70000_leaves_has_the_tiles_of_the_specification() {
    let all: Vec<_> = tiles(70_000).collect();
    let of = |level, full| {
        all.iter()
            .filter(move |id: &&TileId| id.level() == level && id.is_full() == full)
            .map(TileId::width)
            .collect::<Vec<_>>()
    };
    assert_eq!(of(0, true).len(), 273);
    assert_eq!(of(0, false), [112]);
    assert_eq!(of(1, true).len(), 1);
    assert_eq!(of(1, false), [17]);
    assert_eq!(of(2, false), [1]);
    assert_eq!(all.len(), 273 + 1 + 1 + 1 + 1);
    let paths: Vec<_> = all.iter().map(TileId::to_string).collect();
    assert!(paths.contains(&"tile/0/273.p/112".to_owned()));
    assert!(paths.contains(&"tile/1/001.p/17".to_owned()));
    assert!(paths.contains(&"tile/2/000.p/1".to_owned()));
}

#[test]
fn a_tree_of_256_leaves_has_one_hash_above() {
    let paths = |size| tiles(size).map(|id| id.to_string()).collect::<Vec<_>>();
    assert_eq!(paths(0), [""; 0]);
    assert_eq!(paths(1), ["tile/0/000.p/1"]);
    assert_eq!(paths(255), ["tile/0/000.p/255"]);
    assert_eq!(paths(256), ["tile/0/000", "tile/1/000.p/1"]);
}

#[test]
fn paths_are_written_in_groups_of_three_digits() {
    for (level, index, width, path) in [
        (0, 0, 256, "tile/0/000"),
        (0, 999, 256, "tile/0/999"),
        (0, 1000, 1, "tile/0/x001/000.p/1"),
        (3, 1_234_067, 256, "tile/3/x001/x234/067"),
        (7, 0, 255, "tile/7/000.p/255"),
    ] {
        let id = TileId::new(level, index, width).unwrap();
        assert_eq!(id.to_string(), path);
        assert_eq!(path.parse(), Ok(id));
    }
    let id = TileId::new(0, 1_234_067, 8).unwrap();
    assert_eq!(id.entries_path().unwrap(), "tile/entries/x001/x234/067.p/8");
    assert_eq!(TileId::new(1, 0, 8).unwrap().entries_path(), None);
}

#[test]
fn other_spellings_of_paths_are_refused() {
    for path in [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/8/000",
        "tile/+0/000",
        "tile/0/+00",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/xx001/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/000\n",
        "tile/entries/000",
        "tile/0/x018/x446/x744/x073/x709/x551/615",
    ] {
        assert_eq!(path.parse::<TileId>(), Err(TileIdError::Path), "{path}");
    }
}

#[test]
fn tiles_that_no_tree_has_cannot_be_named() {
    for (level, index, width) in [
        (0, 0, 0),
        (0, 0, 257),
        (8, 0, 1),
        (7, 0, 256),
        (7, 1, 1),
        (0, u64::MAX, 1),
        (0, u64::MAX >> 8, 256),
    ] {
        assert_eq!(
            TileId::new(level, index, width),
            Err(TileIdError::Impossible),
            "{level} {index} {width}"
        );
    }
    assert!(TileId::new(0, u64::MAX >> 8, 255).is_ok());
    assert_eq!(TileId::within(256, 0, 1), None);
    assert_eq!(TileId::within(u64::MAX, 0, u64::MAX), None);
    assert_eq!(TileId::within(u64::MAX, 8, 0), None);
    assert_eq!(
        TileId::within(u64::MAX, 7, 0).map(|id| id.width()),
        Some(255)
    );
}

#[test]
fn a_tile_reads_from_a_wider_one_of_its_place() {
    let id = TileId::new(0, 0, 2).unwrap();
    let bytes: Vec<u8> = (0..=255).cycle().take(8192 + 32).collect();
    for length in [64, 96, 8192] {
        let tile = Tile::new(id, bytes[..length].to_vec()).unwrap();
        assert_eq!(tile.as_bytes(), &bytes[..64]);
        assert_eq!(tile.hashes().count(), 2);
    }
    for length in [0, 32, 63, 65, 8192 + 32] {
        assert_eq!(Tile::new(id, bytes[..length].to_vec()), None);
    }
}

#[test]
fn tiles_give_the_roots_and_proofs_of_the_plain_tree() {
    let leaves = leaves(66_000);
    for size in [
        1, 2, 255, 256, 257, 511, 512, 600, 65_535, 65_536, 65_537, 66_000,
    ] {
        let tree = &leaves[..size as usize];
        let files = stored(tree);
        assert!(
            files.keys().eq(tiles(size)
                .map(|id| id.to_string())
                .collect::<std::collections::BTreeSet<_>>()
                .iter())
        );
        let hashes = TileHashes::new(read(&files), size);
        let root = tree.root(size).unwrap();
        assert_eq!(hashes.root(size), Ok(root), "{size}");
        assert_eq!(hashes.frontier(size).unwrap(), tree.frontier(size).unwrap());
        for other in [0, 1, 200, 255, 256, 300, 65_535, 65_536, size - 1] {
            if other < size {
                assert_eq!(
                    hashes.inclusion(other, size).unwrap(),
                    tree.inclusion(other, size).unwrap()
                );
            }
            if other <= size {
                assert_eq!(
                    hashes.consistency(other, size).unwrap(),
                    tree.consistency(other, size).unwrap()
                );
                assert_eq!(hashes.root(other).unwrap(), tree.root(other).unwrap());
            }
        }
        assert_eq!(verify_tiles(read(&files), size, root), Ok(()));
    }
}

#[test]
fn a_proof_reads_few_tiles() {
    let leaves = leaves(66_000);
    let files = stored(&leaves);
    let asked = std::cell::Cell::new(0);
    let hashes = TileHashes::new(
        |id: TileId| {
            asked.set(asked.get() + 1);
            files.get(&id.to_string()).cloned().ok_or(())
        },
        66_000,
    );
    hashes.inclusion(12_345, 66_000).unwrap();
    assert!(asked.get() <= 6, "{}", asked.get());
}

#[test]
fn a_missing_or_short_tile_is_named() {
    let leaves = leaves(600);
    let mut files = stored(&leaves);
    let id: TileId = "tile/0/001".parse().unwrap();
    files.get_mut("tile/0/001").unwrap().pop();
    let found_bytes = 8191;
    let hashes = TileHashes::new(read(&files), 600);
    let error = TileReadError::Length { id, found_bytes };
    assert_eq!(hashes.node(0, 300), Err(error.clone()));
    assert_eq!(hashes.inclusion(300, 600), Err(TreeError::Source(error)));
    drop(hashes);
    files.remove("tile/0/001");
    let hashes = TileHashes::new(read(&files), 600);
    let source = "no tile/0/001".to_owned();
    assert_eq!(
        hashes.node(0, 300),
        Err(TileReadError::Source { id, source })
    );
    let missing = crate::MissingNode {
        level: 3,
        index: 75,
    };
    assert_eq!(hashes.node(3, 75), Err(TileReadError::Missing(missing)));
}

#[test]
fn attack_1_a_changed_byte_of_a_tile_is_found_at_that_tile() {
    let leaves = leaves(66_000);
    let good = stored(&leaves);
    let root = leaves.root(66_000).unwrap();
    let ids: Vec<_> = tiles(66_000).collect();
    for id in ids
        .iter()
        .filter(|id| id.level() > 0 || id.index() % 50 == 0 || !id.is_full())
    {
        for place in [0, id.len_bytes() / 2, id.len_bytes() - 1] {
            let mut files = good.clone();
            files.get_mut(&id.to_string()).unwrap()[place] ^= 0x10;
            let error = if id.is_full() {
                TileCheckError::Tile(*id)
            } else {
                TileCheckError::Root
            };
            assert_eq!(verify_tiles(read(&files), 66_000, root), Err(error), "{id}");
        }
    }
}

#[test]
fn a_full_tile_is_held_by_the_one_above_it_and_by_no_other() {
    let leaves = leaves(600);
    let files = stored(&leaves);
    let tile = |path: &str| Tile::new(path.parse().unwrap(), files[path].clone()).unwrap();
    let (above, first, second) = (
        tile("tile/1/000.p/2"),
        tile("tile/0/000"),
        tile("tile/0/001"),
    );
    assert!(above.holds(&first) && above.holds(&second));
    assert!(!above.holds(&tile("tile/0/002.p/88")));
    assert!(!above.holds(&above) && !first.holds(&second));
    let moved = Tile::new(second.id(), first.as_bytes().to_vec()).unwrap();
    assert!(!above.holds(&moved));
    let beyond = TileId::new(0, 2, 256).unwrap();
    assert!(!above.holds(&Tile::new(beyond, first.as_bytes().to_vec()).unwrap()));
}

proptest! {
    #[test]
    fn every_path_reads_back(level in 0u8..8, index in any::<u64>(), width in 1u16..257) {
        let index = index >> 8 >> (8 * level);
        if let Ok(id) = TileId::new(level, index, width) {
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn arbitrary_paths_are_read_or_refused(path in "(tile/)?[0-9x/.p+]{0,20}", any in any::<String>()) {
        if let Ok(id) = path.parse::<TileId>() {
            prop_assert_eq!(id.to_string(), path);
        }
        let _ = any.parse::<TileId>();
    }

    #[test]
    fn proofs_of_any_two_sizes_are_the_plain_tree_s(size in 1u64..1500, a in any::<u64>(), b in any::<u64>()) {
        let leaves = leaves(size);
        let files = stored(&leaves);
        let hashes = TileHashes::new(read(&files), size);
        let new = a % size + 1;
        let old = b % (new + 1);
        prop_assert_eq!(hashes.consistency(old, new).unwrap(), leaves.consistency(old, new).unwrap());
        let index = b % new;
        prop_assert_eq!(hashes.inclusion(index, new).unwrap(), leaves.inclusion(index, new).unwrap());
    }
}
