// SPDX-License-Identifier: Apache-2.0
//! Tests published cases with the full sizes, and all cases of the vector file if it is present.

use isthmus_ethash::{final_result, Cache, Path, Sizes};
use std::{collections::BTreeMap, path::Path as FilePath};
use tiny_keccak::{Hasher, Keccak};

/// One published hash.
struct Case {
	block_number: u64,
	header_hash: [u8; 32],
	nonce: u64,
	mix_hash: [u8; 32],
	result: [u8; 32],
}

fn hex32(text: &str) -> [u8; 32] {
	hex::decode(text).unwrap().try_into().unwrap()
}

fn check(cases: &[Case]) {
	// One cache per epoch and path.
	let mut epochs: BTreeMap<u64, Vec<&Case>> = BTreeMap::new();
	for case in cases {
		epochs
			.entry(Sizes::FULL.epoch(case.block_number))
			.or_default()
			.push(case);
	}
	for (epoch, cases) in epochs {
		for path in Path::available() {
			let cache = Cache::with_path(Sizes::FULL, epoch, path).unwrap();
			for case in &cases {
				let output = cache.light(&case.header_hash, case.nonce);
				assert_eq!(
					output.mix_hash, case.mix_hash,
					"{} {path:?}",
					case.block_number
				);
				assert_eq!(output.result, case.result, "{} {path:?}", case.block_number);
				let cheap = final_result(&case.header_hash, case.nonce, &case.mix_hash);
				assert_eq!(cheap, case.result);
				let [of_many] = cache.light_each(&[(case.header_hash, case.nonce)])[..] else {
					panic!("one output for one input");
				};
				assert_eq!(of_many, output);
			}
		}
	}
}

/// Checks a case from ethereum/tests, PoWTests/ethash_tests.json.
#[test]
fn a_published_case_of_epoch_0() {
	check(&[Case {
		block_number: 0,
		header_hash: hex32("2a8de2adf89af77358250bf908bf04ba94a6e8c3ba87775564a41d269a05e4ce"),
		nonce: 0x4242_4242_4242_4242,
		mix_hash: hex32("58f759ede17a706c93f13030328bcea40c1d1341fb26f2facd21ceb0dae57017"),
		result: hex32("dd47fd2d98db51078356852d7c4014e6a5d6c387c35f40e2875b74a256ed7906"),
	}]);
}

#[test]
fn the_cache_of_epoch_0_is_the_published_one() {
	for path in Path::available() {
		let cache = Cache::with_path(Sizes::FULL, 0, path).unwrap();
		let mut hasher = Keccak::v256();
		cache
			.rows()
			.iter()
			.for_each(|row| hasher.update(&row.bytes()));
		let mut hash = [0; 32];
		hasher.finalize(&mut hash);
		assert_eq!(
			hex::encode(hash),
			"35ded12eecf2ce2e8da2e15c06d463aae9b84cb2530a00b932e4bbc484cde353",
			"{path:?}"
		);
		assert_eq!(u64::from(cache.dataset_pages()) * 128, 1_073_739_904);
	}
}

/// Checks all cases of the vector file, which is not part of the repository.
#[test]
fn the_vectors_beside_the_repository() {
	let file =
		FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/ethash.json");
	let Ok(text) = std::fs::read_to_string(&file) else {
		println!("skipped: no {}", file.display());
		return;
	};
	let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
	let cases: Vec<Case> = vectors["cases"]
		.as_array()
		.unwrap()
		.iter()
		.map(|case| {
			let text = |name: &str| case[name].as_str().unwrap();
			Case {
				block_number: case["block_number"].as_u64().unwrap(),
				header_hash: hex32(text("header_hash")),
				nonce: u64::from_str_radix(text("nonce"), 16).unwrap(),
				mix_hash: hex32(text("mix_hash")),
				result: hex32(text("result")),
			}
		})
		.collect();
	assert!(!cases.is_empty());
	check(&cases);
}
