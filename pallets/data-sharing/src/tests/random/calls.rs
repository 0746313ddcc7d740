// SPDX-License-Identifier: Apache-2.0
//! Random calls, valid and invalid, and who sends them.

use super::{
	conditions::{condition_of_policy, random_condition},
	due::settle,
	ACCOUNTS, PRODUCERS,
};
use crate::{
	mock::*,
	tests::exchange::{dispute, reader_of, record_of, root_of, seal_for},
	*,
};
use frame_support::traits::GetCallName;
use isthmus_keys::Suite;
use rand::{rngs::StdRng, Rng};
use std::collections::{BTreeMap, BTreeSet};

fn random_scope(rng: &mut StdRng) -> Scope {
	let from = rng.gen_range(0..12);
	Scope {
		dataset: rng.gen_range(0..3),
		epoch: rng.gen_range(0..4),
		from,
		to: from + rng.gen_range(0..6),
	}
}

fn pick(rng: &mut StdRng, ids: impl Iterator<Item = u64>) -> u64 {
	let ids: Vec<_> = ids.collect();
	if ids.is_empty() {
		0
	} else {
		ids[rng.gen_range(0..ids.len())]
	}
}

/// Returns a chunk of one of the owner's large records, usually the next one.
fn next_chunk(rng: &mut StdRng, owner: u64) -> (u64, SharingCall) {
	let open: Vec<_> = Records::<Test>::iter_prefix(owner)
		.filter(|(_, record)| !record.payload.is_complete())
		.collect();
	if open.is_empty() {
		return (owner, Large::new(rng.gen_range(0..16), 1).chunk(0));
	}
	let (key, record) = &open[rng.gen_range(0..open.len())];
	let (number, chunks) = (key.0[0], record.payload.chunks() as u8);
	let index = if rng.gen_ratio(1, 8) {
		rng.gen_range(0..chunks)
	} else {
		record.payload.arrived() as u8
	};
	(owner, Large::new(number, chunks).chunk(index))
}

