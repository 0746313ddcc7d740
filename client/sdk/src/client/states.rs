// SPDX-License-Identifier: Apache-2.0
//! Asks the node for blocks and for the states after them.

use super::*;

/// How many entries of a state to ask for in one request.
const ENTRIES: usize = 256;

impl Client {
	/// Returns the state after the best block.
	pub async fn best(&self) -> Result<State, Error> {
		let hash: H256 = self.request("chain_getBlockHash", rpc_params![]).await?;
		let url = self.url();
		let mut best = self.0.best.lock().await;
		match &*best {
			// What another node said of this block is not believed of this one.
			Some((node, state)) if *node == url && state.block().hash == hash => Ok(state.clone()),
			_ => {
				let state = self.at(hash).await?;
				*best = Some((url, state.clone()));
				Ok(state)
			}
		}
	}

	/// Asks for entries of a state together, so that none of them is asked for alone later. Only for those that
	/// are not known yet.
	///
	/// # Errors
	///
	/// Returns [`Error::Connection`] if the connection is lost, and [`Error::StateGone`]. If the node does not answer such
	/// questions, each entry is asked for alone when it is read.
	pub(crate) async fn load(&self, state: &State, keys: &[Vec<u8>]) -> Result<(), Error> {
		#[derive(serde::Deserialize)]
		struct Shown {
			changes: Vec<(String, Option<String>)>,
		}
		let is_unknown = |key: &&Vec<u8>| state.known(key).is_none();
		let unknown: BTreeSet<String> = keys
			.iter()
			.filter(is_unknown)
			.map(|key| to_hex(key))
			.collect();
		let unknown: Vec<String> = unknown.into_iter().collect();
		for part in unknown.chunks(ENTRIES) {
			let params = rpc_params![part, state.block().hash];
			let shown: Vec<Shown> = match self.request("state_queryStorageAt", params).await {
				Err(Error::Rpc { .. }) => return Ok(()),
				shown => shown?,
			};
			let bytes = |text: &str| {
				let unreadable = "an entry of the state is not in hexadecimal digits";
				bytes_from_hex(text).ok_or_else(|| Error::Incompatible(unreadable.into()))
			};
			let mut entries = Vec::new();
			for (key, value) in shown.into_iter().flat_map(|shown| shown.changes) {
				let (key, value) = (bytes(&key)?, value.map(|value| bytes(&value)).transpose()?);
				// What was not asked for is not kept.
				if part.binary_search(&to_hex(&key)).is_ok() {
					entries.push((key, value));
				}
			}
			state.know(entries);
		}
		Ok(())
	}

	/// Returns the state after the last finalized block.
	pub async fn finalized(&self) -> Result<State, Error> {
		let hash: H256 = self
			.request("chain_getFinalizedHead", rpc_params![])
			.await?;
		self.at(hash).await
	}

	/// Returns the newest state that is at this depth.
	pub async fn settled(&self, depth: Depth) -> Result<State, Error> {
		let finalized = self.finalized().await?;
		let Depth::Blocks(depth) = depth else {
			return Ok(finalized);
		};
		let number = self.best_number().await?.saturating_sub(depth);
		match number > finalized.block().number {
			true => self.at_number(number).await,
			false => Ok(finalized),
		}
	}

	/// Returns the hash of a block of the best chain.
	///
	/// # Errors
	///
	/// Returns [`Error::NoSuchBlock`] if the best chain has no block with this number.
	pub(crate) async fn hash_at(&self, number: BlockNumber) -> Result<H256, Error> {
		let hash: Option<H256> = self
			.request("chain_getBlockHash", rpc_params![number])
			.await?;
		hash.ok_or(Error::NoSuchBlock(number))
	}

	/// Calls the runtime on the best block's state, with arguments in hexadecimal digits, and returns what it returns.
	///
	/// # Errors
	///
	/// Returns [`Error::Incompatible`] if the answer is not in hexadecimal digits, and the node's error.
	pub(crate) async fn state_call(&self, method: &str, arguments: &str) -> Result<Vec<u8>, Error> {
		let answer: String = self
			.request("state_call", rpc_params![method, arguments])
			.await?;
		bytes_from_hex(&answer).ok_or_else(|| {
			Error::Incompatible(format!("{method} was not answered in hexadecimal digits"))
		})
	}

	/// Returns the state after a block of the best chain.
	///
	/// # Errors
	///
	/// Returns [`Error::NoSuchBlock`] if the best chain has no block with this number.
	pub async fn at_number(&self, number: BlockNumber) -> Result<State, Error> {
		let hash = self.hash_at(number).await?;
		let at = self.0.online.at_block_hash_and_number(hash, number.into());
		Ok(State::new(at.await?))
	}

	/// Returns the state after the block with this hash.
	///
	/// # Errors
	///
	/// Returns [`Error::Incompatible`] if the node does not know the block.
	pub async fn at(&self, hash: H256) -> Result<State, Error> {
		Ok(State::new(self.0.online.at_block(hash).await?))
	}

	/// Returns the number of the best block.
	pub(crate) async fn best_number(&self) -> Result<BlockNumber, Error> {
		self.number(rpc_params![]).await
	}

	/// Returns the number of the last finalized block.
	pub(crate) async fn finalized_number(&self) -> Result<BlockNumber, Error> {
		let hash: H256 = self
			.request("chain_getFinalizedHead", rpc_params![])
			.await?;
		self.number(rpc_params![hash]).await
	}

	/// Returns the number of a block, by default the best one.
	pub(crate) async fn number(&self, hash: RpcParams) -> Result<BlockNumber, Error> {
		let header: Option<Header> = self.request("chain_getHeader", hash).await?;
		let header = header.ok_or_else(|| Error::Incompatible("the node lost a block".into()))?;
		Ok(header.number as BlockNumber)
	}

	/// Returns the date of a block of the best chain, as the node says; `None` if the block's header has none.
	///
	/// # Errors
	///
	/// Returns [`Error::NoSuchBlock`] if the best chain has no block with this number.
	pub async fn date_of(&self, number: BlockNumber) -> Result<Option<Seconds>, Error> {
		let hash = self.hash_at(number).await?;
		let header: Option<Header> = self.request("chain_getHeader", rpc_params![hash]).await?;
		let logs = header.map(|header| header.digest.logs).unwrap_or_default();
		let date = |item: &DigestItem| match item {
			DigestItem::PreRuntime(POW_ENGINE_ID, bytes) => {
				Some(PreDigest::decode(&mut &bytes[..]).ok()?.timestamp)
			}
			_ => None,
		};
		Ok(logs.iter().find_map(date))
	}
}
