// SPDX-License-Identifier: Apache-2.0
//! Tests accounts that act for others (proxies) and together (multisig): what they may do, and that no rule about calls
//! ends where a call carries out another one.

use super::*;
use crate::{delegation::ProxyType, Multisig, TxExtension};
use frame_support::traits::{Currency, InstanceFilter};
use isthmus_sharing::{ProducerKind, PurposeCode, Scope};
use pallet_collective::Instance1;
use pallet_data_sharing::Call as Sharing;
use sp_keyring::Sr25519Keyring::{Charlie, Dave};
use sp_runtime::{
	traits::TransactionExtension,
	transaction_validity::{TransactionSource, UnknownTransaction},
};

fn filtered() -> DispatchError {
	frame_system::Error::<Runtime>::CallFiltered.into()
}

fn add_proxy(delegate: Sr25519Keyring, proxy_type: ProxyType) -> RuntimeCall {
	pallet_proxy::Call::add_proxy {
		delegate: Address::Id(delegate.to_account_id()),
		proxy_type,
		delay: 0,
	}
	.into()
}

fn for_account(real: Sr25519Keyring, call: RuntimeCall) -> RuntimeCall {
	pallet_proxy::Call::proxy {
		real: Address::Id(real.to_account_id()),
		force_proxy_type: None,
		call: Box::new(call),
	}
	.into()
}

fn batch(calls: Vec<RuntimeCall>) -> RuntimeCall {
	pallet_utility::Call::batch_all { calls }.into()
}

fn jointly(other: Sr25519Keyring, call: RuntimeCall) -> RuntimeCall {
	pallet_multisig::Call::as_multi_threshold_1 {
		other_signatories: vec![other.to_account_id()],
		call: Box::new(call),
	}
	.into()
}

fn register() -> RuntimeCall {
	let (kind, name) = (ProducerKind::School, b"A school".to_vec());
	Sharing::register { kind, name }.into()
}

fn store() -> RuntimeCall {
	Sharing::store {
		key: Hash::repeat_byte(5),
		dataset: 0,
		epoch: 0,
		leaf: 0,
		value: vec![7; 100],
	}
	.into()
}

fn request(offer: u128) -> RuntimeCall {
	Sharing::request_access {
		owner: Dave.to_account_id(),
		scope: Scope {
			dataset: 0,
			epoch: 0,
			from: 0,
			to: 1,
		},
		purpose: vec![],
		code: PurposeCode::Unspecified,
		term: 100,
		offer,
		firm: false,
		key: vec![0; 34],
	}
	.into()
}

/// Sends a call for Alice, signed by Bob, and returns its result.
fn by_proxy(chain: &mut Chain, call: RuntimeCall) -> Result<(), DispatchError> {
	System::reset_events();
	chain.mine(vec![(Bob, for_account(Alice, call))]);
	if let Some(error) = last_error() {
		return Err(error);
	}
	System::events()
		.into_iter()
		.find_map(|record| match record.event {
			RuntimeEvent::Proxy(pallet_proxy::Event::ProxyExecuted { result }) => Some(result),
			_ => None,
		})
		.expect("the call was carried out")
}

fn validity(signer: Sr25519Keyring, call: RuntimeCall) -> Result<(), TransactionValidityError> {
	let transaction = signed(signer, call);
	sp_io::storage::start_transaction();
	let source = TransactionSource::External;
	let validity = Executive::validate_transaction(source, transaction, Hash::zero());
	sp_io::storage::rollback_transaction();
	validity.map(|_| ())
}

fn leave_keepers() -> RuntimeCall {
	let (owner, dataset) = (Bob.to_account_id(), 0);
	pallet_keepers::Call::leave { owner, dataset }.into()
}

fn keep() -> RuntimeCall {
	let (owner, dataset, location) = (Bob.to_account_id(), 0, Default::default());
	pallet_keepers::Call::keep {
		owner,
		dataset,
		location,
	}
	.into()
}

fn clear_pot() -> RuntimeCall {
	let (owner, dataset) = (Bob.to_account_id(), 0);
	pallet_keepers::Call::clear_pot { owner, dataset }.into()
}

