use super::*;

/// The leaves that Certificate Transparency's own tests use, and the roots over the first one, two
/// and so on of them (google/certificate-transparency, merkletree/merkle_tree_test.cc).
const INPUTS: [&str; 8] = [
	"",
	"00",
	"10",
	"2021",
	"3031",
	"40414243",
	"5051525354555657",
	"606162636465666768696a6b6c6d6e6f",
];
const ROOTS: [&str; 8] = [
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn leaves(count: usize) -> Vec<Hash> {
	(0..count).map(|i| leaf_hash(&[i as u8])).collect()
}

#[test]
fn published_roots() {
	let hashes: Vec<Hash> = INPUTS
		.iter()
		.map(|x| leaf_hash(&hex::decode(x).unwrap()))
		.collect();
	for (i, expected) in ROOTS.iter().enumerate() {
		assert_eq!(hex::encode(root(&hashes[..=i])), *expected);
	}
	let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	assert_eq!(hex::encode(root(&[])), nothing);
}

#[test]
fn every_chunk_of_every_small_record_is_proved_alone() {
	for count in 1..=70 {
		let leaves = leaves(count);
		let root = root(&leaves);
		for (i, leaf) in leaves.iter().enumerate() {
			let proof = proof(&leaves, i).unwrap();
			assert_eq!(verify(&root, count as u64, i as u64, *leaf, &proof), Ok(()));
		}
		assert_eq!(proof(&leaves, count), None);
	}
}

#[test]
fn what_does_not_belong_is_refused() {
	for count in 2..=20 {
		let leaves = leaves(count);
		let root = root(&leaves);
		let n = count as u64;
		for (i, leaf) in leaves.iter().enumerate() {
			let good = proof(&leaves, i).unwrap();
			let i = i as u64;
			let wrong = Err(MerkleError::WrongRoot);
			assert_eq!(verify(&root, n, i, leaf_hash(b"other"), &good), wrong);
			for bit in 0..good.len() * 256 {
				let mut bad = good.clone();
				bad[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
				assert_eq!(verify(&root, n, i, *leaf, &bad), wrong);
			}
			// The same proof at any other place.
			for other in (0..n).filter(|other| *other != i) {
				assert!(verify(&root, n, other, *leaf, &good).is_err());
			}
			let (expected, short) = (good.len(), &good[1..]);
			assert_eq!(
				verify(&root, n, i, *leaf, short),
				Err(MerkleError::ProofLength {
					expected,
					got: expected - 1
				})
			);
			let long = [&good[..], &[[0; 32]]].concat();
			assert_eq!(
				verify(&root, n, i, *leaf, &long),
				Err(MerkleError::ProofLength {
					expected,
					got: expected + 1
				})
			);
		}
		assert_eq!(
			verify(&root, n, n, leaves[0], &[]),
			Err(MerkleError::NoSuchChunk { index: n, count: n })
		);
	}
	assert_eq!(
		verify(&root(&[]), 0, 0, [0; 32], &[]),
		Err(MerkleError::NoSuchChunk { index: 0, count: 0 })
	);
}

#[test]
fn a_tree_that_is_kept_proves_as_one_that_is_not() {
	for count in 0..70 {
		let leaves = leaves(count);
		let tree = Tree::new(leaves.clone());
		assert_eq!(tree.root(), root(&leaves));
		for index in 0..=count {
			assert_eq!(tree.proof(index), proof(&leaves, index));
		}
	}
}
