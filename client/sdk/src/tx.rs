// SPDX-License-Identifier: Apache-2.0
//! Signs calls as transactions, sends them, and follows them until they are in a block.

use crate::{
	account::{Account, Right},
	block::BlockId,
	call::{Call, Payload},
	client::Client,
	error::{CostError, Error, Rejection},
	note::Notes,
	outcome::{BlockEvents, Included},
	refusal::PalletError,
	state::State,
	text::to_hex,
	turn::Turn,
	types::{AccountId, Balance, BlockNumber, Cost},
	wait::Wait,
};
use futures::FutureExt;
use std::{
	collections::VecDeque,
	future::Future,
	sync::atomic::{AtomicBool, Ordering},
	time::Duration,
};
use subxt::{
	config::{DefaultExtrinsicParamsBuilder, SubstrateConfig},
	rpcs::{
		client::RpcSubscription,
		methods::chain_head::{TransactionBlockDetails, TransactionStatus},
		rpc_params,
	},
	transactions::Signer,
	utils::{MultiSignature, H256},
};
use tokio::time::timeout;

/// The maximum number of times that a transaction is signed. It is signed again if another program that uses
/// the same account takes its nonce.
const ATTEMPTS: u32 = 5;
/// How long to wait for news of a transaction before asking whether the node still has those before it.
const QUIET: Duration = Duration::from_secs(8);
/// How many times in a row the node has to answer that it lacks one of those: it may be busy with a block.
const MISSING: u32 = 2;
/// The maximum number of small calls in a transaction: together they take up only part of a block.
const CALLS_IN_ONE: usize = 200;

/// A transaction that the node accepted.
pub struct Pending {
	client: Client,
	states: RpcSubscription<TransactionStatus<H256>>,
	hash: H256,
	/// The account that signed it.
	account: AccountId,
	nonce: u64,
	last: BlockNumber,
	/// The block of the best chain that the node last reported it in.
	block: Option<H256>,
	/// Reports that came before they were waited for.
	early: VecDeque<Result<TransactionStatus<H256>, Error>>,
}

impl std::fmt::Debug for Pending {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "Pending({:?})", self.hash)
	}
}

/// A signed transaction.
struct Signed {
	/// The transaction in hexadecimal digits, as nodes expect it.
	text: String,
	hash: H256,
	nonce: u64,
	/// The last block that may include it.
	last: BlockNumber,
}

impl Client {
	/// Signs a call and sends it. Returns when the node has accepted the transaction, so that any number
	/// can be in flight; an account's transactions are included in the order in which they were sent.
	///
	/// A transaction that is known to fail is not sent, because the chain would charge its fee. If no other
	/// transaction of the account is in flight, the call is executed on the best block's state first. For an
	/// [operator](crate::operator), this shows only whether it is one. If
	/// another program of this user on this machine has sent a transaction that would make this one fail,
	/// such as another answer to the same request, this function waits for its block first.
	///
	/// # Errors
	///
	/// Returns [`Error::Refused`] if the call is known to fail, [`Error::NotAccepted`] if the node rejects
	/// the transaction, [`Error::TooLate`] if too few blocks are left until the call's last block, and [`Error::Cost`] if the
	/// account cannot pay or the [budget](Self::set_budget) forbids it.
	/// Returns [`Unproven::FalseMetadata`](crate::Unproven::FalseMetadata), [`Error::Outdated`] or [`Error::OlderRuntime`] if
	/// the node gives the call another layout than this program knows: it would not know what it signs.
	pub async fn submit(&self, account: &Account, call: &Call) -> Result<Pending, Error> {
		let make = |_| async { Ok((call.clone(), ())) };
		let (pending, ()) = self.submit_made(account, make).await?;
		Ok(pending)
	}

	/// Submits a call whose success depends on the account's transaction with the nonce `after`.
	///
	/// # Errors
	///
	/// Returns [`Error::NotIncluded`] if the node has dropped that transaction: this one would take its nonce.
	pub(crate) async fn submit_after(
		&self,
		account: &Account,
		call: &Call,
		after: Option<u64>,
	) -> Result<Pending, Error> {
		let make = |notes: Notes| async move {
			match after.is_some_and(|after| notes.nonce() <= after) {
				true => Err(Error::NotIncluded("the node dropped it".into())),
				false => Ok((call.clone(), ())),
			}
		};
		let (pending, ()) = self.submit_made(account, make).await?;
		Ok(pending)
	}

