// SPDX-License-Identifier: Apache-2.0
//! Fuzzes a Stratum session: the bytes of a connection, with new work and hashes of shares in between.
//!
//! - The first byte chooses whether the port has a secret; a zero byte in the rest publishes new work.
//! - Every answer is one line of JSON.
//! - A share is never accepted whose result is above the boundary that the worker was given.
//! - Without the secret nothing but refusals is sent, except for the answer to `mining.subscribe`.

#![no_main]

use isthmus_miners::{
	stratum::{Action, Config, Hashed, Session},
	Board, Boundary, Lines, Secret, Work,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::{
	collections::VecDeque,
	sync::Arc,
	time::{Duration, Instant},
};

fn work(step: u8) -> Arc<Work> {
	Arc::new(Work {
		seal_hash: [step; 32],
		seed: [0; 32],
		number: u64::from(step / 2),
		boundary: Boundary::from_bytes([1; 32]),
		difficulty: 256,
		parent: [step / 2; 32],
	})
}

fuzz_target!(|data: &[u8]| {
	let Some((first, rest)) = data.split_first() else {
		return;
	};
	let secret = (first & 1 == 1).then(|| Secret::parse("farm2026").expect("a valid secret"));
	let config = Config {
		secret: secret.clone(),
		start_difficulty: 1 << (first >> 2),
	};
	let mut now = Instant::now();
	let (mut session, mut board) = (Session::new(1, &config, now), Board::default());
	let (mut lines, mut step) = (Lines::default(), 0u8);
	board.publish(work(step));
	for part in rest.split_inclusive(|byte| *byte == 0) {
		let Ok(complete) = lines.push(part) else {
			return;
		};
		for line in complete {
			let mut actions = VecDeque::from(session.line(&line, &mut board, now));
			while let Some(action) = actions.pop_front() {
				match action {
					Action::Send(line) => {
						assert!(!line.contains('\n'));
						let _: Value = serde_json::from_str(&line).expect("an answer is JSON");
					}
					Action::Hash(share) => {
						assert!(session.worker().is_some());
						let byte = share.nonce as u8;
						let hashed = Hashed {
							mix_hash: [byte; 32],
							result: [byte; 32],
						};
						let boundary = share.work.boundary;
						let hashes = session.hashed(share, Some(hashed), &mut board);
						for action in &hashes {
							if let Action::Submit(..) = action {
								assert!(boundary.is_met_by(&hashed.result));
							}
						}
						actions.extend(hashes);
					}
					Action::Submit(..) | Action::Count(_) | Action::Rate(_) => {}
					Action::Close(_) => return,
				}
			}
		}
		step = step.wrapping_add(1);
		now += Duration::from_secs(5);
		board.publish(work(step));
		session.work(&board, now);
	}
});