fn fund_keepers() -> RuntimeCall {
	let (owner, dataset, amount) = (Bob.to_account_id(), 0, 1);
	pallet_keepers::Call::fund {
		owner,
		dataset,
		amount,
	}
	.into()
}

fn offer_dataset() -> RuntimeCall {
	let (dataset, to) = (0, Bob.to_account_id());
	Sharing::offer_dataset { dataset, to }.into()
}

fn accept_dataset() -> RuntimeCall {
	let (owner, dataset, offer, most) = (Dave.to_account_id(), 0, 1, 100 * UNIT);
	Sharing::accept_dataset {
		owner,
		dataset,
		offer,
		most,
	}
	.into()
}

/// Returns a call for datasets of Dave's that another account took over.
fn for_owner(call: RuntimeCall) -> RuntimeCall {
	let (owner, call) = (Dave.to_account_id(), Box::new(call));
	Sharing::act_for { owner, call }.into()
}

/// Gives Alice a dataset that Charlie asks for, and makes Bob her operator.
fn with_operator(chain: &mut Chain, offer: u128) {
	let create = Sharing::create_dataset {
		name: b"marks".to_vec(),
	};
	let mut asked = request(offer);
	if let RuntimeCall::DataSharing(Sharing::request_access { owner, purpose, .. }) = &mut asked {
		*owner = Alice.to_account_id();
		*purpose = b"research".to_vec();
	}
	chain.mine(vec![
		(Alice, batch(vec![register(), create.into()])),
		(Alice, add_proxy(Bob, ProxyType::Sharing)),
	]);
	chain.mine(vec![(Charlie, asked)]);
	assert_eq!(last_error(), None);
}

fn answer() -> RuntimeCall {
	let asked = pallet_data_sharing::Requests::<Runtime>::get(0).expect("it was made");
	Sharing::add_authorize {
		grantee: Charlie.to_account_id(),
		scope: asked.scope,
		expiry: 1_000,
		until: None,
		sealed_keys: vec![0; 100],
		request: Some(isthmus_sharing::Answered {
			id: 0,
			digest: asked.digest(sp_io::hashing::blake2_256),
		}),
		condition: None,
	}
	.into()
}

#[test]
fn an_operator_serves_requests_but_moves_neither_money_nor_datasets() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		with_operator(chain, 5 * UNIT);
		let (alice, bob) = (Alice.to_account_id(), Bob.to_account_id());
		let before = (
			Balances::total_balance(&alice),
			Balances::reserved_balance(&alice),
			Balances::reserved_balance(&bob),
		);
		assert_eq!(by_proxy(chain, answer()), Ok(()));
		let grant = pallet_data_sharing::Grants::<Runtime>::get(0).expect("it was given");
		assert_eq!((grant.owner, grant.paid), (alice.clone(), 5 * UNIT));
		// The answer takes nothing from the owner, and nothing from the operator but its fee.
		let after = (
			Balances::total_balance(&alice),
			Balances::reserved_balance(&alice),
			Balances::reserved_balance(&bob),
		);
		assert_eq!(after, before);
		for call in [
			offer_dataset(),
			accept_dataset(),
			batch(vec![offer_dataset()]),
			for_owner(offer_dataset()),
			for_owner(batch(vec![offer_dataset()])),
			transfer(bob, UNIT),
			for_owner(transfer(Bob.to_account_id(), UNIT)),
		] {
			assert_eq!(by_proxy(chain, call.clone()), Err(filtered()), "{call:?}");
		}
		// It can revoke, which gives the reader its payment back.
		assert_eq!(by_proxy(chain, Sharing::revoke { grant: 0 }.into()), Ok(()));
		// Without the proxy's limits, the dataset can be offered.
		chain.mine(vec![(Alice, offer_dataset())]);
		assert_eq!(last_error(), None);
	});
}

#[test]
fn what_is_for_the_superuser_is_not_hidden_in_a_call_for_an_owner() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		// A signature contains the hash of the first block, which the next one knows.
		chain.mine(vec![]);
		let root = for_owner(frame_system::Call::set_heap_pages { pages: 1 }.into());
		assert_eq!(validity(Bob, root), Err(InvalidTransaction::Call.into()));
	});
}

