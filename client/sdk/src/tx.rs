//! Calls: how they are made, signed, sent, and followed into a block.

use crate::{
	account::Account,
	client::{BlockId, Client},
	error::{Error, Refusal, Rejection},
	event::Event,
	state::State,
	types::{AccountId, BlockNumber},
};
use codec::Encode;
use std::{
	fs::{File, TryLockError},
	sync::Arc,
	time::{Duration, Instant},
};
use subxt::{
	config::{DefaultExtrinsicParamsBuilder, SubstrateConfig},
	error::DispatchError,
	events::Phase,
	ext::{
		codec,
		scale_encode::{EncodeAsFields, EncodeAsType, FieldIter},
		scale_type_resolver::TypeResolver,
	},
	rpcs::{client::RpcSubscription, methods::chain_head::TransactionStatus, rpc_params},
	tx,
	utils::H256,
};

/// For how many blocks a transaction is good: at least half an hour.
const LIFETIME: BlockNumber = 256;
/// For how many at least, where it shall not be later than some block.
const SHORTEST_LIFETIME: BlockNumber = 8;
/// A transaction is bound to a block that is at most this far behind the best one: not so near that it
/// may still give way to another, not so far that the transaction is stale when it is sent.
const ANCHOR_DEPTH: BlockNumber = 32;
/// The same for one that has not long to live.
const SHORT_ANCHOR_DEPTH: BlockNumber = 2;
/// How long another program may take to send a transaction.
const LONGEST_TURN: Duration = Duration::from_secs(20);
/// How long a node may take to count a transaction that it took.
const COUNTED: Duration = Duration::from_secs(5);
/// How often a transaction is signed anew when another program of the same account was quicker.
const ATTEMPTS: u32 = 5;

/// A call, ready to be signed: by itself or in a batch.
#[derive(Clone, Debug)]
pub struct Call {
	pallet: &'static str,
	name: &'static str,
	/// Its encoded arguments.
	fields: Raw,
	/// The last block that it may be in, if that matters.
	last: Option<BlockNumber>,
}

impl Call {
	/// The same call, signed so that it is in no block after this one.
	pub fn no_later_than(self, last: BlockNumber) -> Self {
		let last = Some(self.last.map_or(last, |other| other.min(last)));
		Self { last, ..self }
	}
}

/// Bytes that are encoded already.
#[derive(Clone, Debug)]
struct Raw(Vec<u8>);

impl EncodeAsFields for Raw {
	fn encode_as_fields_to<R: TypeResolver>(
		&self,
		_: &mut dyn FieldIter<'_, R::TypeId>,
		_: &R,
		out: &mut Vec<u8>,
	) -> Result<(), subxt::ext::scale_encode::Error> {
		out.extend_from_slice(&self.0);
		Ok(())
	}
}

/// A call as `subxt` wants it.
struct Payload<'a>(&'a Call);

impl tx::Payload for Payload<'_> {
	type CallData = Raw;

	fn pallet_name(&self) -> &str {
		self.0.pallet
	}

	fn call_name(&self) -> &str {
		self.0.name
	}

	fn call_data(&self) -> &Raw {
		&self.0.fields
	}
}

/// An argument of bytes. `Vec<u8>` would be looked at byte by byte, which takes long for a megabyte.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl EncodeAsType for Bytes<'_> {
	fn encode_as_type_to<R: TypeResolver>(
		&self,
		_: R::TypeId,
		_: &R,
		out: &mut Vec<u8>,
	) -> Result<(), subxt::ext::scale_encode::Error> {
		self.0.encode_to(out);
		Ok(())
	}
}

/// A transaction that the node took.
pub struct Pending {
	client: Client,
	states: RpcSubscription<TransactionStatus<H256>>,
	hash: H256,
	/// Whose it is.
	account: AccountId,
	last: BlockNumber,
}

/// A transaction in a block, whose call succeeded.
#[derive(Clone, Debug)]
pub struct Included {
	/// The block. Unless it is final, it may give way to another.
	pub block: BlockId,
	/// The transaction's number in the block.
	pub index: u32,
	/// What happened in it, as far as it concerns data sharing.
	pub events: Vec<Event>,
	/// Why calls in it were refused without undoing the others, in their order; see
	/// [`Client::batch_each`].
	pub refused: Vec<Refusal>,
}