pub(super) fn random_call(rng: &mut StdRng) -> (u64, SharingCall) {
	let who = ACCOUNTS[rng.gen_range(0..ACCOUNTS.len())];
	let owner = PRODUCERS[rng.gen_range(0..PRODUCERS.len())];
	let now = System::block_number();
	let name = vec![b'a' + rng.gen_range(0..4)];
	let dataset = rng.gen_range(0..3);
	match rng.gen_range(0..118) {
		0..=4 => (
			owner,
			SharingCall::register {
				kind: ProducerKind::Other,
				name,
			},
		),
		5..=6 => {
			// Usually one that may leave: a producer seldom has no datasets.
			let idle = Producers::<Test>::iter().find(|(_, producer)| producer.datasets == 0);
			let who = idle.map_or(who, |(idle, _)| idle);
			(who, SharingCall::deregister {})
		}
		7..=12 => {
			let key = vec![0; rng.gen_range(30..60)];
			(who, SharingCall::set_encryption_key { key })
		}
		13..=13 => (who, SharingCall::remove_encryption_key {}),
		14..=18 => (owner, SharingCall::create_dataset { name }),
		19..=20 => (owner, SharingCall::remove_dataset { dataset }),
		21..=21 => (owner, SharingCall::start_epoch { dataset }),
		22..=23 => {
			let policy = Policy {
				price: 1,
				firm_price: rng.gen_ratio(1, 2).then(|| rng.gen_range(1..100)),
				longest_range: rng.gen_range(0..3),
				longest_term: rng.gen_range(0..30),
				consumers: ConsumerKinds::ALL,
				purposes: PurposeCodes(rng.gen_range(0..1 << 4)),
			};
			let condition = rng.gen_ratio(1, 2).then(|| condition_of_policy(rng));
			let call = SharingCall::set_policy {
				dataset,
				policy,
				condition,
			};
			(owner, call)
		}
		24..=24 => (owner, SharingCall::clear_policy { dataset }),
		25..=28 => {
			let mut call = Large::new(rng.gen_range(0..16), rng.gen_range(1..5)).open();
			if let SharingCall::open_record {
				dataset: to, epoch, ..
			} = &mut call
			{
				*to = dataset;
				*epoch = Datasets::<Test>::get(owner, dataset).map_or(0, |entry| entry.epoch);
			}
			(owner, call)
		}
		29..=36 => next_chunk(rng, owner),
		37..=41 => {
			let epoch = Datasets::<Test>::get(owner, dataset).map_or(0, |entry| entry.epoch);
			let key = key(rng.gen_range(0..16));
			let length = rng.gen_range(0..70);
			let leaf = rng.gen_range(0..16);
			let place = Scope {
				dataset,
				epoch,
				..scope(0, 1)
			};
			let value = match length % 2 {
				1 => record_of(&root_of(owner, &place), leaf),
				_ => vec![0; length],
			};
			(
				owner,
				SharingCall::store {
					key,
					dataset,
					epoch,
					leaf,
					value,
				},
			)
		}
		42..=47 => (
			owner,
			SharingCall::remove_record {
				key: key(rng.gen_range(0..16)),
			},
		),
		48..=51 => {
			let (epoch, leaf) = (rng.gen_range(0..4), rng.gen_range(0..16));
			(
				owner,
				SharingCall::free_leaf {
					dataset,
					epoch,
					leaf,
				},
			)
		}
		52..=67 => {
			let scope = random_scope(rng);
			let purpose = vec![b'p'; rng.gen_range(0..20)];
			let (term, offer) = (rng.gen_range(0..30), rng.gen_range(0..200));
			(
				who,
				SharingCall::request_access {
					owner,
					scope,
					purpose,
					code: PurposeCode::ALL[rng.gen_range(0..PurposeCode::ALL.len())],
					term,
					offer,
					firm: rng.gen_ratio(1, 4),
					key: match rng.gen_range(33..60) {
						length if length % 2 == 0 => {
							reader_of(Suite::X25519, who).public_key().to_bytes()
						}
						length => vec![7; length],
					},
				},
			)
		}
		68..=70 => {
			let request = pick(rng, Requests::<Test>::iter_keys());
			(who, SharingCall::cancel_request { request })
		}
		71..=73 => {
			let request = pick(rng, Requests::<Test>::iter_keys());
			(
				owner,
				SharingCall::reject_request {
					request,
					reason: name,
				},
			)
		}
		74..=83 => {
			let scope = random_scope(rng);
			let mut call = authorize(who, scope, now + rng.gen_range(0..40), None);
			if let SharingCall::add_authorize {
				until, condition, ..
			} = &mut call
			{
				*until = rng
					.gen_ratio(1, 4)
					.then(|| Time::get() + rng.gen_range(0..20));
				*condition = rng.gen_ratio(1, 2).then(|| random_condition(rng));
			}
			(owner, call)
		}
		84..=93 => {
			let id = pick(rng, Requests::<Test>::iter_keys());
			let expiry = now + rng.gen_range(0..60);
			match Requests::<Test>::get(id) {
				Some(request) => {
					let mut call = authorize(request.consumer, request.scope, expiry, Some(id));
					if let SharingCall::add_authorize { sealed_keys, .. } = &mut call {
						seal_honestly(id, &request, expiry, sealed_keys);
					}
					(request.owner, call)
				}
				None => (owner, authorize(who, random_scope(rng), expiry, Some(id))),
			}
		}
		94..=101 => {
			let grant = pick(rng, Grants::<Test>::iter_keys());
			(owner, SharingCall::revoke { grant })
		}
		102..=103 => {
			let grant = pick(rng, Grants::<Test>::iter_keys());
			(who, SharingCall::renounce { grant })
		}
		104..=105 => {
			let closed = rng.gen_ratio(1, 4);
			(owner, SharingCall::set_closed { dataset, closed })
		}
		106..=107 => recount(rng, owner),
		108..=111 => {
			let request = pick(rng, Requests::<Test>::iter_keys());
			let consumer = Requests::<Test>::get(request).map_or(who, |entry| entry.consumer);
			let condition = (!rng.gen_ratio(1, 4)).then(|| random_condition(rng));
			(consumer, SharingCall::withdraw_when { request, condition })
		}
		112..=115 => {
			let key = key(rng.gen_range(0..16));
			let condition = (!rng.gen_ratio(1, 4)).then(|| random_condition(rng));
			(
				owner,
				SharingCall::embargo {
					key,
					dataset,
					condition,
				},
			)
		}
		_ => {
			let due = [
				Due::Request(pick(rng, Requests::<Test>::iter_keys())),
				Due::Grant(pick(rng, Grants::<Test>::iter_keys())),
				Due::Trigger(pick(rng, Triggers::<Test>::iter_keys())),
				Due::Payment(pick(rng, Payments::<Test>::iter_keys())),
			];
			(who, settle(&due))
		}
	}
}