#[test]
fn a_proxy_for_sharing_cannot_transfer() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		let not_proxy = pallet_proxy::Error::<Runtime>::NotProxy.into();
		assert_eq!(by_proxy(chain, register()), Err(not_proxy));
		chain.mine(vec![(Alice, add_proxy(Bob, ProxyType::Sharing))]);
		let alice = Alice.to_account_id();
		let before = Balances::total_balance(&alice);
		let pay = || transfer(Bob.to_account_id(), UNIT);
		for call in [
			pay(),
			// Nor by a purchase from an accomplice.
			request(1),
			add_proxy(Charlie, ProxyType::Any),
			pallet_proxy::Call::remove_proxies {}.into(),
			for_account(Alice, pay()),
			jointly(Charlie, remark(1)),
			batch(vec![register(), pay()]),
		] {
			assert_eq!(by_proxy(chain, call.clone()), Err(filtered()), "{call:?}");
		}
		// What only the superuser may do takes no place in a block.
		let call = Box::new(remark(1));
		let sudo = for_account(Alice, pallet_sudo::Call::sudo { call }.into());
		assert_eq!(validity(Bob, sudo), Err(InvalidTransaction::Call.into()));
		assert_eq!(Balances::total_balance(&alice), before);
		let create = Sharing::create_dataset {
			name: b"marks".to_vec(),
		};
		assert_eq!(
			by_proxy(chain, batch(vec![register(), create.into()])),
			Ok(())
		);
		assert!(pallet_data_sharing::Producers::<Runtime>::contains_key(
			&alice
		));
		// The proxy pays the fee.
		assert_eq!(Balances::total_balance(&alice), before);
	});
}

#[test]
fn each_kind_of_proxy_allows_its_calls() {
	use ProxyType::{Any, Facts, NonTransfer, Sharing as Shares};
	let report: RuntimeCall = pallet_facts::Call::withdraw_report {
		source: isthmus_conditions::Name::new("weather").expect("it is a name"),
		topic: isthmus_conditions::Name::new("pm25").expect("it is a name"),
	}
	.into();
	let close: RuntimeCall = pallet_facts::Call::close_source {
		name: isthmus_conditions::Name::new("weather").expect("it is a name"),
	}
	.into();
	let vote: RuntimeCall = pallet_collective::Call::<Runtime, Instance1>::vote {
		proposal: Hash::zero(),
		index: 0,
		approve: true,
	}
	.into();
	for (call, kinds) in [
		(transfer(Bob.to_account_id(), 1), &[Any][..]),
		(request(1), &[Any]),
		(for_account(Alice, register()), &[Any]),
		(jointly(Bob, register()), &[Any]),
		(close, &[Any, NonTransfer]),
		(vote, &[Any, NonTransfer]),
		(leave_keepers(), &[Any, NonTransfer, Shares]),
		(keep(), &[Any]),
		(fund_keepers(), &[Any]),
		(clear_pot(), &[Any]),
		(pallet_verifiers::Call::apply {}.into(), &[Any, NonTransfer]),
		(pallet_session::Call::purge_keys {}.into(), &[Any]),
		(request(0), &[Any, NonTransfer, Shares]),
		(store(), &[Any, NonTransfer, Shares]),
		(offer_dataset(), &[Any]),
		(accept_dataset(), &[Any]),
		(for_owner(register()), &[Any, NonTransfer, Shares]),
		(report, &[Any, NonTransfer, Facts]),
		(batch(vec![]), &[Any, NonTransfer, Shares, Facts]),
	] {
		for kind in [Any, NonTransfer, Shares, Facts] {
			assert_eq!(
				kind.filter(&call),
				kinds.contains(&kind),
				"{kind:?}: {call:?}"
			);
		}
	}
	// A proxy names others of its own kind at most. A kind that is more than another allows all that this one allows.
	for (more, less) in [
		(Any, NonTransfer),
		(NonTransfer, Shares),
		(NonTransfer, Facts),
	] {
		assert!(more.is_superset(&less) && !less.is_superset(&more));
	}
	assert!(!Shares.is_superset(&Facts) && !Facts.is_superset(&Shares));
	assert!([Any, NonTransfer, Shares, Facts]
		.iter()
		.all(|kind| kind.is_superset(kind)));
}

