// SPDX-License-Identifier: Apache-2.0
//! Tests how an RPC caller identifies a block.

use isthmus_node::rpc::block::BlockRef;
use isthmus_primitives::Hash;
use serde_json::json;

#[test]
fn a_block_is_named_by_number_or_hash() {
	let read = |value| serde_json::from_value::<BlockRef>(value).ok();
	assert_eq!(read(json!(0)), Some(BlockRef::Number(0)));
	assert_eq!(
		read(json!(4_294_967_295_u32)),
		Some(BlockRef::Number(u32::MAX))
	);
	let hash = format!("0x{}", "ab".repeat(32));
	assert_eq!(
		read(json!(hash)),
		Some(BlockRef::Hash(Hash::repeat_byte(0xab)))
	);
}

#[test]
fn an_invalid_block_is_answered_with_what_is_expected() {
	let cases = [
		json!(-1),
		json!(1.5),
		json!(4_294_967_296_u64),
		json!("7"),
		json!("0x07"),
		json!("ab".repeat(32)),
		json!(format!("0x{}", "ab".repeat(33))),
		json!({ "number": 7 }),
		json!([7]),
		json!(true),
	];
	for case in cases {
		let error = BlockRef::try_from(case.clone());
		let sentence = format!(
			"invalid block {case}: expected its number, its hash as 0x and 64 hex digits, or null for the \
			 best block"
		);
		assert_eq!(error, Err(sentence));
	}
}
