// SPDX-License-Identifier: Apache-2.0
//! Fuzzes the readers of what people type to bring a seed back: its shares and its words.
//!
//! - A share that can be read is written as it was read, apart from the digits' case and white space at its ends.
//! - A changed share is not one.
//! - Shares that were not made together bring no seed back.
//! - Words that can be read are those of the seed.

#![no_main]

use isthmus_envelope::{
	shares::{join, split, Share, PREFIX},
	Seed,
};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

fn shares() -> &'static [Share] {
	static SHARES: OnceLock<Vec<Share>> = OnceLock::new();
	SHARES.get_or_init(|| split(&Seed::from_bytes([5; 32]), 3, 2).expect("the numbers make sense"))
}

fn check_share(text: &str) {
	let Ok(share) = text.parse::<Share>() else {
		return;
	};
	assert_eq!(share.to_string().to_lowercase(), text.trim().to_lowercase());
	assert!(share.need() > 1 && share.number() > 0);
	let made = shares();
	if !made.contains(&share) {
		assert!(join(&[made[0].clone(), share.clone()]).is_err());
		assert!(join(&[share]).is_err());
	}
}

fn check_words(text: &str) {
	if let Ok(seed) = Seed::from_words(text) {
		let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
		assert_eq!(*seed.words(), words.join(" "));
	}
}

fuzz_target!(|data: &[u8]| {
	if let Ok(text) = std::str::from_utf8(data) {
		check_share(text);
		check_words(text);
	}
	let digits = hex::encode(data);
	check_share(&format!("{PREFIX}{digits}"));
	if let [at, flipped, ..] = *data {
		let mut changed = shares()[0].to_string().into_bytes();
		let at = usize::from(at) % changed.len();
		changed[at] ^= flipped & 0x7f;
		let changed = String::from_utf8(changed).expect("it is ASCII");
		if let Ok(share) = changed.parse::<Share>() {
			assert_eq!(&share, &shares()[0], "a changed share was read");
		}
	}
});