#[test]
fn a_proxy_takes_a_deposit_and_returns_it() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		let reserved = || Balances::reserved_balance(Alice.to_account_id());
		let before = reserved();
		chain.mine(vec![(Alice, add_proxy(Bob, ProxyType::Facts))]);
		assert_eq!(last_error(), None);
		// docs/operations.md names this deposit.
		assert_eq!(reserved() - before, 1_053 * UNIT / 10_000);
		chain.mine(vec![(Alice, pallet_proxy::Call::remove_proxies {}.into())]);
		assert_eq!((last_error(), reserved()), (None, before));
	});
}

#[test]
fn two_of_three_sign_together() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		let mut all = [Alice, Bob, Charlie].map(|who| who.to_account_id());
		all.sort();
		let school = Multisig::multi_account_id(&all, 2);
		chain.mine(vec![(Alice, transfer(school.clone(), 10 * UNIT))]);
		let sign = |signer: Sr25519Keyring, maybe_timepoint| {
			let account = signer.to_account_id();
			let others = all.iter().filter(|who| **who != account).cloned().collect();
			let call = pallet_multisig::Call::as_multi {
				threshold: 2,
				other_signatories: others,
				maybe_timepoint,
				call: Box::new(transfer(Dave.to_account_id(), UNIT)),
				max_weight: frame_support::weights::Weight::from_parts(1_000_000_000, 10_000),
			};
			(signer, call.into())
		};
		let dave = || Balances::free_balance(Dave.to_account_id());
		let reserved = || Balances::reserved_balance(Alice.to_account_id());
		let (before, reserved_before) = (dave(), reserved());
		chain.mine(vec![sign(Alice, None)]);
		assert_eq!((last_error(), dave()), (None, before));
		// docs/operations.md names this deposit.
		assert_eq!(reserved() - reserved_before, 1_152 * UNIT / 10_000);
		let timepoint = pallet_multisig::Timepoint {
			height: System::block_number(),
			index: 1,
		};
		chain.mine(vec![sign(Charlie, Some(timepoint))]);
		assert_eq!((last_error(), dave()), (None, before + UNIT));
		assert_eq!(reserved(), reserved_before);
	});
}

/// The client would store the last bytes of the transaction, which are no value.
#[test]
fn a_store_for_another_account_is_refused() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		let create = Sharing::create_dataset {
			name: b"marks".to_vec(),
		};
		chain.mine(vec![
			(Alice, register()),
			(Alice, create.into()),
			(Alice, add_proxy(Bob, ProxyType::Any)),
		]);
		assert_eq!(last_error(), None);
		let direct = pallet_data_sharing::Error::<Runtime>::MustBeDirect.into();
		assert_eq!(by_proxy(chain, store()), Err(direct));
		assert_eq!(by_proxy(chain, batch(vec![store()])), Err(direct));
		System::reset_events();
		chain.mine(vec![(Bob, jointly(Alice, store()))]);
		assert_eq!(last_error(), Some(direct));
		assert_eq!(pallet_data_sharing::Records::<Runtime>::iter().count(), 0);
		chain.mine(vec![(Alice, store())]);
		assert_eq!(pallet_data_sharing::Records::<Runtime>::iter().count(), 1);
	});
}

