// SPDX-License-Identifier: Apache-2.0
use super::*;
use codec::{Compact, Decode, Encode};
use scale_info::{Path, PortableType, Registry, TypeDefTuple, TypeInfo};

/// A pallet with two calls of the same shape.
#[allow(dead_code)]
#[derive(TypeInfo)]
enum Calls {
	/// Ends a grant.
	#[codec(index = 7)]
	#[scale_info(capture_docs = "always")]
	Revoke { grant: u64 },
	#[codec(index = 9)]
	CancelRequest { request: u64 },
}

mod exchanged {
	use super::*;

	#[allow(dead_code)]
	#[derive(TypeInfo)]
	pub(super) enum Calls {
		#[codec(index = 9)]
		Revoke { grant: u64 },
		#[codec(index = 7)]
		CancelRequest { request: u64 },
	}
}

mod retyped {
	use super::*;

	#[allow(dead_code)]
	#[derive(TypeInfo)]
	pub(super) enum Calls {
		#[codec(index = 7)]
		Revoke { grant: u32 },
		#[codec(index = 9)]
		CancelRequest { request: u64 },
	}
}

/// Returns the texts about the calls of a pallet with the index 10.
fn texts<Of: TypeInfo + 'static>() -> BTreeMap<String, String> {
	let mut registry = Registry::new();
	let calls = registry.register_type(&scale_info::meta_type::<Of>());
	let types = PortableRegistry::from(registry);
	let calls = types.resolve(calls.id).unwrap();
	let TypeDef::Variant(calls) = &calls.type_def else {
		panic!("calls are variants");
	};
	let text = |call: &Variant<PortableForm>| {
		let name = format!("DataSharing.{}", call.name);
		(name, call_text(&types, 10, call))
	};
	calls.variants.iter().map(text).collect()
}

/// Returns the text about an extension with these parts.
fn extension<Extra: TypeInfo + 'static, Additional: TypeInfo + 'static>(name: &str) -> String {
	let mut registry = Registry::new();
	let extra = registry.register_type(&scale_info::meta_type::<Extra>());
	let additional = registry.register_type(&scale_info::meta_type::<Additional>());
	extension_text(&registry.into(), name, extra.id, additional.id)
}

fn known() -> Layout {
	Layout {
		transaction_version: 3,
		spec_version: 6,
		extensions: vec![
			extension::<(), u32>("CheckSpecVersion"),
			extension::<Compact<u32>, ()>("CheckNonce"),
		],
		calls: texts::<Calls>(),
	}
}

/// Compares the call `Revoke` of a pallet.
fn check<Of: TypeInfo + 'static>() -> Result<(), Difference> {
	let found = &texts::<Of>()["DataSharing.Revoke"];
	known().same_call("DataSharing", "Revoke", found)
}

#[test]
fn the_table_of_this_release_is_read() {
	let layouts = read(TABLE).unwrap();
	let versions: Vec<_> = layouts
		.iter()
		.map(|layout| layout.transaction_version)
		.collect();
	let mut newest_first = versions.clone();
	newest_first.sort_unstable_by(|one, other| other.cmp(one));
	newest_first.dedup();
	assert_eq!(versions, newest_first);
	for layout in layouts {
		assert_eq!(
			layout.calls["DataSharing.revoke"].split('(').nth(1),
			Some("grant:u64)")
		);
		let nonce = "CheckNonce(frame_system::extensions::check_nonce::CheckNonce(~u32),())";
		assert!(
			layout.extensions.contains(&nonce.into()),
			"{:?}",
			layout.extensions
		);
	}
}

#[test]
fn texts_say_how_types_are_encoded_and_not_how_they_are_documented() {
	let expected = [
		("DataSharing.CancelRequest", "10.9(request:u64)"),
		("DataSharing.Revoke", "10.7(grant:u64)"),
	];
	let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
	assert_eq!(texts::<Calls>(), BTreeMap::from(expected));
	for (expected, found) in [
		("A(u8,())", extension::<u8, ()>("A")),
		("A([u8;32],[u16])", extension::<[u8; 32], Vec<u16>>("A")),
		(
			"A(~u128,(bool,str))",
			extension::<Compact<u128>, (bool, String)>("A"),
		),
		(
			"A(Option<0:None,1:Some(u64)>,())",
			extension::<Option<u64>, ()>("A"),
		),
	] {
		assert_eq!(found, expected);
	}
}