	/// Submits the call that `make` makes with regard to the transactions in flight. No other program of
	/// this user on this machine sends a transaction for the account between the two, so `make` may look for
	/// something that is free, such as a leaf. It is called again if the call was overtaken. Also returns
	/// what else `make` returned with the call.
	pub(crate) async fn submit_made<Made, Extra>(
		&self,
		account: &Account,
		make: impl FnMut(Notes) -> Made,
	) -> Result<(Pending, Extra), Error>
	where
		Made: Future<Output = Result<(Call, Extra), Error>>,
	{
		self.submit_noted(account, make, |_| Ok(())).await
	}

	/// Does the same as [`submit_made`](Self::submit_made), and calls `note` before the node gets the transaction, also if
	/// only to rehearse it, with the last block that may include it. If that fails, the node does not get it.
	pub(crate) async fn submit_noted<Made, Extra>(
		&self,
		account: &Account,
		mut make: impl FnMut(Notes) -> Made,
		note: impl Fn(BlockNumber) -> Result<(), Error>,
	) -> Result<(Pending, Extra), Error>
	where
		Made: Future<Output = Result<(Call, Extra), Error>>,
	{
		let mut attempt = 0;
		loop {
			let mut turn = Turn::take(self, account.id()).await?;
			let (call, extra) = make(turn.notes().clone()).await?;
			let call = match account.acts_for() {
				Some((owner, Right::Controller)) => self.act_for(owner, call).await?,
				Some((owner, Right::Operator)) => self.operate_for(owner, call).await?,
				None => call,
			};
			let waits_for = [&call.claims[..], &call.yields_to].concat();
			if let Some(nonce) = turn.notes().claimed(&waits_for) {
				drop(turn);
				self.passed(account.id(), nonce.saturating_add(1)).await?;
				continue;
			}
			attempt += 1;
			let (at, anchor, lifetime) = self.mortality(call.last).await?;
			self.check_layout(&at, &call).await?;
			let signed = sign(
				account.pair(),
				&call,
				&at,
				(anchor, lifetime),
				turn.notes().nonce(),
				self.tip(),
			)?;
			let mut cost = Cost::default();
			let mut allowed = Ok(());
			if self.is_limited() {
				cost = self.cost(&call).await?;
				allowed = self.check_cost(account.id(), cost).await;
			}
			let (nonce, hash, last) = (signed.nonce, signed.hash, signed.last);
			if may_rehearse(&allowed) {
				note(last)?;
				if turn.notes().is_first() && !call.is_direct() {
					self.rehearse(&signed, &at).await?;
				}
			}
			allowed?;
			// Noted first: whatever ends this program after sending, the others count the transaction in.
			turn.note(nonce, call.claims.clone());
			match self.watch(signed, *account.id()).await {
				Ok(pending) => {
					turn.accepted(nonce);
					self.spend(&cost);
					return Ok((pending, extra));
				}
				// The node may have accepted it, so the note stays for as long as the node may take to count it.
				Err(error) if error.is_connection() => {
					self.spend(&cost);
					self.forget_anchor().await;
					return Err(after_sending(error, hash, last));
				}
				// Our notes may be wrong, because an earlier transaction was dropped. Ask the node.
				Err(error)
					if error.rejection() == Some(Rejection::NonceTaken) && attempt < ATTEMPTS =>
				{
					turn.forget(0);
				}
				// A reorganisation may have replaced the anchor, so the next transaction gets a new one. This
				// one is not sent again: the node may have dropped it and still include it.
				Err(error) => {
					turn.forget(nonce);
					self.forget_anchor().await;
					let error = not_accepted(error);
					return Err(self.with_missing_funds(account.id(), &call, error).await);
				}
			}
		}
	}

	/// Asks the node for the fee of a call at present, with this client's tip. No account signs it: the node could send
	/// what it gets.
	pub(crate) async fn fee(&self, call: &Call) -> Result<Balance, Error> {
		/// How many bytes of the answer are the fee: its last ones, after the weight and the class.
		const FEE: usize = size_of::<Balance>();
		let (at, anchor, lifetime) = self.mortality(None).await?;
		let signed = sign(&NoAccount, call, &at, (anchor, lifetime), 0, self.tip())?;
		let length = (signed.text.len() / 2).saturating_sub(1) as u32;
		let arguments = format!("{}{}", signed.text, hex::encode(length.to_le_bytes()));
		let answer = self
			.state_call("TransactionPaymentApi_query_info", &arguments)
			.await?;
		let fee = answer.last_chunk::<FEE>().copied();
		let fee = fee.ok_or_else(|| Error::Incompatible("a fee has not 128 bits".into()))?;
		Ok(Balance::from_le_bytes(fee).saturating_add(self.tip()))
	}

