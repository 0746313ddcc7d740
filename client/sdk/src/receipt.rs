// SPDX-License-Identifier: Apache-2.0
//! Makes receipts: files that prove to a stranger, without a node, that something happened. [`Receipt::verify`] checks
//! them.

use crate::{
	client::Client, error::Error, event::Event, history::ProvenEvent, keepers::Kept,
	proven::check_version, types::*, wait::Wait,
};
use codec::DecodeAll;
use isthmus_light::{keep_until, Finality, Hash, Header, Step, Steps};
use isthmus_storage_proof::{periods, state::STORAGE_VERSION};
use serde::Deserialize;
use subxt::rpcs::rpc_params;

pub use isthmus_light::{
	Content, EventProof, EventReceipt, KeeperEntry, KeeperProof, KeeperReceipt, PlacedEvent,
	Proved, Receipt, ReceiptError,
};

/// The engine whose votes finalize blocks, as nodes name it.
const GRANDPA: [u8; 4] = *b"FRNK";

/// A block as `chain_getBlock` sends it, without its body.
#[derive(Deserialize)]
struct SignedBlock {
	block: WithHeader,
	justifications: Option<Vec<([u8; 4], Vec<u8>)>>,
}

#[derive(Deserialize)]
struct WithHeader {
	header: Header,
}

/// Makes the receipt of an event that [`history()`](crate::history::history) returned. Waits until its block is finalized.
///
/// # Errors
///
/// Returns [`Error::Receipt`] if the node's proofs are wrong, and [`Error::Incompatible`] if this program does not know
/// the event's layout, so that a receipt of it could not be read.
pub async fn receipt(client: &Client, event: &ProvenEvent) -> Result<EventReceipt, Error> {
	if Event::from_bytes(&event.receipt.event).as_ref() != Some(&event.event) {
		let unknown = "the event has a layout that this program does not know";
		return Err(Error::Incompatible(unknown.into()));
	}
	let number = event.block.number;
	let own = decode(&event.header)?;
	let votes = votes(client, number).await?;
	let (steps, headers) = nearest(client, own, votes.steps).await?;
	let receipt = Receipt {
		first: votes.first,
		voters: votes.voters,
		steps,
		content: EventProof {
			headers,
			index: event.index,
			event: event.receipt.clone(),
			path: event.path.iter().map(|sibling| sibling.0).collect(),
		},
	};
	let proved = receipt.clone().verify(Hash::from(client.genesis()))?;
	match proved.header.hash().0 == event.block.hash.0 {
		true => Ok(receipt),
		false => Err(ReceiptError::NotAncestor(number).into()),
	}
}

/// Makes the receipt of a keeper: of what the state after a finalized block says of an account that keeps a copy of a dataset's
/// objects, with the block of its last proof. [`kept`] reads what it proves.
///
/// # Errors
///
/// Returns [`Error::Receipt`] if the node's proofs are wrong, or if the account keeps no copy
/// ([`ReceiptError::NoKeeper`]), and the errors of [`kept`].
pub async fn keeper_receipt(
	client: &Client,
	owner: &AccountId,
	dataset: DatasetId,
	keeper: &AccountId,
) -> Result<KeeperReceipt, Error> {
	let number = client.proven().await?.block().number;
	let Votes {
		first,
		voters,
		steps,
	} = votes(client, number).await?;
	let head = steps.last().map_or(&first, |step| &step.header);
	let keys = KeeperProof::keys(&owner.0, dataset, &keeper.0);
	let parts = client.state_proof(&keys, head.hash().0.into()).await?;
	let content = KeeperProof::new(head.state_root, owner.0, dataset, keeper.0, parts);
	let content = content.map_err(ReceiptError::from)?;
	let receipt = Receipt {
		first,
		voters,
		steps,
		content,
	};
	kept(&receipt.clone().verify(Hash::from(client.genesis()))?)?;
	Ok(receipt)
}

/// Reads what a keeper's receipt proves.
///
/// # Errors
///
/// Returns [`Error::Unproven`] if this program does not know the version of the keepers' storage, and [`Error::Receipt`] if the
/// entry is none of a keeper.
pub fn kept(proved: &Proved<KeeperEntry>) -> Result<Kept, Error> {
	let what = &proved.what;
	check_version("keepers", Some(what.version), STORAGE_VERSION)?;
	let keeper = Keeper::decode_all(&mut &what.entry[..]);
	Ok(Kept {
		dataset: what.dataset,
		account: what.keeper.into(),
		keeper: keeper.map_err(|_| ReceiptError::Malformed)?,
	})
}