#[test]
fn exchanged_indices_are_a_difference() {
	assert_eq!(check::<Calls>(), Ok(()));
	let difference = check::<exchanged::Calls>().unwrap_err();
	assert_eq!(difference.what, "DataSharing.Revoke");
	assert_eq!(
		difference.to_string(),
		"DataSharing.Revoke: `10.9(grant:u64)`, and not `10.7(grant:u64)`"
	);
}

#[test]
fn other_types_of_arguments_are_a_difference() {
	let difference = check::<retyped::Calls>().unwrap_err();
	assert_eq!(difference.found, "10.7(grant:u32)");
}

#[test]
fn a_call_that_is_not_in_the_table_is_a_difference() {
	let difference = known().same_call("DataSharing", "steal", "10.8()");
	let difference = difference.unwrap_err();
	assert_eq!(
		(&*difference.known, &*difference.found),
		("no such call", "10.8()")
	);
}

#[test]
fn another_list_of_extensions_is_a_difference() {
	let layout = known();
	let [version, nonce] = [0, 1].map(|at| layout.extensions[at].clone());
	let true_list = [version.clone(), nonce.clone()];
	assert_eq!(layout.same_extensions(&true_list), Ok(()));
	let added = extension::<Option<u32>, ()>("ChargeAssetTxPayment");
	for list in [
		vec![],
		vec![version.clone()],
		vec![nonce.clone(), version.clone()],
		vec![version.clone(), nonce, added],
		vec![version, extension::<u32, ()>("CheckNonce")],
	] {
		let difference = layout.same_extensions(&list).unwrap_err();
		assert_eq!(difference.what, "the extensions of transactions");
	}
}

#[test]
fn types_without_end_are_like_nothing_in_the_table() {
	let types = |parts: &[Vec<u32>]| {
		let types = (0u32..).zip(parts).map(|(id, parts)| {
			let parts = parts.iter().copied().map(Into::into);
			let tuple = TypeDefTuple::new_portable(parts);
			PortableType::new(id, Type::new(Path::default(), [], tuple, vec![]))
		});
		let types = types.collect();
		PortableRegistry { types }
	};
	/// Each type has the next one twice.
	fn doubled(levels: u32) -> Vec<Vec<u32>> {
		let levels = (1..=levels).map(|next| vec![next, next]);
		levels.chain([vec![]]).collect()
	}
	let text = |parts: &[Vec<u32>]| extension_text(&types(parts), "A", 0, 0);
	assert_eq!(text(&doubled(1)), "A(((),()),((),()))");
	// Too deep, and not too deep but a million types.
	assert_eq!(text(&doubled(100)), "types without end");
	assert_eq!(text(&doubled(20)), "types without end");
	// A type that is not there.
	assert_eq!(text(&[]), "types without end");
	// A cycle has an end.
	assert_eq!(
		text(&[vec![1, 0], vec![0, 1]]),
		"A(((^1,^0),^0),((^1,^0),^0))"
	);
}

#[test]
fn a_long_difference_is_shown_from_where_it_begins_and_steers_no_terminal() {
	let known = format!("10.7({}grant:u64)", "before:u8,".repeat(50));
	let found = known.replace("grant", "\u{1b}[2J");
	let difference = Difference::new("DataSharing.revoke", &known, &found);
	assert_eq!(difference.known, "…grant:u64)");
	assert_eq!(difference.found, "…\\u{1b}[2J:u64)");
	// A text that is the beginning of the other one.
	let difference = Difference::new("DataSharing.revoke", &known, &known[..known.len() - 1]);
	assert_eq!((&*difference.known, &*difference.found), ("…)", "…"));
}

#[allow(dead_code)]
#[derive(TypeInfo)]
struct Scope {
	dataset: u32,
	epoch: u32,
	from: u64,
	to: u64,
}

/// Returns the text about an extension with a type that is changed. The change is given another type, too.
fn changed<Of: TypeInfo + 'static>(change: impl Fn(&mut Type<PortableForm>, u32)) -> String {
	let mut registry = Registry::new();
	let extra = registry.register_type(&scale_info::meta_type::<Of>());
	let other = registry.register_type(&scale_info::meta_type::<[u8; 7]>());
	let mut types = PortableRegistry::from(registry);
	change(&mut types.types[extra.id as usize].ty, other.id);
	extension_text(&types, "A", extra.id, other.id)
}

