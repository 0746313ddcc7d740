// SPDX-License-Identifier: Apache-2.0
//! Tests long random sequences of valid and invalid calls. Whatever is called, the state's invariants hold,
//! a call that fails changes nothing, and nothing is minted or burnt. A term that was paid for is kept, or what is
//! left of it is paid back. No money stays held past its date for longer than the agenda is late, and a stranger
//! can settle all that is. In the end every deposit can be released, except for the deposits for the counts of
//! datasets.

use super::exchange::{dispute, reader_of, record_of, root_of, seal_for};
use crate::{mock::*, *};
use frame_support::{
	assert_ok,
	traits::{GetCallName, Hooks},
	weights::Weight,
};
use isthmus_conditions::Condition;
use isthmus_keys::Suite;
use isthmus_sharing::terms::refund;
use polkadot_sdk::*;
use rand::{rngs::StdRng, Rng, SeedableRng};
use sp_runtime::StateVersion;
use std::collections::{BTreeMap, BTreeSet};

/// How many calls to make between two checks of the state's invariants.
const CHECK_EVERY: usize = 50;
/// How many calls are enough for each of the pallet's calls to succeed.
const LONG: usize = 10_000;
const PRODUCERS: [u64; 2] = [SCHOOL, OFFICE];
const ACCOUNTS: [u64; 5] = [SCHOOL, OFFICE, COMPANY, RIVAL, PAUPER];

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

