// SPDX-License-Identifier: Apache-2.0
//! Fuzzes proofs of finality, which any node can send to a client, and what a client keeps of one.
//!
//! - A proof that is followed leads to a block that the voters voted for. One that is refused changes nothing.
//! - What is kept is read again as it was.

#![no_main]

#[allow(dead_code)]
#[path = "../chain.rs"]
mod chain;

use chain::{changed, Chain};
use isthmus_light::{Finality, Hash};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

/// The chain, the state of knowledge at its first block, its proof, and the blocks that were voted for.
struct Known {
	start: Finality,
	proof: Vec<u8>,
	blocks: Vec<Hash>,
}

fn known() -> &'static Known {
	static KNOWN: OnceLock<Known> = OnceLock::new();
	KNOWN.get_or_init(|| {
		let chain = Chain::new();
		let steps = chain.steps.iter().map(|step| step.header.hash());
		Known {
			start: chain.begin(),
			proof: chain.proof(),
			blocks: [chain.first.hash()].into_iter().chain(steps).collect(),
		}
	})
}

fn check(proof: &[u8]) {
	let Known { start, blocks, .. } = known();
	let mut finality = start.clone();
	match finality.follow(proof) {
		Ok(_) => assert!(
			blocks.contains(&finality.head_hash()),
			"no one voted for it"
		),
		Err(_) => assert_eq!(&finality, start),
	}
	let kept = finality.to_bytes();
	assert_eq!(Finality::restore(start.genesis(), &kept), Ok(finality));
}

fuzz_target!(|data: &[u8]| {
	let known = known();
	check(data);
	check(&changed(&known.proof, data));
	let _ = Finality::restore(known.start.genesis(), data);
	let kept = changed(&known.start.to_bytes(), data);
	if let Ok(mut restored) = Finality::restore(known.start.genesis(), &kept) {
		// The disk is trusted, but what follows must not end the program.
		let _ = restored.follow(&known.proof);
	}
});