/// Returns the dataset that an owner's call is about, if it is about one that exists.
fn dataset_of(owner: u64, call: &SharingCall) -> Option<DatasetId> {
	use crate::Call::*;
	match call {
		remove_dataset { dataset }
		| start_epoch { dataset }
		| set_policy { dataset, .. }
		| clear_policy { dataset }
		| set_closed { dataset, .. }
		| store { dataset, .. }
		| open_record { dataset, .. }
		| store_object { dataset, .. }
		| set_locations { dataset, .. }
		| free_leaf { dataset, .. }
		| embargo { dataset, .. }
		| recount_sold { dataset, .. }
		| offer_dataset { dataset, .. }
		| withdraw_dataset_offer { dataset } => Some(*dataset),
		add_authorize { scope, .. } => Some(scope.dataset),
		remove_record { key } | store_chunk { key, .. } => {
			Records::<Test>::get(owner, key).map(|record| record.dataset)
		}
		reject_request { request, .. } => {
			let request = Requests::<Test>::get(request)?;
			(request.owner == owner).then_some(request.scope.dataset)
		}
		revoke { grant } => {
			let grant = Grants::<Test>::get(grant)?;
			(grant.owner == owner).then_some(grant.scope.dataset)
		}
		_ => None,
	}
}

/// Returns an owner's call as it is made by who controls the dataset.
pub(super) fn by_controller(owner: u64, call: SharingCall) -> (u64, SharingCall) {
	let controller = dataset_of(owner, &call).map(|id| Sharing::controller(&owner, id));
	match controller.filter(|controller| *controller != owner) {
		Some(controller) => {
			let call = Box::new(call.into());
			(controller, SharingCall::act_for { owner, call })
		}
		None => (owner, call),
	}
}

/// Returns the names of a call, and of the one that it carries out.
pub(super) fn names_of(call: &SharingCall) -> Vec<&'static str> {
	let mut names = vec![call.get_call_name()];
	if let SharingCall::act_for { call, .. } = call {
		if let RuntimeCall::Sharing(call) = &**call {
			names.push(call.get_call_name());
		}
	}
	names
}

/// Returns a call that hands a dataset over, and who sends it.
pub(super) fn handover_call(rng: &mut StdRng) -> (u64, SharingCall) {
	// In an order that does not depend on hashes.
	let all: BTreeMap<_, _> = Controls::<Test>::iter()
		.map(|(owner, dataset, control)| ((owner, dataset), control))
		.collect();
	let some = all.into_iter().nth(rng.gen_range(0..6));
	let to = ACCOUNTS[rng.gen_range(0..3)];
	let Some(((owner, dataset), control)) = some else {
		return (to, SharingCall::withdraw_dataset_offer { dataset: 0 });
	};
	match rng.gen_range(0..8) {
		0 => by_controller(owner, SharingCall::offer_dataset { dataset, to }),
		1 => by_controller(owner, SharingCall::withdraw_dataset_offer { dataset }),
		_ => {
			let most = match rng.gen_ratio(1, 4) {
				true => rng.gen_range(0..2_000),
				false => u64::MAX,
			};
			let who = control.offered_to.unwrap_or(to);
			let call = SharingCall::accept_dataset {
				owner,
				dataset,
				offer: control.offers,
				most,
			};
			(who, call)
		}
	}
}

/// Seals the keys that answer a request if its number is even and it has a key. Other answers stay wrong.
fn seal_honestly(id: RequestId, request: &RequestOf<Test>, expiry: u64, to: &mut Vec<u8>) {
	let pair = reader_of(Suite::X25519, request.consumer);
	if id.is_multiple_of(2) && request.key[..] == pair.public_key().to_bytes()[..] {
		let root = root_of(request.owner, &request.scope);
		if let Some(sealed) = seal_for(&root, request.consumer, &request.scope, expiry, &pair) {
			*to = sealed;
		}
	}
}

