// SPDX-License-Identifier: Apache-2.0
//! Reads a chain's parameters from its genesis state, and keeps track of the changes that the node's own table adds.

use crate::error::CheckError;
use codec::{Decode, Encode};
use isthmus_primitives::{
	api::ProofOfWorkApi,
	params::{ChainParameters, RuleChange},
	Block, BlockNumber,
};
use polkadot_sdk::*;
use sc_client_api::AuxStore;
use sp_api::ProvideRuntimeApi;
use sp_blockchain::HeaderBackend;

/// The chain's parameters are stored under this key once they have been read from the genesis state, which
/// pruning may remove.
const PARAMETERS_KEY: &[u8] = b"isthmus:parameters";
/// The changes of the node's own table are stored under this key, once there were some.
const PLANNED_KEY: &[u8] = b"isthmus:planned_changes";

/// Returns the parameters of genesis, from its state the first time and from the database after that.
///
/// # Errors
///
/// Returns the error of the database, or of the runtime at genesis.
pub(crate) fn of_genesis<C>(client: &C) -> Result<ChainParameters, CheckError>
where
	C: AuxStore + HeaderBackend<Block> + ProvideRuntimeApi<Block, Api: ProofOfWorkApi<Block>>,
{
	if let Some(bytes) = client.get_aux(PARAMETERS_KEY)? {
		return ChainParameters::decode(&mut &bytes[..])
			.map_err(|e| CheckError::Corrupt(format!("the chain's parameters: {e}")));
	}
	let parameters = client
		.runtime_api()
		.parameters(client.info().genesis_hash)?;
	client.insert_aux(&[(PARAMETERS_KEY, &parameters.encode()[..])], &[])?;
	Ok(parameters)
}

/// Stores the changes of the node's own table, if no block in the database was checked by another table. `highest` is
/// the number of the highest block.
///
/// # Errors
///
/// Returns [`CheckError::ChangedBelow`] if one was, or the database's error.
pub(crate) fn keep_planned(
	client: &impl AuxStore,
	planned: &[RuleChange],
	highest: BlockNumber,
) -> Result<(), CheckError> {
	let kept = client
		.get_aux(PLANNED_KEY)?
		.map_or(Ok(Vec::new()), |bytes| {
			Vec::<RuleChange>::decode(&mut &bytes[..])
		})
		.map_err(|e| CheckError::Corrupt(format!("the planned changes: {e}")))?;
	let Some(from_block) = first_difference(&kept, planned) else {
		return Ok(());
	};
	if from_block <= highest {
		return Err(CheckError::ChangedBelow {
			from_block,
			highest,
		});
	}
	client.insert_aux(&[(PLANNED_KEY, &planned.encode()[..])], &[])?;
	Ok(())
}

/// Returns the first height from which two tables may say different things.
fn first_difference(one: &[RuleChange], other: &[RuleChange]) -> Option<BlockNumber> {
	let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
	[one.get(same), other.get(same)]
		.into_iter()
		.flatten()
		.map(|change| change.from_block)
		.min()
}
