// SPDX-License-Identifier: Apache-2.0
//! Tests the layout of entries of the state with test vectors, since clients read them without the chain's metadata.

use super::*;
use frame_support::storage::unhashed;
use isthmus_sharing::{Control, Held};
use pallet_data_sharing::Controls;
use serde_json::Value;

fn bytes(value: &Value) -> Vec<u8> {
	hex::decode(value.as_str().expect("it is text")).expect("it is hexadecimal")
}

fn account(value: &Value) -> AccountId {
	let bytes: [u8; 32] = bytes(value).try_into().expect("it has 32 bytes");
	bytes.into()
}

fn number(value: &Value) -> u32 {
	let number = value.as_u64().expect("it is a number");
	number.try_into().expect("it has 32 bits")
}

fn amount(value: &Value) -> u128 {
	let amount = value.as_str().expect("it is text");
	amount.parse().expect("it is an amount")
}

#[test]
fn who_controls_a_dataset_is_stored_as_the_vectors_say() {
	let vectors: Value =
		serde_json::from_str(include_str!("../../../primitives/sharing/vectors.json"))
			.expect("the vectors are JSON");
	let cases = vectors["controls"].as_array().expect("it is a list");
	assert_eq!(cases.len(), 4);
	for case in cases {
		let [dataset, records, grants, conditions] = [0, 1, 2, 3].map(|i| amount(&case["held"][i]));
		let control = Control {
			controller: account(&case["controller"]),
			since: number(&case["since"]),
			offered_to: Some(&case["offeredTo"])
				.filter(|to| !to.is_null())
				.map(account),
			offers: number(&case["offers"]),
			held: Held {
				dataset,
				records,
				grants,
				conditions,
			},
		};
		assert_eq!(control.encode(), bytes(&case["scale"]));
		let (owner, dataset) = (account(&case["owner"]), number(&case["dataset"]));
		sp_io::TestExternalities::default().execute_with(|| {
			unhashed::put_raw(&bytes(&case["key"]), &bytes(&case["scale"]));
			assert_eq!(Controls::<Runtime>::get(owner, dataset), Some(control));
		});
	}
}