/// Returns a dispute about a payment, mostly by the reader with the right secret.
pub(super) fn dispute_call(rng: &mut StdRng) -> (u64, SharingCall) {
	let grant = pick(rng, Payments::<Test>::iter_keys());
	let Some(entry) = Grants::<Test>::get(grant) else {
		return (COMPANY, dispute(grant, 0, [0; 32], vec![]));
	};
	let Scope { dataset, epoch, .. } = entry.scope;
	let leaves = Leaves::<Test>::iter_prefix((entry.owner, dataset, epoch));
	let covered = leaves.filter_map(|(leaf, taken)| match taken.by {
		LeafUse::Record(key) if entry.scope.covers(leaf) => Some((leaf, key)),
		_ => None,
	});
	// In an order that does not depend on hashes.
	let covered: Vec<_> = covered.collect::<BTreeSet<_>>().into_iter().collect();
	let (leaf, shown) = match covered.is_empty() {
		true => (rng.gen_range(0..16), vec![]),
		false => {
			let (leaf, key) = covered[rng.gen_range(0..covered.len())];
			(leaf, bytes_of(entry.owner, leaf, key))
		}
	};
	let secret = match rng.gen_ratio(1, 8) {
		true => [0; 32],
		false => *reader_of(Suite::X25519, entry.grantee).expose_seed(),
	};
	(entry.grantee, dispute(grant, leaf, secret, shown))
}

/// Returns the bytes of a record of these tests that the chain has the hash of.
fn bytes_of(owner: u64, leaf: Leaf, key: RecordKey) -> Vec<u8> {
	let record = Records::<Test>::get(owner, key).expect("its leaf is taken");
	let place = Scope {
		dataset: record.dataset,
		epoch: record.epoch,
		..scope(0, 1)
	};
	match record.payload {
		Payload::Value { length: 77, .. } => record_of(&root_of(owner, &place), leaf),
		Payload::Value { length, .. } => vec![0; length as usize],
		Payload::Chunks { .. } => Large::new(key.0[0], record.payload.chunks() as u8).manifest(),
		Payload::Object { .. } => vec![],
	}
}

/// Returns a call about objects, in a dataset that no other call touches: its list of objects grows and shrinks.
pub(super) fn object_call(rng: &mut StdRng) -> (u64, SharingCall) {
	let owner = PRODUCERS[rng.gen_range(0..PRODUCERS.len())];
	let untouched = Datasets::<Test>::iter_key_prefix(owner).filter(|id| *id >= 3);
	let dataset: DatasetId = untouched.min().unwrap_or(3);
	let number = rng.gen_range(32..64);
	match rng.gen_range(0..8) {
		0..=3 => {
			let mut call = store_object(number);
			if let SharingCall::store_object {
				dataset: to,
				epoch,
				object,
				..
			} = &mut call
			{
				*to = dataset;
				*epoch = Datasets::<Test>::get(owner, dataset).map_or(0, |entry| entry.epoch);
				object.length = rng.gen_range(0..200);
			}
			(owner, call)
		}
		4..=5 => {
			let key = key(number);
			(owner, SharingCall::remove_record { key })
		}
		6 => {
			let all = ["s3://a", "s3://b/c", "file:///d", "s3://e/"];
			let some: Vec<_> = all.into_iter().filter(|_| rng.gen_ratio(1, 3)).collect();
			let mut call = set_locations(&some);
			if let SharingCall::set_locations { dataset: of, .. } = &mut call {
				*of = dataset;
			}
			(owner, call)
		}
		_ => (owner, SharingCall::start_epoch { dataset }),
	}
}

/// Counts again what is sold where a random grant is, with all grants that count there; sometimes without the last one.
fn recount(rng: &mut StdRng, owner: u64) -> (u64, SharingCall) {
	let sold = |grant: &GrantOf<Test>| Sharing::is_sold(grant);
	let at = |grant: GrantOf<Test>| (grant.owner, grant.scope.dataset, grant.scope.epoch);
	let places: BTreeSet<_> = Grants::<Test>::iter_values().filter(sold).map(at).collect();
	let place = places.into_iter().nth(rng.gen_range(0..3));
	let (owner, dataset, epoch) = place.unwrap_or((owner, 0, 0));
	let is_here = |(_, grant): &(GrantId, GrantOf<Test>)| {
		sold(grant) && at(grant.clone()) == (owner, dataset, epoch)
	};
	let here = Grants::<Test>::iter().filter(is_here).map(|(id, _)| id);
	// In ascending order.
	let mut grants: Vec<_> = here.collect::<BTreeSet<_>>().into_iter().collect();
	if rng.gen_ratio(1, 4) {
		grants.pop();
	}
	let grants = grants.try_into().expect("there are few");
	let call = SharingCall::recount_sold {
		dataset,
		epoch,
		grants,
	};
	(owner, call)
}
