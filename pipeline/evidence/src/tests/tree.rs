use super::{ct_leaves, hash, leaves};
use crate::{
    Hash, Hashes as _, MissingNode, ProofError, TreeError, verify_consistency, verify_inclusion,
};

#[test]
fn the_certificate_transparency_trees_have_their_roots() {
    let leaves = ct_leaves();
    for (size, root) in [
        (
            0,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            1,
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        ),
        (
            2,
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        ),
        (
            3,
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        ),
        (
            5,
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        ),
        (
            7,
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        ),
        (
            8,
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ),
    ] {
        assert_eq!(leaves.root(size), Ok(hash(root)), "size {size}");
    }
}

#[test]
fn the_certificate_transparency_proofs_are_made() {
    let leaves = ct_leaves();
    let common = [
        hash("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"),
        hash("d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ];
    let sibling = hash("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b");
    assert_eq!(
        leaves.inclusion(5, 8),
        Ok(vec![sibling, common[0], common[1]])
    );
    let first = hash("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a");
    assert_eq!(
        leaves.consistency(6, 8),
        Ok(vec![first, common[0], common[1]])
    );
    let first = hash("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e");
    assert_eq!(leaves.consistency(2, 5), Ok(vec![first, sibling]));
}

#[test]
fn every_inclusion_proof_holds_and_no_changed_one() {
    let leaves = leaves(64);
    for size in 1..=64 {
        let root = leaves.root(size).unwrap();
        for index in 0..size {
            let path = leaves.inclusion(index, size).unwrap();
            let leaf = leaves[index as usize];
            let verify =
                |leaf, path: &[Hash], root| verify_inclusion(index, size, leaf, path, root);
            assert_eq!(verify(leaf, &path, root), Ok(()), "{index} in {size}");
            for changed in changed(&path, every_bit(size)) {
                assert!(verify(leaf, &changed, root).is_err(), "{index} in {size}");
            }
            let bit = (index + size) % 256;
            assert!(verify(flipped(leaf, bit), &path, root).is_err());
            assert!(verify(leaf, &path, flipped(root, bit)).is_err());
            for other in (0..size).filter(|other| *other != index) {
                assert!(verify_inclusion(other, size, leaf, &path, root).is_err());
            }
        }
    }
}

#[test]
fn every_consistency_proof_holds_and_no_changed_one() {
    let leaves = leaves(64);
    let roots: Vec<_> = (0..=64).map(|size| leaves.root(size).unwrap()).collect();
    for new in 0..=64 {
        let new_root = roots[new as usize];
        for old in 0..=new {
            let old_root = roots[old as usize];
            let path = leaves.consistency(old, new).unwrap();
            let verify = |old_root, new_root, path: &[Hash]| {
                verify_consistency(old, new, old_root, new_root, path)
            };
            assert_eq!(verify(old_root, new_root, &path), Ok(()), "{old} to {new}");
            for changed in changed(&path, every_bit(new)) {
                assert!(
                    verify(old_root, new_root, &changed).is_err(),
                    "{old} to {new}"
                );
            }
            let bit = (old + 3 * new) % 256;
            assert!(verify(flipped(old_root, bit), new_root, &path).is_err());
            // The empty tree is the beginning of any tree, true or not.
            if old > 0 {
                assert!(verify(old_root, flipped(new_root, bit), &path).is_err());
            }
        }
    }
}

#[test]
fn what_lies_outside_the_tree_has_no_proof() {
    let leaves = leaves(8);
    let outside = |wanted, size| Err(TreeError::OutOfRange { wanted, size });
    assert_eq!(leaves.inclusion(8, 8), outside(8, 8));
    assert_eq!(leaves.inclusion(0, 0), outside(0, 0));
    assert_eq!(leaves.consistency(9, 8), outside(9, 8));
    let missing = MissingNode { level: 0, index: 8 };
    assert_eq!(leaves.root(9), Err(missing));
    assert_eq!(leaves.inclusion(0, 9), Err(TreeError::Source(missing)));
    assert_eq!(
        leaves.node(64, 0),
        Err(MissingNode {
            level: 64,
            index: 0
        })
    );
}

#[test]
fn hashes_of_unbelievable_sizes_are_only_counted() {
    let path = [Hash::EMPTY_TREE; 64];
    for length in 0..=64 {
        let path = &path[..length];
        for (index, size) in [(0, u64::MAX), (u64::MAX - 1, u64::MAX), (1 << 63, u64::MAX)] {
            let root = Hash::EMPTY_TREE;
            assert!(verify_inclusion(index, size, root, path, root).is_err());
            assert!(verify_consistency(index, size, root, root, path).is_err() || index == 0);
        }
    }
    let root = Hash::EMPTY_TREE;
    let outside = ProofError::OutOfRange {
        wanted: u64::MAX,
        size: u64::MAX,
    };
    assert_eq!(
        verify_inclusion(u64::MAX, u64::MAX, root, &path, root),
        Err(outside)
    );
}

/// The sizes of which every bit of every proof is flipped: every shape of a small tree, and those about a power of two.
fn every_bit(size: u64) -> bool {
    size <= 17 || (31..=33).contains(&size) || size >= 63
}

/// All the ways of getting a proof slightly wrong; with `every_bit` each bit of it on its own, otherwise one bit of
/// each hash.
fn changed(path: &[Hash], every_bit: bool) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for place in 0..=path.len() {
        let mut longer = path.to_vec();
        longer.insert(place, path.get(place).copied().unwrap_or(Hash::EMPTY_TREE));
        all.push(longer);
    }
    for place in 0..path.len() {
        let mut shorter = path.to_vec();
        shorter.remove(place);
        all.push(shorter);
        let bits = if every_bit {
            0..256
        } else {
            place as u64 * 37 % 256..place as u64 * 37 % 256 + 1
        };
        for bit in bits {
            let mut other = path.to_vec();
            other[place] = flipped(path[place], bit);
            all.push(other);
        }
    }
    all
}

fn flipped(hash: Hash, bit: u64) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit as usize / 8] ^= 1 << (bit % 8);
    Hash::new(bytes)
}
