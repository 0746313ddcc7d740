// SPDX-License-Identifier: Apache-2.0
//! The RPC methods for clients that verify: what proves that a block is finalized, to a client that knows only an
//! earlier one. `isthmus-light` verifies it.
//!
//! The framework's `grandpa_proveFinality` is not enough: it refuses as long as the voters have never changed.

use super::error::Error;
use crate::client::{FullBackend, FullClient};
use codec::{Decode, Encode};
use isthmus_primitives::{Block, BlockNumber, Hash};
use jsonrpsee::proc_macros::rpc;
use polkadot_sdk::*;
use sc_client_api::{AuxStore, ProofProvider};
use sc_consensus_grandpa::{warp_proof::NetworkProvider, SharedAuthoritySet};
use sc_network_sync::strategy::warp::{EncodedProof, WarpSyncProvider};
use serde::Serialize;
use sp_blockchain::HeaderBackend;
use sp_core::Bytes;
use std::sync::Arc;

/// Where the proof of the first voters is kept in the client's database. The state that it is a part of is
/// pruned.
const GENESIS_PROOF: &[u8] = b"isthmus_genesis_proof";

/// The RPC methods.
#[rpc(server)]
pub trait LightApi {
	/// Returns what proves the newest finalized block to a client that knows the finalized block `known`: the last
	/// block of each set of voters since, the newest block, and the votes for them. It is SCALE-encoded, in
	/// the format of warp sync. If there is too much for one response, it ends earlier and says so.
	#[method(name = "isthmus_finalityProof", blocking)]
	fn finality_proof(&self, known: Hash) -> Result<Bytes, Error>;

	/// Returns what proves who votes in the beginning to a client that knows the first block's hash.
	#[method(name = "isthmus_genesisProof", blocking)]
	fn genesis_proof(&self) -> Result<GenesisProof, Error>;
}

/// What proves the first voters, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GenesisProof {
	/// The first block's SCALE-encoded header.
	pub header: Bytes,
	/// The nodes of its state's trie on the way to the list of voters.
	pub proof: Vec<Bytes>,
}

/// Makes the proofs from the client's database.
pub struct Light {
	client: Arc<FullClient>,
	finality: NetworkProvider<Block, FullBackend>,
}

impl Light {
	/// Makes the proofs of a chain's finality. Keeps the proof of the first voters, if the database has none
	/// yet and the state is still there.
	///
	/// # Errors
	///
	/// Returns an error if the database cannot be written.
	pub fn new(
		client: Arc<FullClient>,
		backend: Arc<FullBackend>,
		authority_set: SharedAuthoritySet<Hash, BlockNumber>,
	) -> Result<Self, sp_blockchain::Error> {
		if client.get_aux(GENESIS_PROOF)?.is_none() {
			let key = frame_support::storage::storage_prefix(b"Grandpa", b"Authorities");
			let genesis = client.info().genesis_hash;
			let proof = client.read_proof(genesis, &mut [&key[..]].into_iter());
			if let Ok(proof) = proof {
				let nodes: Vec<_> = proof.into_iter_nodes().collect();
				client.insert_aux(&[(GENESIS_PROOF, &nodes.encode()[..])], &[])?;
			}
		}
		Ok(Self {
			client,
			finality: NetworkProvider::new(backend, authority_set, Vec::new()),
		})
	}
}

/// The methods. The servers of a node share one [`Light`].
pub(crate) struct Methods(pub(crate) Arc<Light>);

impl LightApiServer for Methods {
	fn finality_proof(&self, known: Hash) -> Result<Bytes, Error> {
		let EncodedProof(proof) = self
			.0
			.finality
			.generate(known)
			.map_err(|error| Error::NoProof(error.to_string()))?;
		Ok(proof.into())
	}

	fn genesis_proof(&self) -> Result<GenesisProof, Error> {
		let missing =
			|| Error::NoProof("the state of the first block was pruned: sync again".into());
		let kept = self.0.client.get_aux(GENESIS_PROOF)?.ok_or_else(missing)?;
		let nodes = <Vec<Vec<u8>>>::decode(&mut &kept[..]).map_err(|_| missing())?;
		let genesis = self.0.client.info().genesis_hash;
		let header = self.0.client.header(genesis)?.ok_or_else(missing)?;
		Ok(GenesisProof {
			header: header.encode().into(),
			proof: nodes.into_iter().map(Bytes).collect(),
		})
	}
}