fn random_call(rng: &mut StdRng) -> (u64, SharingCall) {
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
fn by_controller(owner: u64, call: SharingCall) -> (u64, SharingCall) {
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
fn names_of(call: &SharingCall) -> Vec<&'static str> {
	let mut names = vec![call.get_call_name()];
	if let SharingCall::act_for { call, .. } = call {
		if let RuntimeCall::Sharing(call) = &**call {
			names.push(call.get_call_name());
		}
	}
	names
}

/// Returns a call that hands a dataset over, and who sends it.
fn handover_call(rng: &mut StdRng) -> (u64, SharingCall) {
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
fn dispute_call(rng: &mut StdRng) -> (u64, SharingCall) {
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
fn object_call(rng: &mut StdRng) -> (u64, SharingCall) {
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

/// Returns a condition on a few facts, credentials and dates, so that many grants wait for the same.
fn random_condition(rng: &mut StdRng) -> Condition {
	let parts: Vec<_> = (0..rng.gen_range(1..5))
		.map(|_| {
			let limit = rng.gen_range(0..4);
			match rng.gen_range(0..8) {
				0..=3 => format!(
					"fact({}, t, {}s) > {limit}",
					source(rng),
					rng.gen_range(1..30)
				),
				4 => format!("fact({}, t) > {limit}", source(rng)),
				5 => format!("credential(0x{:02x}{}, k)", SCHOOL, "00".repeat(31)),
				6 => format!("before({})", date(Time::get() + rng.gen_range(0..40))),
				_ => format!("not after({})", date(Time::get() + rng.gen_range(0..40))),
			}
		})
		.collect();
	condition(&parts.join(if rng.gen_ratio(1, 2) { " and " } else { " or " }))
}

/// Returns a condition that may also test the consumer's grants, its payment and the dataset's grants.
fn condition_of_policy(rng: &mut StdRng) -> Condition {
	let test = match rng.gen_range(0..3) {
		0 => format!("paid >= {}", rng.gen_range(0..150)),
		1 => format!("count < {}", rng.gen_range(0..20)),
		_ => format!("not granted(0x{:02x}{}, 0)", SCHOOL, "00".repeat(31)),
	};
	let other = random_condition(rng);
	// Too many tests of different things are refused.
	condition(&format!("{test} or ({other})"))
}

fn source(rng: &mut StdRng) -> &'static str {
	["a", "b", "c", "d", "e", "f"][rng.gen_range(0..6)]
}

/// Returns the time of a test's day as conditions write it.
fn date(time: u64) -> String {
	// 1970-01-12, on which all tests take place, began at this time.
	let seconds = time - 950_400;
	let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
	format!("1970-01-12T{hour:02}:{minute:02}:{second:02}Z")
}

/// Changes a fact or a credential, as the facts pallet would.
fn change_outside(rng: &mut StdRng) {
	match rng.gen_range(0..6) {
		0 => {
			let account = ACCOUNTS[rng.gen_range(0..ACCOUNTS.len())];
			let kind = name("k");
			let until = Time::get() + rng.gen_range(0..30);
			Credentials::mutate(|all| all.insert((account, SCHOOL, kind.clone()), until));
			Sharing::changed(&Cause::Credential {
				account,
				issuer: SCHOOL,
				kind,
			});
		}
		1 => {
			let source = name(source(rng));
			Facts::mutate(|facts| facts.remove(&(source.clone(), name("t"))));
			Sharing::changed(&Cause::Source(source));
		}
		_ => drop(report(source(rng), rng.gen_range(0..6))),
	}
}

/// Returns the grants that are suspended although their conditions are met, or the other way round.
fn misjudged() -> Vec<GrantId> {
	let is_wrong = |grant: &GrantOf<Test>| {
		let attached = grant.condition.as_ref();
		attached.is_some_and(|attached| {
			let (truth, _) = Sharing::truth(&attached.condition, &grant.grantee);
			!Sharing::is_over(grant) && Sharing::state_by(truth) != grant.state
		})
	};
	let grants = Grants::<Test>::iter().filter(|(_, grant)| is_wrong(grant));
	grants.map(|(id, _)| id).collect()
}

/// Returns the triggers that have not fired although their conditions are met.
fn unfired() -> Vec<TriggerId> {
	let is_met = |trigger: &TriggerOf<Test>| {
		let (truth, _) = Sharing::truth(&trigger.attached.condition, &trigger.by);
		truth.is_met()
	};
	let triggers = Triggers::<Test>::iter().filter(|(_, trigger)| is_met(trigger));
	triggers.map(|(id, _)| id).collect()
}

fn settle(due: &[Due]) -> SharingCall {
	let due = due.to_vec().try_into().expect("there are few");
	SharingCall::settle { due }
}

/// Returns what should have ended or been removed by now.
fn overdue() -> Vec<Due> {
	let (now, time) = (System::block_number(), Time::get());
	let requests = Requests::<Test>::iter()
		.filter(|(_, request)| now >= request.valid_until)
		.map(|(id, _)| Due::Request(id));
	let is_late = |grant: &GrantOf<Test>| match grant.state.has_ended() {
		false => grant.state_at(&now, time) == GrantState::Expired,
		true => now >= grant.due,
	};
	let grants = Grants::<Test>::iter()
		.filter(|(_, grant)| is_late(grant))
		.map(|(id, _)| Due::Grant(id));
	let payments = Payments::<Test>::iter()
		.filter(|(_, payment)| now >= payment.until)
		.map(|(id, _)| Due::Payment(id));
	requests.chain(grants).chain(payments).collect()
}

/// The grants that were paid for, by number, until they end.
#[derive(Default)]
struct Promises {
	paid: BTreeMap<GrantId, GrantOf<Test>>,
	/// Those that were revoked and paid back in full, which can still be disputed.
	paid_back: BTreeMap<GrantId, GrantOf<Test>>,
	/// The records that were there for each of them, and could be read.
	records: BTreeMap<GrantId, Vec<RecordKey>>,
	/// How many of the block's events were looked at.
	seen: usize,
	/// How many promises were bought, and how many were paid back.
	bought: usize,
	refunded: usize,
	/// How often a grant was suspended, and resumed.
	suspended: usize,
	resumed: usize,
	/// How often an offer was taken back by its condition, and an embargo ended by it.
	released: usize,
	lifted: usize,
	/// How many disputes were won, and lost.
	won: usize,
	lost: usize,
	/// What was burned of the owners' deposits.
	burned: u64,
}

impl Promises {
	/// Looks at what has happened, and checks that every paid term that is not over is still granted.
	fn check(&mut self) {
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

	fn next_block(&mut self) {
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

/// Goes on to the next block. Its agenda is worked off with little room, with much, or by a stranger.
fn next_block(rng: &mut StdRng) {
	run_to(System::block_number() + 1);
	let now = System::block_number();
	match rng.gen_range(0..4) {
		0 => {
			Sharing::on_idle(now, Weight::MAX);
			// The rounds and the agenda have come to all that facts, credentials and time have changed.
			assert_eq!(misjudged(), Vec::<GrantId>::new());
			assert_eq!(unfired(), Vec::<TriggerId>::new());
			// No fact has changed since.
			assert_eq!(QueueEnds::<Test>::get().0, QueueEnds::<Test>::get().1);
			// A grant that ends at a date may wait for one more block, as the block's time is not known before.
			let has_date = |due: &Due| match due {
				Due::Grant(id) => {
					Grants::<Test>::get(id).is_some_and(|grant| grant.until.is_some())
				}
				Due::Request(_) | Due::Trigger(_) | Due::Payment(_) => false,
			};
			assert_eq!(overdue().into_iter().find(|due| !has_date(due)), None);
		}
		1 => {
			for due in overdue().chunks(MAX_SETTLED as usize) {
				assert_ok!(submit(STRANGER, settle(due)));
			}
			assert_eq!(overdue(), []);
		}
		_ => {}
	}
	Time::set(Time::get() + 1);
}

/// Removes everything, as the owners would.
fn wind_up() {
	let all = |owner, calls: Vec<SharingCall>| {
		for call in calls {
			let (who, call) = by_controller(owner, call);
			assert_ok!(submit(who, call));
		}
	};
	for (request, entry) in Requests::<Test>::iter().collect::<Vec<_>>() {
		let reason = vec![];
		all(
			entry.owner,
			vec![SharingCall::reject_request { request, reason }],
		);
	}
	let firm_until = Grants::<Test>::iter_values()
		.filter(|grant| grant.firm)
		.map(|grant| grant.paid_until);
	run_to(firm_until.max().unwrap_or(0));
	for (grant, entry) in Grants::<Test>::iter().collect::<Vec<_>>() {
		if !entry.state.has_ended() {
			all(entry.owner, vec![SharingCall::revoke { grant }]);
		}
	}
	for (owner, dataset) in Datasets::<Test>::iter_keys().collect::<Vec<_>>() {
		all(owner, vec![SharingCall::start_epoch { dataset }]);
	}
	for (owner, key) in Records::<Test>::iter_keys().collect::<Vec<_>>() {
		all(owner, vec![SharingCall::remove_record { key }]);
	}
	for (owner, dataset, epoch, leaf) in Leaves::<Test>::iter_keys().collect::<Vec<_>>() {
		all(
			owner,
			vec![SharingCall::free_leaf {
				dataset,
				epoch,
				leaf,
			}],
		);
	}
	for trigger in Triggers::<Test>::iter_values().collect::<Vec<_>>() {
		let Target::Record {
			owner,
			dataset,
			key,
		} = trigger.target
		else {
			panic!("all requests are closed: {trigger:?}");
		};
		let lift = SharingCall::embargo {
			key,
			dataset,
			condition: None,
		};
		// Its dataset may be gone, so that only who set it can.
		let call = Box::new(lift.clone().into());
		assert_ok!(match trigger.by == owner {
			true => submit(owner, lift),
			false => submit(trigger.by, SharingCall::act_for { owner, call }),
		});
	}
	while Grants::<Test>::iter_keys().next().is_some() {
		run_to(System::block_number() + 1);
	}
	// Policies are removed with their datasets.
	for (owner, dataset) in Datasets::<Test>::iter_keys().collect::<Vec<_>>() {
		all(owner, vec![SharingCall::remove_dataset { dataset }]);
	}
	for owner in Producers::<Test>::iter_keys().collect::<Vec<_>>() {
		all(owner, vec![SharingCall::deregister {}]);
	}
	for who in EncryptionKeys::<Test>::iter_keys().collect::<Vec<_>>() {
		all(who, vec![SharingCall::remove_encryption_key {}]);
	}
}

fn sequence(seed: u64, calls: usize) {
	on_chain(|| {
		let mut rng = StdRng::seed_from_u64(seed);
		// Drawn apart, so that objects change nothing of what else is drawn.
		let mut objects = StdRng::seed_from_u64(!seed);
		let mut disputes = StdRng::seed_from_u64(seed << 32);
		let mut handovers = StdRng::seed_from_u64(seed << 16);
		let issuance = Balances::total_issuance();
		let (mut good, mut bad) = (0, 0);
		let mut promises = Promises::default();
		let mut succeeded = BTreeSet::new();
		for step in 0..calls {
			let (who, call) = random_call(&mut rng);
			// Now and then the owner tries it itself.
			let (who, call) = match handovers.gen_ratio(1, 8) {
				true => (who, call),
				false => by_controller(who, call),
			};
			// Computing the root is slow, so it is only done occasionally.
			let root = || sp_io::storage::root(StateVersion::V1);
			let before = rng.gen_ratio(1, 50).then(root);
			let names = names_of(&call);
			match submit(who, call) {
				Ok(()) => {
					good += 1;
					succeeded.extend(names);
				}
				Err(_) => {
					bad += 1;
					if before.is_some() {
						assert_eq!(Some(root()), before);
					}
				}
			}
			let (owner, call) = object_call(&mut objects);
			let (who, call) = by_controller(owner, call);
			let names = names_of(&call);
			if submit(who, call).is_ok() {
				succeeded.extend(names);
			}
			promises.check();
			if handovers.gen_ratio(1, 64) {
				let (who, call) = handover_call(&mut handovers);
				let names = names_of(&call);
				if submit(who, call).is_ok() {
					succeeded.extend(names);
				}
				promises.check();
			}
			if disputes.gen_ratio(1, 4) {
				let (reader, call) = dispute_call(&mut disputes);
				let name = call.get_call_name();
				if submit(reader, call).is_ok() {
					succeeded.insert(name);
				}
				promises.check();
			}
			if rng.gen_ratio(1, 4) {
				change_outside(&mut rng);
				promises.check();
			}
			if rng.gen_ratio(1, 8) {
				next_block(&mut rng);
				promises.check();
				promises.next_block();
			}
			if step % CHECK_EVERY == 0 {
				assert_eq!(Sharing::do_try_state(), Ok(()));
			}
		}
		// There must be enough calls of both kinds, or the test would show little.
		assert!(
			good > calls / 8 && bad > calls / 8,
			"{good} good, {bad} bad"
		);
		// Whatever the chain offers was called.
		let all: BTreeSet<_> = SharingCall::get_call_names().iter().copied().collect();
		assert!(succeeded == all || calls < LONG, "{succeeded:?}");
		let Promises {
			bought,
			refunded,
			suspended,
			resumed,
			released,
			lifted,
			won,
			lost,
			burned,
			..
		} = promises;
		// What disputes burn is all that leaves the chain.
		let issuance = issuance - burned;
		// Many conditions are refused, since dates count, too.
		assert!(
			suspended > calls / 400 && resumed > calls / 1_000,
			"{suspended} suspended, {resumed} resumed"
		);
		assert!(
			(released > 0 && lifted > 0) || calls < LONG,
			"{released} released, {lifted} lifted"
		);
		assert!(
			(won > 0 && lost > 0) || calls < LONG,
			"{won} won, {lost} lost"
		);
		assert!(
			bought > calls / 1_000 && refunded > 0,
			"{bought} bought, {refunded} refunded"
		);
		assert_eq!(Sharing::do_try_state(), Ok(()));
		assert_eq!(Balances::total_issuance(), issuance);

		wind_up();
		for who in ACCOUNTS {
			// The deposits for the counts of datasets stay.
			let kept = NextDataset::<Test>::get(who).map_or(0, |counter| counter.deposit);
			assert_eq!(Balances::reserved_balance(who), kept);
		}
		assert_eq!(Agenda::<Test>::iter_keys().count(), 0);
		assert_eq!(Waiting::<Test>::iter_keys().count(), 0);
		Sharing::on_idle(System::block_number(), Weight::MAX);
		assert_eq!(Crowds::<Test>::iter_keys().count(), 0);
		assert_eq!(DatasetNames::<Test>::iter_keys().count(), 0);
		assert_eq!(Policies::<Test>::iter_keys().count(), 0);
		assert_eq!(Controls::<Test>::iter_keys().count(), 0);
		assert_eq!(Controlled::<Test>::iter_keys().count(), 0);
		assert_eq!(Objects::<Test>::iter_keys().count(), 0);
		assert_eq!(ObjectCounts::<Test>::iter_keys().count(), 0);
		assert_eq!(Locations::<Test>::iter_keys().count(), 0);
		assert_eq!(AuthorizationList::<Test>::iter_keys().count(), 0);
		assert_eq!(Balances::total_issuance(), issuance);
	});
}

#[test]
fn invariants_hold_whatever_is_called() {
	sequence(5, LONG);
}

#[test]
fn invariants_hold_whatever_else_is_called() {
	sequence(2, 2_000);
}
