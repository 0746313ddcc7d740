// SPDX-License-Identifier: Apache-2.0
//! `isthmus dataset transfer` and `accept`: hand a dataset over to another account.

use crate::{
	context::Context,
	error::Error,
	text::{account, amount, Amount},
};
use isthmus_sdk::{AccountId, Balance, BlockNumber, Control, DatasetId, Epoch, Event, Identity};
use serde::Serialize;
use std::fmt;

/// What to know before a dataset is offered.
pub(crate) const TRANSFER_HELP: &str = "\
Nothing changes until the other account accepts. Then it controls the dataset: it stores, grants and
revokes with --for YOUR-ACCOUNT, has all deposits, which you get back, and is paid by readers. The
dataset keeps its address, records, grants, requests, policy and locations, and a new epoch starts.

The other account cannot derive the keys of the epochs before. Give it a grant on each epoch that it
is to read, before you offer the dataset. Grants that you gave stay good.

Examples:
  isthmus authorize --to 5FHneW46... --leaves 0..100 --key school.key
  isthmus dataset transfer 0 --to 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty --key school.key
  isthmus dataset transfer 0 --withdraw --key school.key";

/// What to know before a dataset is accepted.
pub(crate) const ACCEPT_HELP: &str = "\
You must be registered as a producer. The deposits for the dataset and all that belongs to it are
held from you: --dry-run shows how much. Grants that were sold become yours: if you revoke one, you
pay back what is left of its term, and if its keys are wrong, you lose the deposit.

Examples:
  isthmus dataset accept 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY 0 --key office.key
  isthmus store marks.csv --for 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY --key office.key";

/// Arguments of `dataset transfer`.
#[derive(clap::Args)]
pub(crate) struct TransferOpts {
	/// Number of the dataset
	dataset: DatasetId,

	/// Account to offer it to, in place of one that it was offered to before
	#[arg(long, value_name = "ACCOUNT", value_parser = account, required_unless_present = "withdraw")]
	to: Option<AccountId>,

	/// Withdraw the offer
	#[arg(long, conflicts_with = "to")]
	withdraw: bool,
}

/// Arguments of `dataset accept`.
#[derive(clap::Args)]
pub(crate) struct AcceptOpts {
	/// Account in the dataset's address: the one that created it
	#[arg(value_parser = account)]
	owner: AccountId,

	/// Number of the dataset
	dataset: DatasetId,

	/// Largest sum of deposits to take over, in IST [default: what is held now]
	#[arg(long, value_name = "IST", value_parser = amount)]
	most: Option<Balance>,
}

/// A dataset that was offered, or whose offer was withdrawn.
#[derive(Serialize)]
pub(crate) struct Offered {
	block: BlockNumber,
	dataset: DatasetId,
	/// The account that it is offered to; `None` if the offer was withdrawn.
	to: Option<AccountId>,
}

impl fmt::Display for Offered {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { block, dataset, to } = self;
		match to {
			Some(to) => write!(f, "block {block}: offered dataset {dataset} to {to}"),
			None => write!(f, "block {block}: withdrew the offer of dataset {dataset}"),
		}
	}
}

/// A dataset that was taken over.
#[derive(Serialize)]
pub(crate) struct Accepted {
	block: BlockNumber,
	dataset: DatasetId,
	epoch: Option<Epoch>,
	held: Option<Amount>,
	owner: AccountId,
}

impl fmt::Display for Accepted {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			block,
			dataset,
			owner,
			..
		} = self;
		write!(f, "block {block}: took over dataset {dataset} of {owner}")?;
		if let (Some(held), Some(epoch)) = (&self.held, self.epoch) {
			write!(
				f,
				"; it is now in epoch {epoch}, and {held} are held for it"
			)?;
		}
		write!(f, "\nact for its owner: --for {owner}")
	}
}

/// Returns the sum of the deposits that are held for a dataset.
fn held_for(control: &Control) -> Balance {
	let held = &control.held;
	let sums = [held.dataset, held.records, held.grants, held.conditions];
	sums.into_iter().fold(0, Balance::saturating_add)
}

/// Offers a dataset to another account, or withdraws the offer.
pub(crate) async fn transfer(
	context: &Context,
	identity: &Identity,
	opts: TransferOpts,
) -> Result<Offered, Error> {
	let client = &context.client;
	let dataset = opts.dataset;
	let call = match &opts.to {
		Some(to) => client.offer_dataset(dataset, to).await?,
		None => client.withdraw_dataset_offer(dataset).await?,
	};
	let block = context.send(identity, &call).await?.number();
	Ok(Offered {
		block,
		dataset,
		to: opts.to,
	})
}

/// Takes over a dataset that is offered to the account.
pub(crate) async fn accept(
	context: &Context,
	identity: &Identity,
	opts: AcceptOpts,
) -> Result<Accepted, Error> {
	let AcceptOpts {
		owner,
		dataset,
		most,
	} = opts;
	let best = context.client.best().await?;
	let control = best.control(&owner, dataset).await?;
	let now = control.as_ref().map_or(0, held_for);
	let most = most.unwrap_or(now);
	if now > most {
		return Err(Error::refused(format!(
			"{} are held for dataset {dataset} of {owner}, which is more than --most",
			Amount(now)
		)));
	}
	let offer = control.as_ref().map_or(0, |control| control.offers);
	let call = context
		.client
		.accept_dataset(&owner, dataset, offer, most)
		.await?;
	let included = context.send(identity, &call).await?;
	let taken = included.events.iter().find_map(|event| match event {
		Event::DatasetAccepted { held, epoch, .. } => Some((Amount(*held), *epoch)),
		_ => None,
	});
	let (held, epoch) = taken.unzip();
	Ok(Accepted {
		block: included.number(),
		dataset,
		epoch,
		held,
		owner,
	})
}
