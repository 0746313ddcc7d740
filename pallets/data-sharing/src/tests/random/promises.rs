// SPDX-License-Identifier: Apache-2.0
//! What readers paid for is kept until it ends, or paid back.

use crate::{mock::*, *};
use isthmus_sharing::terms::refund;
use std::collections::BTreeMap;

/// The grants that were paid for, by number, until they end.
#[derive(Default)]
pub(super) struct Promises {
	paid: BTreeMap<GrantId, GrantOf<Test>>,
	/// Those that were revoked and paid back in full, which can still be disputed.
	paid_back: BTreeMap<GrantId, GrantOf<Test>>,
	/// The records that were there for each of them, and could be read.
	records: BTreeMap<GrantId, Vec<RecordKey>>,
	/// How many of the block's events were looked at.
	seen: usize,
	/// How many promises were bought, and how many were paid back.
	pub(super) bought: usize,
	pub(super) refunded: usize,
	/// How often a grant was suspended, and resumed.
	pub(super) suspended: usize,
	pub(super) resumed: usize,
	/// How often an offer was taken back by its condition, and an embargo ended by it.
	pub(super) released: usize,
	pub(super) lifted: usize,
	/// How many disputes were won, and lost.
	pub(super) won: usize,
	pub(super) lost: usize,
	/// What was burned of the owners' deposits.
	pub(super) burned: u64,
}

impl Promises {
	/// Looks at what has happened, and checks that every paid term that is not over is still granted.
	pub(super) fn check(&mut self) {
		let now = System::block_number();
		for record in System::events().into_iter().skip(self.seen) {
			self.seen += 1;
			let RuntimeEvent::Sharing(event) = record.event else {
				continue;
			};
			match event {
				SharingEvent::Authorized { grant, paid, .. } if paid > 0 => {
					let entry = Grants::<Test>::get(grant).expect("it was just given");
					assert_eq!(entry.paid, paid);
					let is_for_sale = |record: &RecordOf<Test>| {
						(record.dataset, record.epoch) == (entry.scope.dataset, entry.scope.epoch)
							&& entry.scope.covers(record.leaf)
							&& record.payload.is_complete()
					};
					let records = Records::<Test>::iter_prefix(entry.owner)
						.filter(|(_, record)| is_for_sale(record))
						.map(|(key, _)| key)
						.filter(|key| !Embargoes::<Test>::contains_key(entry.owner, key));
					self.records.insert(grant, records.collect());
					self.paid.insert(grant, entry);
					self.bought += 1;
				}
				SharingEvent::Revoked {
					grant, refunded, ..
				} => {
					let due = self.paid.remove(&grant).map_or(0, |entry| {
						assert!(!entry.firm || now >= entry.paid_until);
						self.refunded += 1;
						// An owner that was not paid yet gives all of it back.
						if now < (entry.paid_from + WINDOW).min(entry.paid_until) {
							let paid = entry.paid;
							self.paid_back.insert(grant, entry);
							return paid;
						}
						let left = entry.paid_until.saturating_sub(now);
						let term = entry.paid_until - entry.paid_from;
						refund(entry.paid.into(), left, term) as u64
					});
					assert_eq!(refunded, due, "grant {grant}");
				}
				SharingEvent::GrantExpired { grant, .. } => {
					let paid = self.paid.remove(&grant);
					assert!(paid.is_none_or(|entry| now >= entry.paid_until));
				}
				SharingEvent::DisputeWon {
					grant,
					leaf,
					refunded,
					slashed,
					..
				} => {
					let entry = match self.paid.remove(&grant) {
						Some(entry) => {
							assert_eq!(refunded, entry.paid);
							entry
						}
						None => {
							assert_eq!(refunded, 0);
							self.paid_back.remove(&grant).expect("it was paid for")
						}
					};
					self.burned += slashed;
					assert!(slashed <= SLASH);
					// An honest owner never loses: only wrong keys, or what is not a record under its leaf's key.
					assert!(!is_honest(&entry, leaf), "grant {grant}, leaf {leaf}");
					self.won += 1;
				}
				SharingEvent::DisputeLost { grant, leaf, .. } => {
					let entry = self.paid.get(&grant).or(self.paid_back.get(&grant));
					assert!(is_honest(entry.expect("it was paid for"), leaf));
					self.lost += 1;
				}
				SharingEvent::GrantSuspended { .. } => self.suspended += 1,
				SharingEvent::GrantResumed { .. } => self.resumed += 1,
				SharingEvent::OfferReleased { .. } => self.released += 1,
				SharingEvent::EmbargoLifted { met: true, .. } => self.lifted += 1,
				SharingEvent::Renounced { grant, .. } => drop(self.paid.remove(&grant)),
				_ => {}
			}
		}
		for (grant, paid) in &self.paid {
			let kept = Grants::<Test>::get(grant).map(|entry| entry.state_at(&now, Time::get()));
			assert!(now >= paid.paid_until || kept == Some(GrantState::Active));
			for key in &self.records[grant] {
				let is_there = Records::<Test>::contains_key(paid.owner, key)
					&& !Embargoes::<Test>::contains_key(paid.owner, key);
				assert!(now >= paid.paid_until || is_there);
			}
		}
	}

	pub(super) fn next_block(&mut self) {
		System::reset_events();
		self.seen = 0;
	}
}

/// Returns whether the owner sealed the right keys, and stored a record under the leaf's key.
fn is_honest(grant: &GrantOf<Test>, leaf: Leaf) -> bool {
	let Scope { dataset, epoch, .. } = grant.scope;
	let taken = Leaves::<Test>::get((grant.owner, dataset, epoch, leaf));
	let record = match taken.map(|taken| taken.by) {
		Some(LeafUse::Record(key)) => Records::<Test>::get(grant.owner, key),
		_ => None,
	};
	let is_record =
		|record: RecordOf<Test>| matches!(record.payload, Payload::Value { length: 77, .. });
	grant.sealed_keys[..] != b"sealed"[..] && record.is_some_and(is_record)
}