	/// Executes a transaction on the best block's state, and discards the changes.
	///
	/// # Errors
	///
	/// Returns [`Error::Refused`] if its call fails. What else goes wrong is left for the node to report when
	/// the transaction is sent.
	async fn rehearse(&self, signed: &Signed, at: &State) -> Result<(), Error> {
		let called = self.state_call("BlockBuilder_apply_extrinsic", &signed.text);
		let answer = match called.await {
			Ok(answer) => answer,
			Err(error) if error.is_connection() => return Err(error),
			Err(_) => return Ok(()),
		};
		// The transaction was valid (0), and its call failed (1).
		match &answer[..] {
			[0, 1, error @ ..] => match at.refusal(error)? {
				// By the time of the best block, which may be long ago: the transaction's block is later.
				refusal if refusal.error == PalletError::ObservedInFuture => Ok(()),
				refusal => Err(Error::Refused(refusal)),
			},
			_ => Ok(()),
		}
	}

	/// Sends a transaction and waits until the node has accepted it.
	async fn watch(&self, signed: Signed, account: AccountId) -> Result<Pending, Error> {
		let params = rpc_params![signed.text];
		let (watch, unwatch) = (
			"transactionWatch_v1_submitAndWatch",
			"transactionWatch_v1_unwatch",
		);
		let states = self.0.rpc.subscribe(watch, params, unwatch).await?;
		let mut pending = Pending {
			client: self.clone(),
			states,
			hash: signed.hash,
			account,
			nonce: signed.nonce,
			last: signed.last,
			block: None,
			early: VecDeque::new(),
		};
		// The node validates it before it reports anything.
		match self.0.line.answered(pending.next()).await? {
			TransactionStatus::Error { error }
			| TransactionStatus::Invalid { error }
			| TransactionStatus::Dropped { error } => Err(Error::NotAccepted(error)),
			_ => {
				if let Some(tell) = self.0.on_sent.get() {
					tell(pending.hash);
				}
				Ok(pending)
			}
		}
	}

	/// Signs a call, sends it, and waits until it is in a block.
	///
	/// # Errors
	///
	/// Returns the errors of [`Client::submit`] and [`Pending::included`].
	pub async fn send(&self, account: &Account, call: &Call) -> Result<Included, Error> {
		self.submit(account, call).await?.included().await
	}

	/// Sends calls in order, in as few transactions as possible. Each transaction takes effect entirely or
	/// not at all. Returns the last one; `None` if there are no calls.
	///
	/// # Errors
	///
	/// Returns the error of the first transaction that fails. The transactions before it have taken effect.
	pub async fn send_all(
		&self,
		account: &Account,
		calls: &[Call],
	) -> Result<Option<Included>, Error> {
		match self.submit_all(account, calls, &mut ()).await? {
			Some(mut last) => Ok(Some(last.included().await?)),
			None => Ok(None),
		}
	}

	/// Sends calls like [`send_all`](Self::send_all), without waiting for the last transaction's block. Reports progress if they
	/// take several transactions.
	///
	/// # Errors
	///
	/// Returns the error of the first transaction that fails. The transactions before it have taken effect.
	pub async fn submit_all(
		&self,
		account: &Account,
		calls: &[Call],
		progress: &mut impl crate::Progress,
	) -> Result<Option<Pending>, Error> {
		let total = calls.len() as u64;
		let mut tell = |done: usize| progress.at(crate::Stage::Calling, done as u64, total);
		let mut transactions = Vec::new();
		for calls in calls.chunks(CALLS_IN_ONE) {
			transactions.push(match calls {
				[only] => only.clone(),
				calls => self.batch(calls).await?,
			});
		}
		if transactions.len() > 1 {
			tell(0);
			self.check_calls(account, &transactions).await?;
		}
		let mut last: Option<Pending> = None;
		for (number, call) in transactions.iter().enumerate() {
			if let Some(mut before) = last.take() {
				before.included().await?;
				tell(number * CALLS_IN_ONE);
			}
			last = Some(self.submit(account, call).await?);
		}
		Ok(last)
	}