#[test]
fn no_wrapper_gets_a_call_for_the_superuser_into_a_block() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		chain.mine(vec![]);
		let set_storage = || -> RuntimeCall {
			frame_system::Call::set_storage {
				items: vec![(vec![1], vec![0; 1 << 20])],
			}
			.into()
		};
		let sudo = || -> RuntimeCall {
			let call = Box::new(set_storage());
			pallet_sudo::Call::sudo { call }.into()
		};
		let vote = || -> RuntimeCall {
			pallet_collective::Call::<Runtime, Instance1>::vote {
				proposal: Hash::zero(),
				index: 0,
				approve: true,
			}
			.into()
		};
		let announced = |delegate: Sr25519Keyring, call| -> RuntimeCall {
			pallet_proxy::Call::proxy_announced {
				delegate: Address::Id(delegate.to_account_id()),
				real: Address::Id(Alice.to_account_id()),
				force_proxy_type: None,
				call: Box::new(call),
			}
			.into()
		};
		let as_multi = |call| -> RuntimeCall {
			pallet_multisig::Call::as_multi {
				threshold: 2,
				other_signatories: vec![Alice.to_account_id()],
				maybe_timepoint: None,
				call: Box::new(call),
				max_weight: Default::default(),
			}
			.into()
		};
		// Bob is no proxy of Alice, who is the superuser and the verifier.
		let strange = || {
			[
				for_account(Alice, sudo()),
				for_account(Alice, vote()),
				for_account(Alice, batch(vec![remark(1), sudo()])),
				announced(Bob, sudo()),
			]
		};
		let refused = || Err(InvalidTransaction::Call.into());
		for call in strange().into_iter().chain([
			for_account(Alice, set_storage()),
			for_account(Bob, set_storage()),
			jointly(Alice, set_storage()),
			jointly(Alice, sudo()),
			as_multi(set_storage()),
			as_multi(vote()),
			announced(Bob, set_storage()),
			for_account(
				Alice,
				jointly(Charlie, batch(vec![for_account(Alice, set_storage())])),
			),
		]) {
			assert_eq!(validity(Bob, call.clone()), refused(), "{call:?}");
		}
		for call in [
			for_account(Alice, register()),
			jointly(Alice, remark(1)),
			as_multi(remark(1)),
		] {
			assert_eq!(
				validity(Bob, call),
				Ok(()),
				"others' rights are the call's own matter"
			);
		}
		// As a proxy of Alice he may do what she may, and no more.
		chain.mine(vec![(Alice, add_proxy(Bob, ProxyType::Any))]);
		for call in strange() {
			assert_eq!(validity(Bob, call), Ok(()));
		}
		assert_eq!(validity(Charlie, announced(Bob, sudo())), Ok(()));
		assert_eq!(validity(Charlie, for_account(Alice, sudo())), refused());
		assert_eq!(validity(Bob, for_account(Alice, set_storage())), refused());
		// A proxy whose kind does not allow the call, or that has to announce it, is a stranger.
		chain.mine(vec![(Alice, add_proxy(Charlie, ProxyType::Facts))]);
		assert_eq!(validity(Charlie, for_account(Alice, sudo())), refused());
		let later = pallet_proxy::Call::add_proxy {
			delegate: Address::Id(Dave.to_account_id()),
			proxy_type: ProxyType::Any,
			delay: 1,
		};
		chain.mine(vec![(Alice, later.into())]);
		assert_eq!(last_error(), None);
		assert_eq!(validity(Dave, for_account(Alice, sudo())), refused());
	});
}

/// The filter of calls holds for the account that a call is carried out for, too.
#[test]
fn no_wrapper_removes_a_verifiers_keys() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		chain.mine(vec![(Alice, add_proxy(Bob, ProxyType::Any))]);
		let purge = || pallet_session::Call::purge_keys {}.into();
		assert_eq!(by_proxy(chain, purge()), Err(filtered()));
		System::reset_events();
		chain.mine(vec![(Alice, jointly(Bob, purge()))]);
		assert_eq!(last_error(), Some(filtered()));
	});
}

#[test]
fn transactions_say_that_they_sign_no_hash_of_the_metadata() {
	let names: Vec<_> = TxExtension::metadata()
		.into_iter()
		.map(|extension| extension.identifier)
		.collect();
	let expected = [
		"AuthorizeCall",
		"CheckNonZeroSender",
		"CheckRootCalls",
		"CheckSpecVersion",
		"CheckTxVersion",
		"CheckGenesis",
		"CheckMortality",
		"CheckNonce",
		"CheckWeight",
		"CheckGasLimit",
		"ChargeTransactionPayment",
		"CheckMetadataHash",
		"DirectCall",
		"WeightReclaim",
	];
	assert_eq!(names, expected);
	// The lifetime, the nonce, the tip, and the mode of the metadata's hash.
	assert_eq!(crate::tx_extension(Era::Immortal, 0, 0).encode(), [0; 4]);
	// A build without the hash cannot check one.
	let enabled = frame_metadata_hash_extension::CheckMetadataHash::<Runtime>::new(true);
	let unknown = UnknownTransaction::CannotLookup.into();
	assert_eq!(enabled.implicit().err(), Some(unknown));
}