#[test]
fn a_type_is_told_apart_by_all_of_its_path_and_by_its_parameters() {
	let path = |path: &[&str]| {
		let segments: Vec<_> = path.iter().map(|part| (*part).to_owned()).collect();
		changed::<Scope>(|scope, _| scope.path.segments.clone_from(&segments))
	};
	let fields = "(dataset:u32,epoch:u32,from:u64,to:u64)";
	let honest = changed::<Scope>(|_, _| ());
	assert_eq!(
		honest,
		format!("A(isthmus_sdk::layout::tests::Scope{fields},[u8;7])")
	);
	assert_eq!(
		path(&["ink_env", "types", "Scope"]),
		format!("A(ink_env::types::Scope{fields},[u8;7])")
	);
	// Only the chain's own call is not described.
	assert_eq!(
		path(&["isthmus_runtime", "RuntimeCall"]),
		"A(isthmus_runtime::RuntimeCall,[u8;7])"
	);
	assert_eq!(
		path(&["x", "RuntimeCall"]),
		format!("A(x::RuntimeCall{fields},[u8;7])")
	);
	for by_parameters in [
		&["Option"][..],
		&["Result"],
		&["Range"],
		&["BTreeMap"],
		&["x", "WrapperOpaque"],
	] {
		assert_eq!(path(by_parameters), NO_TEXT);
	}
	let option = |change: fn(&mut Type<PortableForm>, u32)| changed::<Option<u64>>(change);
	assert_eq!(option(|_, _| ()), "A(Option<0:None,1:Some(u64)>,[u8;7])");
	assert_eq!(
		option(|option, other| option.type_params[0].ty = Some(other.into())),
		NO_TEXT
	);
	assert_eq!(option(|option, _| option.type_params.clear()), NO_TEXT);
	// With a path, a primitive type could look like another one.
	let path = changed::<u64>(|number, _| number.path.segments = vec!["Scope".into()]);
	assert_eq!(path, NO_TEXT);
}

#[test]
fn a_name_with_other_characters_cannot_make_one_type_look_like_another() {
	let joined = changed::<Scope>(|scope, _| {
		let TypeDef::Composite(scope) = &mut scope.type_def else {
			panic!("a scope has fields");
		};
		scope.fields.remove(0);
		scope.fields[0].name = Some("dataset:u32,epoch".into());
	});
	assert_eq!(joined, NO_NAME);
	let path = changed::<Scope>(|scope, _| scope.path.segments = vec!["x(y:u8),Scope".into()]);
	assert_eq!(path, NO_NAME);
	let empty = changed::<Scope>(|scope, _| scope.path.segments = vec![String::new()]);
	assert_eq!(empty, NO_NAME);
	let variant = changed::<Option<u64>>(|option, _| {
		let TypeDef::Variant(option) = &mut option.type_def else {
			panic!("an option is variants");
		};
		option.variants[0].name = "None,2:Other".into();
	});
	assert_eq!(variant, NO_NAME);
	assert_eq!(extension::<(), ()>("A((),()) B"), NO_NAME);
}

#[test]
fn a_list_of_extensions_that_there_are_not_is_a_difference() {
	let number = Compact(0u32);
	let metadata = |listed: u32| {
		let unit = TypeDefTuple::new_portable([]);
		let unit = Type::new(Path::default(), [], unit, vec![]);
		let types = PortableRegistry {
			types: vec![PortableType::new(0, unit)],
		};
		let versions = BTreeMap::from([(0u8, vec![Compact(listed)])]);
		let extensions = vec![("CheckWeight", number, number)];
		let extrinsic = (vec![4u8], number, number, number, versions, extensions);
		// `frame_metadata::v16::RuntimeMetadataV16`: types, pallets, transactions, APIs, outer enums, and what is custom.
		let none = Vec::<()>::new();
		let enums = (number, number, number);
		let metadata = (types, none.clone(), extrinsic, none.clone(), enums, none);
		let bytes = (*b"meta", 16u8, metadata).encode();
		Metadata::decode(&mut &*bytes).unwrap()
	};
	let layout = Layout {
		extensions: vec![extension::<(), ()>("CheckWeight")],
		..known()
	};
	assert_eq!(layout.check_extensions(&metadata(0)), Ok(()));
	let difference = layout.check_extensions(&metadata(1)).unwrap_err();
	assert_eq!(
		(&*difference.what, &*difference.found),
		("the extensions of transactions", "")
	);
}
