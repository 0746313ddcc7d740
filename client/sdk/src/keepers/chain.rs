// SPDX-License-Identifier: Apache-2.0
//! The calls and the state of keepers.

use crate::{
	call::{Bytes, Call},
	claim::Claim,
	client::Client,
	error::Error,
	object::of_entry,
	proven::{check_version, Proven},
	types::*,
};
use isthmus_light::storage;
use isthmus_storage_proof::{
	periods::{self, Period},
	state::STORAGE_VERSION,
	Draw, Proof,
};
use subxt::utils::H256;

/// A keeper in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
	/// The dataset's number.
	pub dataset: DatasetId,
	/// The keeper's account.
	pub account: AccountId,
	/// Its entry.
	pub keeper: Keeper,
}

/// What a keeper has to prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
	/// The period.
	pub period: Period,
	/// The key of the object's record.
	pub key: RecordKey,
	/// The object.
	pub object: isthmus_objects::Object,
	/// The piece of the object.
	pub piece: u64,
}

/// What is due from a keeper in a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
	/// Nothing: it has proven, came after the draw, or there is no object.
	Nothing,
	/// To say that the drawn object was stored too late to be proven.
	Excuse(Period),
	/// A proof.
	Proof(Box<Challenge>),
}

impl Client {
	/// Makes a call that takes a place among the keepers of a dataset, or says that the copy is at another location.
	///
	/// # Errors
	///
	/// Fails if the chain has no keepers.
	pub async fn keep(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
		location: &str,
	) -> Result<Call, Error> {
		let deposit = self.best().await?.constant_of(KEEPERS, "Deposit")?;
		let arguments = (*owner, dataset, Bytes(location.as_bytes()));
		let call = self.call(KEEPERS, "keep", arguments).await?;
		Ok(call
			.claiming(Claim::Keeper(owner.0, dataset))
			.paying(deposit))
	}

	/// Makes a call that gives up this account's place among the keepers of a dataset.
	///
	/// # Errors
	///
	/// Fails if the chain has no keepers.
	pub async fn stop_keeping(&self, owner: &AccountId, dataset: DatasetId) -> Result<Call, Error> {
		let call = self.call(KEEPERS, "leave", (*owner, dataset)).await?;
		Ok(call.claiming(Claim::Keeper(owner.0, dataset)))
	}

	/// Makes a call that proves the piece that is drawn for this account in this period.
	///
	/// # Errors
	///
	/// Fails if the chain has no keepers.
	pub async fn prove_piece(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
		proof: &Proof,
	) -> Result<Call, Error> {
		let path: Vec<H256> = proof.path.iter().copied().map(H256).collect();
		let arguments = (*owner, dataset, Bytes(&proof.piece), path);
		let call = self.call(KEEPERS, "prove", arguments).await?;
		Ok(call.claiming(Claim::Keeper(owner.0, dataset)))
	}

	/// Makes a call that counts the periods that a keeper has missed. One that missed too many in a row loses its place and
	/// its deposit.
	///
	/// # Errors
	///
	/// Fails if the chain has no keepers.
	pub async fn report_missed(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
		keeper: &AccountId,
	) -> Result<Call, Error> {
		let arguments = (*owner, dataset, *keeper);
		self.call(KEEPERS, "report_missed", arguments).await
	}

	/// Makes a call that puts money into the pot from which a dataset's keepers are paid. It cannot be taken out again.
	///
	/// # Errors
	///
	/// Fails if the chain has no keepers.
	pub async fn fund_keepers(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
		amount: Balance,
	) -> Result<Call, Error> {
		let call = self.call(KEEPERS, "fund", (*owner, dataset, amount));
		Ok(call.await?.paying(amount))
	}
}

impl Proven {
	/// Checks that the chain keeps keepers in the way that this program knows.
	async fn check_keepers(&self) -> Result<(), Error> {
		let found = self.get(storage::keepers_version()).await?;
		check_version("keepers", found, STORAGE_VERSION)
	}