/// A block's events, by the transaction that they happened in.
#[derive(Clone)]
pub(crate) struct BlockEvents {
	block: BlockId,
	outcomes: Arc<Vec<Outcome>>,
}

/// Something that happened in a block, with the number of its transaction; none where it happened by
/// itself.
pub(crate) type Outcome = (Option<u32>, Happened);

/// What happened.
#[derive(Clone)]
pub(crate) enum Happened {
	/// Something of data sharing.
	Event(Event),
	/// The transaction's call was refused.
	Refused(Refusal),
	/// A call in a batch was refused, which left the others.
	OneRefused(Refusal),
}

/// What happened in a block.
pub(crate) async fn outcomes(state: &State) -> Result<Vec<Outcome>, Error> {
	let mut outcomes = Vec::new();
	for event in state.inner().events().fetch().await?.iter() {
		let event = event?;
		let index = match event.phase() {
			Phase::ApplyExtrinsic(index) => Some(index),
			Phase::Initialization | Phase::Finalization => None,
		};
		let refusal = || -> Result<Refusal, Error> {
			let metadata = state.inner().metadata();
			Ok(DispatchError::decode_from(event.field_bytes(), metadata)?.into())
		};
		let happened = match (event.pallet_name(), event.event_name()) {
			("System", "ExtrinsicFailed") => Some(Happened::Refused(refusal()?)),
			("Utility", "ItemFailed") => Some(Happened::OneRefused(refusal()?)),
			_ => Event::read(&event)?.map(Happened::Event),
		};
		outcomes.extend(happened.map(|happened| (index, happened)));
	}
	Ok(outcomes)
}

impl Client {
	/// Encodes a call by the chain's metadata.
	pub(crate) async fn call(
		&self,
		pallet: &'static str,
		name: &'static str,
		arguments: impl EncodeAsFields,
	) -> Result<Call, Error> {
		let at = self.anchor().await?;
		let payload = tx::dynamic(pallet, name, arguments);
		let mut bytes = at.inner().tx().call_data(&payload)?;
		// The indices of pallet and call, which are written again by name.
		bytes.drain(..2.min(bytes.len()));
		Ok(Call {
			pallet,
			name,
			fields: Raw(bytes),
			last: None,
		})
	}

	/// Several calls in one: all of them, or none.
	pub async fn batch(&self, calls: &[Call]) -> Result<Call, Error> {
		self.batch_by("batch_all", calls).await
	}

	/// Several calls in one, each for itself: those that the chain refuses are in
	/// [`Included::refused`], and the others take effect.
	pub async fn batch_each(&self, calls: &[Call]) -> Result<Call, Error> {
		self.batch_by("force_batch", calls).await
	}

	async fn batch_by(&self, name: &'static str, calls: &[Call]) -> Result<Call, Error> {
		let at = self.anchor().await?;
		let mut fields = codec::Compact(calls.len() as u32).encode();
		for call in calls {
			fields.extend(at.inner().tx().call_data(&Payload(call))?);
		}
		Ok(Call {
			pallet: "Utility",
			name,
			fields: Raw(fields),
			last: calls.iter().filter_map(|call| call.last).min(),
		})
	}