/// Returns how many periods are over of those after the last one that a keeper's receipt [counts](Keeper::settled) as kept or
/// missed. The chain counts a period that was missed only when the keeper proves, leaves or is reported. `None` if the receipt
/// does not prove how long periods are.
pub fn uncounted(proved: &Proved<KeeperEntry>, settled: u32) -> Option<u32> {
	uncounted_at(proved.header.number, proved.what.period_length?, settled)
}

/// Returns how many periods of a length are over at a block, after one that is counted.
fn uncounted_at(block: BlockNumber, length: u32, settled: u32) -> Option<u32> {
	let period = periods::of(block, length)?;
	Some(period.saturating_sub(1).saturating_sub(settled))
}

/// What every receipt begins with.
struct Votes {
	first: Header,
	voters: Vec<Vec<u8>>,
	steps: Vec<Step>,
}

/// Returns the votes from the first block to the first block that is voted for and not before block `number`. Waits until
/// there is one.
async fn votes(client: &Client, number: BlockNumber) -> Result<Votes, Error> {
	let (first, voters) = client.first_voters().await?;
	let steps = steps(client, &first, &voters, number).await?;
	Ok(Votes {
		first: decode(&first)?,
		voters,
		steps,
	})
}

/// Decodes a header that a node sent.
fn decode(header: &[u8]) -> Result<Header, ReceiptError> {
	Header::decode_all(&mut &*header).map_err(|_| ReceiptError::Malformed)
}

/// Does the same with a first block and its voters that are known.
async fn steps(
	client: &Client,
	first: &[u8],
	voters: &[Vec<u8>],
	number: BlockNumber,
) -> Result<Vec<Step>, Error> {
	let genesis = Hash::from(client.genesis());
	let found = async {
		let mut heads = None;
		loop {
			let mut finality =
				Finality::begin(genesis, first, voters.to_vec()).map_err(ReceiptError::from)?;
			let mut proofs = Vec::new();
			let verified = |proof: &[u8]| proofs.push(proof.to_vec());
			client.follow(&mut finality, verified).await?;
			let mut steps = Vec::new();
			for proof in &proofs {
				let part = Steps::decode_all(&mut &proof[..]);
				steps.extend(part.map_err(|_| ReceiptError::Malformed)?.steps);
			}
			if keep_until(&mut steps, number) {
				return Ok(steps);
			}
			let heads = match &mut heads {
				Some(heads) => heads,
				none => none.insert(client.final_heads().await?),
			};
			heads.next().await?;
		}
	};
	client.patiently(Wait::FinalState, found).await
}

/// Returns votes that end at the first block with votes from the event's block `own` on, and the headers of the blocks
/// from `own` to the parent of that block.
async fn nearest(
	client: &Client,
	own: Header,
	mut steps: Vec<Step>,
) -> Result<(Vec<Step>, Vec<Header>), Error> {
	let last = steps.last().map_or(own.number, |step| step.header.number);
	let mut headers = Vec::new();
	for number in own.number..=last {
		let hash = client.hash_at(number).await?;
		let signed: Option<SignedBlock> =
			client.request("chain_getBlock", rpc_params![hash]).await?;
		let SignedBlock {
			block: WithHeader { header },
			justifications,
		} = signed.ok_or(Error::NoSuchBlock(number))?;
		let votes = justifications.unwrap_or_default();
		if let Some((_, votes)) = votes.iter().find(|(engine, _)| *engine == GRANDPA) {
			steps.pop();
			steps.push(Step::new(header, votes).map_err(ReceiptError::from)?);
			return Ok((steps, headers));
		}
		if number < last {
			headers.push(header);
		}
	}
	Ok((steps, headers))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_period_of_the_block_and_those_that_are_counted_are_not_missing() {
		// Block 17 is in period 5, which is not over.
		for (settled, expected) in [(0, 4), (3, 1), (4, 0), (5, 0)] {
			assert_eq!(uncounted_at(17, 3, settled), Some(expected), "{settled}");
		}
		assert_eq!(uncounted_at(0, 3, 0), Some(0));
		assert_eq!(uncounted_at(17, 0, 0), None);
	}
}