	/// Returns what happened in a block.
	async fn events(&self, hash: H256) -> Result<BlockEvents, Error> {
		let mut cached = self.0.events.lock().await;
		match &*cached {
			Some(events) if events.block.hash == hash => Ok(events.clone()),
			_ => {
				let events = BlockEvents::fetch(&self.at(hash).await?).await?;
				Ok(cached.insert(events).clone())
			}
		}
	}
}

/// Returns whether a node may get a transaction to rehearse. The transaction is signed, so the node could send it: it does
/// not get what the budget forbids, and in a dry run only what would be sent without it.
fn may_rehearse(allowed: &Result<(), Error>) -> bool {
	matches!(allowed, Ok(()) | Err(Error::Cost(CostError::NotSent(_))))
}

/// Signs a call by the metadata of the state `at`. It is valid for `lifetime` blocks from its anchor on, and pays a tip.
fn sign(
	signer: &impl Signer<SubstrateConfig>,
	call: &Call,
	at: &State,
	(block, lifetime): (BlockId, BlockNumber),
	nonce: u64,
	tip: Balance,
) -> Result<Signed, Error> {
	let params = DefaultExtrinsicParamsBuilder::<SubstrateConfig>::new()
		.mortal_from_unchecked(lifetime.into(), block.number.into(), block.hash)
		.nonce(nonce)
		.tip(tip)
		.build();
	let transactions = at.inner().tx();
	let payload = Payload(call);
	// The format is this one, whichever the node says that there are.
	let mut signable = transactions.create_v4_signable_offline(&payload, params)?;
	let transaction = signable.sign(signer)?;
	Ok(Signed {
		hash: transaction.hash(),
		nonce,
		last: block.number.saturating_add(lifetime).saturating_sub(1),
		text: to_hex(transaction.encoded()),
	})
}

/// Stands where a signature has to be, and signs nothing: what it "signs" is not valid on any chain.
struct NoAccount;

impl Signer<SubstrateConfig> for NoAccount {
	fn account_id(&self) -> AccountId {
		AccountId::from([0; 32])
	}

	fn sign(&self, _: &[u8]) -> MultiSignature {
		// A signature of sr25519 has a bit that marks it as one.
		MultiSignature::Sr25519([0; 64])
	}
}

/// Returns the error of a node that did not take a transaction.
fn not_accepted(error: Error) -> Error {
	match error {
		Error::Rpc { message, .. } | Error::StateGone(message) => Error::NotAccepted(message),
		error => error,
	}
}

/// Returns an error as it is after a transaction was sent: if the connection is lost, the outcome is not
/// known.
fn after_sending(error: Error, hash: H256, last: BlockNumber) -> Error {
	match error.is_connection() {
		true => Error::Unconfirmed { hash, last },
		false => error,
	}
}

impl Pending {
	/// Returns the transaction's hash.
	pub fn hash(&self) -> H256 {
		self.hash
	}

	/// Returns its nonce.
	pub(crate) fn nonce(&self) -> u64 {
		self.nonce
	}

	/// Returns the last block that may include it.
	pub fn last(&self) -> BlockNumber {
		self.last
	}

	/// Returns whether the node has reported the transaction in a block already. Waits for nothing.
	pub(crate) fn is_in_block(&mut self) -> bool {
		use TransactionStatus::{BestChainBlockIncluded, Finalized};
		while let Some(Some(report)) = self.states.next().now_or_never() {
			self.early.push_back(report.map_err(Error::from));
		}
		self.early.iter().any(|report| {
			matches!(
				report,
				Ok(BestChainBlockIncluded { block: Some(_) } | Finalized { .. })
			)
		})
	}

	async fn next(&mut self) -> Result<TransactionStatus<H256>, Error> {
		if let Some(report) = self.early.pop_front() {
			return report;
		}
		match self.states.next().await {
			Some(state) => Ok(state?),
			None => Err(Error::Connection(
				"the node stopped reporting on the transaction".into(),
			)),
		}
	}

	/// Waits until the transaction is in a block of the best chain.
	///
	/// # Errors
	///
	/// Returns [`Error::Refused`] if the call failed, [`Error::NotIncluded`] if the node dropped the
	/// transaction, [`Error::Behind`] if it dropped an earlier one of the account, and [`Error::Unconfirmed`] if
	/// the connection is lost.
	pub async fn included(&mut self) -> Result<Included, Error> {
		self.until(false).await
	}