	/// Signs a call and sends it. Returns when the node has taken the transaction, so that any number
	/// can be in flight; they come into blocks in the order in which they were sent.
	///
	/// # Errors
	///
	/// [`Error::NotAccepted`] where the node does not take it: the account cannot pay, say.
	/// [`Error::TooLate`] where too few blocks are left until the last that it may be in.
	pub async fn submit(&self, account: &Account, call: &Call) -> Result<Pending, Error> {
		let payload = Payload(call);
		let mut nonces = self.0.nonces.lock().await;
		let _turn = self.turn(account.id()).await;
		let mut attempt = 0;
		loop {
			attempt += 1;
			let (at, lifetime) = self.mortality(call.last).await?;
			let params = rpc_params![account.id()];
			let next: u64 = self.request("system_accountNextIndex", params).await?;
			// The node may not count yet what it took a moment ago.
			let nonce = match nonces.get(account.id()) {
				Some((sent, when)) if when.elapsed() < COUNTED => next.max(*sent),
				_ => next,
			};
			let BlockId { number, hash } = at.block();
			let params = DefaultExtrinsicParamsBuilder::<SubstrateConfig>::new()
				.mortal_from_unchecked(lifetime.into(), number.into(), hash)
				.nonce(nonce)
				.build();
			let mut signable = at.inner().tx().create_signable_offline(&payload, params)?;
			let transaction = signable.sign(account.pair())?;
			let last = number.saturating_add(lifetime).saturating_sub(1);
			let (bytes, hash) = (transaction.encoded(), transaction.hash());
			match self.watch(bytes, hash, *account.id(), last).await {
				Ok(pending) => {
					nonces.insert(*account.id(), (nonce.saturating_add(1), Instant::now()));
					return Ok(pending);
				}
				// What was counted on may be in no block after all.
				Err(error)
					if error.rejection() == Some(Rejection::NonceTaken) && attempt < ATTEMPTS =>
				{
					nonces.remove(account.id());
				}
				Err(Error::Rpc { message, .. } | Error::StateGone(message)) => {
					return Err(Error::NotAccepted(message));
				}
				Err(error) => return Err(error),
			}
		}
	}

	/// Waits until no other program of this machine sends something of the account: two that are given
	/// the same nonce would knock each other's transactions out. Without such a lock to be had it is gone
	/// on without one, as it is after [`LONGEST_TURN`].
	async fn turn(&self, account: &AccountId) -> Option<File> {
		let folder = std::env::var_os("XDG_RUNTIME_DIR")
			.map_or_else(std::env::temp_dir, std::path::PathBuf::from);
		let path = folder.join(format!("isthmus-{account}.lock"));
		let mut options = File::options();
		options.create(true).append(true);
		// Nobody else shall hold it.
		#[cfg(unix)]
		std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
		let file = options.open(path).ok()?;
		let end = Instant::now() + LONGEST_TURN;
		loop {
			match file.try_lock() {
				Ok(()) => return Some(file),
				Err(TryLockError::WouldBlock) if Instant::now() < end => {
					tokio::time::sleep(Duration::from_millis(20)).await;
				}
				Err(_) => return None,
			}
		}
	}

	/// The block that a transaction is bound to, and for how many blocks from it on it is good.
	async fn mortality(&self, last: Option<BlockNumber>) -> Result<(State, BlockNumber), Error> {
		let Some(last) = last else {
			return Ok((self.anchor().await?, LIFETIME));
		};
		let at = self.anchor_within(SHORT_ANCHOR_DEPTH).await?;
		let room = last.saturating_add(1).saturating_sub(at.block().number);
		match lifetime_within(room) {
			Some(lifetime) => Ok((at, lifetime)),
			None => Err(Error::TooLate { last }),
		}
	}

	/// A block that a transaction may be bound to.
	pub(crate) async fn anchor(&self) -> Result<State, Error> {
		self.anchor_within(ANCHOR_DEPTH).await
	}

	async fn anchor_within(&self, depth: BlockNumber) -> Result<State, Error> {
		let finalized = self.finalized().await?;
		let low = self.best_number().await?.saturating_sub(depth);
		if finalized.block().number >= low {
			return Ok(finalized);
		}
		self.at_number(low).await
	}

	/// Sends a transaction and waits until the node has taken it.
	async fn watch(
		&self,
		transaction: &[u8],
		hash: H256,
		account: AccountId,
		last: BlockNumber,
	) -> Result<Pending, Error> {
		let params = rpc_params![format!("0x{}", hex::encode(transaction))];
		let (watch, unwatch) = (
			"transactionWatch_v1_submitAndWatch",
			"transactionWatch_v1_unwatch",
		);
		let states = self.0.rpc.subscribe(watch, params, unwatch).await?;
		let mut pending = Pending {
			client: self.clone(),
			states,
			hash,
			account,
			last,
		};
		match pending.next().await? {
			TransactionStatus::Error { error }
			| TransactionStatus::Invalid { error }
			| TransactionStatus::Dropped { error } => Err(Error::NotAccepted(error)),
			_ => Ok(pending),
		}
	}

	/// Signs a call, sends it, and waits until it is in a block.
	pub async fn send(&self, account: &Account, call: &Call) -> Result<Included, Error> {
		self.submit(account, call).await?.included().await
	}

