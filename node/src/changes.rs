// SPDX-License-Identifier: Apache-2.0
//! The changes of a chain's rules by height, as its specification names them: `changes` among the parameters of
//! genesis, and `plannedChanges` beside the genesis, the node's own table. Nodes with different tables do not talk to
//! each other, since the table is in the names of all of their protocols ([`fork_id`]).

use codec::Encode;
use isthmus_primitives::{
	params::{self, ChainParameters, ChangesError, RuleChange},
	Hash,
};
use polkadot_sdk::*;
use sc_chain_spec::{get_extension, ChainSpec, Extension};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sp_io::hashing::blake2_256;
use std::any::{Any, TypeId};

/// The parameters that cannot change at a height.
const FIXED: [&str; 5] = [
	"ethash",
	"genesisDifficulty",
	"genesisGasLimit",
	"genesisTimestamp",
	"changes",
];

/// How many bytes of the table's hash are in the names of protocols.
const FORK_ID_BYTES: usize = 8;

/// What a specification has beside its genesis that other Substrate chains do not have.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extensions {
	/// The node's own table of changes.
	#[serde(default, skip_serializing_if = "Vec::is_empty")]
	pub planned_changes: Vec<Value>,
}

impl Extension for Extensions {
	type Forks = Option<()>;

	fn get<T: 'static>(&self) -> Option<&T> {
		(self as &dyn Any).downcast_ref()
	}

	fn get_any(&self, _: TypeId) -> &dyn Any {
		self
	}

	fn get_any_mut(&mut self, _: TypeId) -> &mut dyn Any {
		self
	}
}

/// Why a specification's changes of the rules are refused.
#[derive(Debug, thiserror::Error)]
pub enum FaultyChanges {
	/// One names a parameter that cannot change.
	#[error(
		"`{0}` cannot change at a height: remove it from the change. Only `difficultyRule`, `minimumDifficulty`, \
		 `miners` and, in genesis, `blockReward` can"
	)]
	Fixed(String),
	/// One is not in the form of a change.
	#[error("a change of the rules cannot be read: {0}")]
	Malformed(#[from] serde_json::Error),
	/// Its difficulty is written as a decimal number.
	#[error("`minimumDifficulty`: {0}")]
	Difficulty(String),
	/// One is refused by its content or its place.
	#[error(transparent)]
	Refused(#[from] ChangesError),
}

/// Returns what is wrong with a difficulty that is not written as a hexadecimal number. The runtime would take "131072" for 0x131072.
pub(crate) fn not_hexadecimal(value: &Value) -> Option<String> {
	match value {
		Value::Null => None,
		Value::String(digits) if digits.starts_with("0x") => None,
		_ => Some(format!(
			"expected a hexadecimal number in quotes, such as \"0x20000\", which is 131072, and found {value}"
		)),
	}
}

/// Reads changes, and checks each of them and their order.
fn read(values: &[Value]) -> Result<Vec<RuleChange>, FaultyChanges> {
	let named = values.iter().filter_map(Value::as_object);
	for name in named.flat_map(|change| change.keys()) {
		if FIXED.contains(&name.as_str()) {
			return Err(FaultyChanges::Fixed(name.clone()));
		}
	}
	let mut difficulties = values
		.iter()
		.filter_map(|change| change.get("minimumDifficulty"));
	if let Some(fault) = difficulties.find_map(not_hexadecimal) {
		return Err(FaultyChanges::Difficulty(fault));
	}
	let changes = values
		.iter()
		.map(RuleChange::deserialize)
		.collect::<Result<Vec<_>, _>>()?;
	params::check_changes(&changes)?;
	Ok(changes)
}

/// Checks the changes of genesis, if they are known, and those of the node's own table.
///
/// # Errors
///
/// Returns the first fault.
pub fn check(genesis: &[Value], planned: &[Value]) -> Result<(), FaultyChanges> {
	let changes = read(genesis)?;
	let got = changes.len();
	let parameters = ChainParameters {
		changes: changes
			.try_into()
			.map_err(|_| ChangesError::TooMany { got })?,
		..Default::default()
	};
	parameters.with_planned(&read(planned)?)?;
	Ok(())
}

/// Returns the node's own table of a specification.
///
/// # Errors
///
/// Returns the first fault.
pub fn planned(spec: &dyn ChainSpec) -> Result<Vec<RuleChange>, FaultyChanges> {
	let extensions = get_extension::<Extensions>(spec.extensions());
	extensions.map_or(Ok(Vec::new()), |extensions| {
		read(&extensions.planned_changes)
	})
}

/// Returns what distinguishes the chain from others with the same genesis, in the names of the nodes' protocols: the
/// specification's `forkId`, and a hash of the node's own table if it has one. The changes of genesis are part of its
/// hash, which is in these names, too.
pub fn fork_id(spec: &dyn ChainSpec, planned: &[RuleChange]) -> Option<String> {
	let named = spec.fork_id();
	if planned.is_empty() {
		return named.map(str::to_owned);
	}
	let hash = blake2_256(&planned.encode());
	let table = hex::encode(&hash[..FORK_ID_BYTES]);
	Some(match named {
		Some(named) => format!("{named}-{table}"),
		None => table,
	})
}

/// Returns how the name of each of the chain's protocols begins.
pub fn protocol_prefix(genesis: Hash, fork_id: Option<&str>) -> String {
	let fork = fork_id.map(|fork| format!("/{fork}"));
	format!("/{genesis:x}{}", fork.unwrap_or_default())
}
