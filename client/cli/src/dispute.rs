// SPDX-License-Identifier: Apache-2.0
//! `isthmus dispute`: gets the payment for a grant back that does not open what was paid for.

use crate::{
	confirm::confirm,
	context::Context,
	error::Error,
	options::Options,
	text::{Amount, Key},
};
use isthmus_sdk::{
	dispute::{self, Complaint},
	BlockNumber, Event, GrantId, Identity, Leaf, DISPUTE_WINDOW,
};
use serde::Serialize;
use std::fmt;

// The texts of this program name the number.
const _: () = assert!(DISPUTE_WINDOW == 24);

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
A payment stays held for half of the term after the grant is given, for at least 24 blocks and at
most a day. Until then, you can show the chain that the grant does not open what you paid for: that
its keys do not open at all, or are not those of a record in its range. You get the payment back,
and pay no fee. The owner loses a part of its deposit for the dataset. The grant ends.

The command looks at the records in the range, those with few bytes first, and sends nothing if the
grant opens them all. Records whose bytes the node lacks are left out. The fee grows with the record
that is shown: --leaf chooses a small one.

To show it, the command reveals the secret of the key that you made for this request. With it,
everyone can open this one grant, and no other.

Examples:
  isthmus dispute 5 --key company.key
  isthmus dispute 5 --leaf 12 --key company.key")]
pub(crate) struct Opts {
	/// Number of the grant, as `isthmus list received` shows it
	grant: GrantId,

	/// Leaf whose record the grant does not open [default: the first that is found]
	#[arg(long)]
	leaf: Option<Leaf>,

	/// Do not ask on the terminal whether to publish the secret
	#[arg(short, long)]
	yes: bool,
}

/// A dispute that the chain decided.
#[derive(Serialize)]
pub(crate) struct Disputed {
	block: BlockNumber,
	grant: GrantId,
	/// The record that the grant does not open; `None` if it does not open at all.
	key: Option<Key>,
	leaf: Leaf,
	refunded: Amount,
	slashed: Amount,
	won: bool,
}

impl Disputed {
	/// Returns what came back, if the dispute was won.
	pub(crate) fn refunded(&self) -> Option<Amount> {
		self.won.then_some(Amount(self.refunded.0))
	}
}

impl fmt::Display for Disputed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			block,
			grant,
			leaf,
			refunded,
			slashed,
			..
		} = self;
		match self.won {
			true => write!(
				f,
				"block {block}: won the dispute about grant {grant}: {refunded} came back, and the owner lost \
				 {slashed} of its deposit"
			),
			false => write!(
				f,
				"block {block}: lost the dispute about grant {grant}: it opens the record at leaf {leaf}"
			),
		}
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Disputed, Error> {
	let context = &Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let complaint = dispute::dispute(&context.client, &identity, opts.grant, opts.leaf).await?;
	let question = format!(
		"Publish the secret with which everyone can open grant {}?",
		opts.grant
	);
	confirm(&question, opts.yes || context.client.is_dry_run())?;
	send(context, &identity, opts.grant, &complaint).await
}

/// Sends a complaint about a grant, and returns how the chain decided.
pub(crate) async fn send(
	context: &Context,
	identity: &Identity,
	grant: GrantId,
	complaint: &Complaint,
) -> Result<Disputed, Error> {
	// The reader disputes for itself, also if it acts for the owner of datasets.
	let reader = identity.account.itself();
	let pending = context.client.submit(&reader, &complaint.call).await?;
	let included = context.wait(pending).await?;
	let won = included.events.iter().find_map(|event| match event {
		Event::DisputeWon {
			refunded, slashed, ..
		} => Some((*refunded, *slashed)),
		_ => None,
	});
	let (refunded, slashed) = won.unwrap_or_default();
	Ok(Disputed {
		block: included.number(),
		grant,
		key: complaint.key.map(Key),
		leaf: complaint.leaf,
		refunded: Amount(refunded),
		slashed: Amount(slashed),
		won: won.is_some(),
	})
}