	/// Returns a keeper of a dataset.
	///
	/// # Errors
	///
	/// Returns [`Error::Unproven`] if the node's proofs are wrong.
	pub async fn keeper(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
		keeper: &AccountId,
	) -> Result<Option<Keeper>, Error> {
		self.check_keepers().await?;
		let key = storage::keeper(&owner.0, dataset, &keeper.0);
		self.get(key).await
	}

	/// Returns the keepers of all datasets of an owner, in the order of the datasets' numbers.
	///
	/// # Errors
	///
	/// Returns [`Error::Unproven`] if the node's proofs are wrong.
	pub async fn keepers(&self, owner: &AccountId) -> Result<Vec<Kept>, Error> {
		self.check_keepers().await?;
		let prefix = storage::keepers_of(&owner.0);
		let mut all = Vec::new();
		for key in self.keys(prefix.clone()).await? {
			let rest = &mut &key[prefix.len()..];
			let (dataset, account) = (storage::counted(rest), storage::chosen::<[u8; 32]>(rest));
			if let (Some(dataset), Some(account), Some(keeper)) =
				(dataset, account, self.get(key).await?)
			{
				let account = account.into();
				all.push(Kept {
					dataset,
					account,
					keeper,
				});
			}
		}
		all.sort_by_key(|kept| (kept.dataset, kept.account.0));
		Ok(all)
	}

	/// Returns the pot from which a dataset's keepers are paid.
	///
	/// # Errors
	///
	/// Returns [`Error::Unproven`] if the node's proofs are wrong.
	pub async fn pot(&self, owner: &AccountId, dataset: DatasetId) -> Result<Pot, Error> {
		self.check_keepers().await?;
		let pot = self.get(storage::pot(&owner.0, dataset)).await?;
		Ok(pot.unwrap_or_default())
	}

	/// Returns the period of this block, and the length of periods. `default` is the runtime's.
	pub(crate) async fn period(&self, default: u32) -> Result<(Period, u32), Error> {
		let length: Option<u32> = self.get(storage::keepers_period()).await?;
		let length = length.unwrap_or(default).max(1);
		let period = periods::of(self.block().number, length).unwrap_or_default();
		Ok((period, length))
	}

	/// Returns what is due from a keeper in the period of this block. `default` is the runtime's length of periods.
	pub(crate) async fn due(
		&self,
		owner: &AccountId,
		dataset: DatasetId,
		account: &AccountId,
		keeper: &Keeper,
		default: u32,
	) -> Result<Due, Error> {
		let (period, length) = self.period(default).await?;
		if keeper.settled >= period {
			return Ok(Due::Nothing);
		}
		let block = periods::drawn_by(period, length);
		let hash: Option<H256> = self.get(storage::block_hash(block)).await?;
		let Some(hash) = hash else {
			return Ok(Due::Nothing);
		};
		let draw = Draw::new(&hash.0, &account.0, &owner.0, dataset, period);
		let ObjectCount { count, since } = self.objects_since(owner, dataset).await?;
		let mut keeper = keeper.clone();
		keeper.settle(period, count, periods::first_drawn_after(since, length));
		let Some(place) = draw.object(keeper.objects, count) else {
			return Ok(Due::Nothing);
		};
		let key = self.get(storage::object(&owner.0, dataset, place)).await?;
		let Some(key) = key else {
			return Ok(Due::Nothing);
		};
		let record = self.record(owner, key).await?;
		let Some(Payload::Object {
			object,
			block: stored,
			..
		}) = record.map(|record| record.payload)
		else {
			return Ok(Due::Nothing);
		};
		if stored > block {
			return Ok(Due::Excuse(period));
		}
		let piece = draw.piece(object.length);
		Ok(Due::Proof(Box::new(Challenge {
			period,
			key,
			object: of_entry(key, &object)?,
			piece,
		})))
	}
}