	/// What happened in a block, by transaction.
	async fn outcomes(&self, hash: H256) -> Result<BlockEvents, Error> {
		let mut cached = self.0.events.lock().await;
		match &*cached {
			Some(events) if events.block.hash == hash => Ok(events.clone()),
			_ => {
				let state = self.at(hash).await?;
				let outcomes = outcomes(&state).await?;
				let events = BlockEvents {
					block: state.block(),
					outcomes: Arc::new(outcomes),
				};
				Ok(cached.insert(events).clone())
			}
		}
	}
}

impl Pending {
	/// The transaction's hash.
	pub fn hash(&self) -> H256 {
		self.hash
	}

	/// The last block that it may be in.
	pub fn last(&self) -> BlockNumber {
		self.last
	}

	async fn next(&mut self) -> Result<TransactionStatus<H256>, Error> {
		match self.states.next().await {
			Some(state) => Ok(state?),
			None => Err(Error::Connection(
				"the node says no more of the transaction".into(),
			)),
		}
	}

	/// Waits until the transaction is in a block of the best chain.
	///
	/// # Errors
	///
	/// [`Error::Refused`] where the chain refused the call, [`Error::NotIncluded`] where the transaction
	/// ended outside any block.
	pub async fn included(&mut self) -> Result<Included, Error> {
		self.until(false).await
	}

	/// Waits until the transaction is in a block that is final.
	///
	/// # Errors
	///
	/// As [`Self::included`].
	pub async fn finalized(&mut self) -> Result<Included, Error> {
		self.until(true).await
	}

	async fn until(&mut self, is_final: bool) -> Result<Included, Error> {
		loop {
			let (hash, index) = match self.next().await? {
				TransactionStatus::Finalized { block } => (block.hash, block.index),
				TransactionStatus::BestChainBlockIncluded { block: Some(block) } if !is_final => {
					(block.hash, block.index)
				}
				TransactionStatus::Error { error }
				| TransactionStatus::Invalid { error }
				| TransactionStatus::Dropped { error } => {
					// Its nonce is to be had again.
					self.client.0.nonces.lock().await.remove(&self.account);
					return Err(Error::NotIncluded(error));
				}
				_ => continue,
			};
			let index = u32::try_from(index)
				.map_err(|_| Error::Incompatible("a block of 2^32 transactions".into()))?;
			let BlockEvents { block, outcomes } = self.client.outcomes(hash).await?;
			let mut included = Included {
				block,
				index,
				events: Vec::new(),
				refused: Vec::new(),
			};
			for (_, happened) in outcomes.iter().filter(|(at, _)| *at == Some(index)) {
				match happened.clone() {
					Happened::Event(event) => included.events.push(event),
					Happened::OneRefused(refusal) => included.refused.push(refusal),
					Happened::Refused(refusal) => return Err(Error::Refused(refusal)),
				}
			}
			return Ok(included);
		}
	}
}

impl Included {
	/// The number of the block.
	pub fn number(&self) -> BlockNumber {
		self.block.number
	}
}

/// The longest lifetime of a transaction that is good in no more than so many blocks: those that can be
/// written are powers of two.
fn lifetime_within(blocks: BlockNumber) -> Option<BlockNumber> {
	let lifetime = 1 << blocks.min(LIFETIME).checked_ilog2()?;
	(lifetime >= SHORTEST_LIFETIME).then_some(lifetime)
}

impl From<DispatchError> for Refusal {
	fn from(error: DispatchError) -> Self {
		if let DispatchError::Module(module) = &error {
			if let Ok(details) = module.details() {
				return Self {
					pallet: details.pallet.name().to_owned(),
					name: details.variant.name.clone(),
					docs: details.variant.docs.join(" ").trim().to_owned(),
				};
			}
		}
		Self {
			pallet: "the runtime".into(),
			name: "DispatchError".into(),
			docs: error.to_string(),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_transaction_does_not_outlive_its_last_block() {
		let expected = [
			(0, None),
			(7, None),
			(8, Some(8)),
			(15, Some(8)),
			(16, Some(16)),
			(19, Some(16)),
			(256, Some(256)),
			(BlockNumber::MAX, Some(LIFETIME)),
		];
		for (blocks, lifetime) in expected {
			assert_eq!(lifetime_within(blocks), lifetime, "{blocks}");
		}
	}
}