	/// Waits until the transaction is in a finalized block.
	///
	/// # Errors
	///
	/// Returns the errors of [`Self::included`], and [`Error::NotFinal`] if the node stops waiting although
	/// the transaction is in a block.
	pub async fn finalized(&mut self) -> Result<Included, Error> {
		self.until(true).await
	}

	async fn until(&mut self, finalized: bool) -> Result<Included, Error> {
		let is_in_block = &AtomicBool::new(self.block.is_some());
		let what = |_: Option<(BlockNumber, BlockNumber)>| {
			Wait::of_transaction(is_in_block.load(Ordering::Relaxed), finalized)
		};
		let (client, hash, last) = (self.client.clone(), self.hash, self.last);
		let events = async {
			let block = self.block(finalized, is_in_block);
			let block = client.patiently_for(what, block).await?;
			let index = u32::try_from(block.index)
				.map_err(|_| Error::Incompatible("a block has 2^32 transactions".into()))?;
			client.events(block.hash).await?.of(index)
		};
		events
			.await
			.map_err(|error| after_sending(error, hash, last))
	}

	/// Returns whether the transaction is in no block, and an earlier one of the account is neither in a block nor in
	/// the node's pool.
	async fn is_behind(&mut self) -> Result<bool, Error> {
		if self.block.is_some() {
			return Ok(false);
		}
		match self.client.next_nonce(&self.account).await {
			Ok(next) => Ok(next <= self.nonce),
			Err(error) if error.is_connection() => Err(error),
			// The node cannot tell now, and the transaction may still be included.
			Err(_) => Ok(false),
		}
	}

	/// Waits for the transaction's block. Meanwhile, `is_in_block` is set if the transaction is in one.
	async fn block(
		&mut self,
		finalized: bool,
		is_in_block: &AtomicBool,
	) -> Result<TransactionBlockDetails<H256>, Error> {
		let mut missing = 0;
		loop {
			let Ok(status) = timeout(QUIET, self.next()).await else {
				missing = match self.is_behind().await? {
					true => missing + 1,
					false => 0,
				};
				if missing == MISSING {
					let (hash, last) = (self.hash, self.last);
					return Err(Error::Behind { hash, last });
				}
				continue;
			};
			missing = 0;
			match status? {
				TransactionStatus::Finalized { block } => return Ok(block),
				TransactionStatus::BestChainBlockIncluded { block } => {
					self.block = block.as_ref().map(|block| block.hash);
					is_in_block.store(self.block.is_some(), Ordering::Relaxed);
					if let Some(block) = block.filter(|_| !finalized) {
						return Ok(block);
					}
				}
				TransactionStatus::Error { error }
				| TransactionStatus::Invalid { error }
				| TransactionStatus::Dropped { error } => {
					if let Some(hash) = self.block {
						let block = self.client.number(rpc_params![hash]).await?;
						return Err(Error::NotFinal {
							hash: self.hash,
							block,
							reason: error,
						});
					}
					// The transaction's nonce is free again, so ask the node for the next one.
					Turn::dropped(&self.client, &self.account, self.nonce).await;
					return Err(Error::NotIncluded(error));
				}
				_ => {}
			}
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use subxt_signer::sr25519::{verify, PublicKey, Signature};

	#[test]
	fn a_node_cannot_send_what_it_is_asked_the_fee_of() {
		let MultiSignature::Sr25519(signature) = NoAccount.sign(b"a call") else {
			panic!("all accounts sign with sr25519");
		};
		let account = PublicKey(NoAccount.account_id().0);
		assert!(!verify(&Signature(signature), b"a call", &account));
	}

	#[test]
	fn a_node_does_not_get_a_transaction_that_the_budget_forbids() {
		let costly = CostError::TooCostly {
			needed: 2,
			spent: 0,
			most: 1,
		};
		let poor = CostError::NotEnoughFunds { needed: 2, free: 1 };
		for forbidden in [costly, poor] {
			assert!(!may_rehearse(&Err(forbidden.into())));
		}
		assert!(may_rehearse(&Ok(())));
		assert!(may_rehearse(&Err(
			CostError::NotSent(Cost::default()).into()
		)));
	}
}
