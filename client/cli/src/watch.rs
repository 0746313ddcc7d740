// SPDX-License-Identifier: Apache-2.0
//! `isthmus watch`: checks what the account pays for while it can be disputed.

use crate::{
	context::Context,
	error::{Error, Kind},
	options::Options,
	paid::{look_within, Disputes, Found},
	retry::{Retry, Trouble},
	service::Service,
	stderr::tell,
	stop::{on_signals, Stop},
	text::{count, Amount},
};
use isthmus_sdk::{
	dispute::disputable, sharing::LEAST_TIME, AccountId, BlockNumber, GrantId, Identity, Leaf,
};
use serde::Serialize;
use std::{collections::BTreeMap, fmt, time::Duration};

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
A payment is held for half of the term, for at least 24 blocks and at most a day. The command looks
at each grant that the account pays for when it arrives, and once more shortly before the owner is
paid, because there may be new records in its range. A grant that does not open is disputed, and the
payment comes back.

The command runs until SIGINT or SIGTERM ends it: it waits for a dispute in flight; a second one
ends it at once. It tries again after an error, and can be stopped and started at any time.
--max-cost limits what it spends in all: a dispute that is won costs nothing.

Example:
  isthmus watch --key company.key")]
pub(crate) struct Opts {
	#[command(flatten)]
	disputes: Disputes,
}

/// A grant that was looked at.
#[derive(Serialize)]
struct Looked {
	grant: GrantId,
	/// The leaves whose records could not be looked at.
	#[serde(rename = "leftOut")]
	left_out: Vec<Leaf>,
	owner: AccountId,
	paid: Amount,
	/// How many records it opens; `None` if it does not open what was paid for.
	records: Option<usize>,
	/// What came back.
	refunded: Option<Amount>,
	/// What happened, in words.
	#[serde(skip)]
	words: String,
}

impl fmt::Display for Looked {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(&self.words)
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<(), Error> {
	let context = &Context::connect_with_key(options).await?;
	let identity = &context.identity().await?;
	let service = &Service::from_env().map_err(Error::usage)?;
	let opts = &opts;
	on_signals(|stop| async move {
		tell(format_args!(
			"watching what {} pays for",
			identity.account.id()
		));
		tokio::select! {
			() = watch_for_ever(context, identity, opts, service, &stop) => {
				service.ends();
				Ok(())
			}
			never = service.stay_alive() => match never {},
			never = context.client.watch_finality() => match never {},
		}
	})
	.await
}

/// Watches until the command is asked to end. After an error, tries again after a wait that doubles with each attempt.
async fn watch_for_ever(
	context: &Context,
	identity: &Identity,
	opts: &Opts,
	service: &Service,
	stop: &Stop,
) {
	let (mut retry, mut looks) = (Retry::begin(), BTreeMap::new());
	let mut trouble = Trouble::default();
	loop {
		let seen = (&mut looks, &mut trouble);
		let Err(error) = watch(context, identity, opts, seen, (service, stop)).await else {
			return;
		};
		service.is_at(&retry.tell(&error));
		trouble.begins();
		if !retry.again(stop).await {
			return;
		}
	}
}

/// For how long the records of one grant are looked at before the next grant's turn.
const LONGEST_LOOK: Duration = Duration::from_secs(5 * 60);
/// How many blocks at most pass until a look that failed is tried again.
const LONGEST_PAUSE: BlockNumber = 16;

/// When a grant was looked at last.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
	/// At which block.
	at: BlockNumber,
	/// How many looks have failed since one succeeded.
	failures: u32,
}

impl Look {
	/// Returns whether the grant is to be looked at again: at the block `last`, and after a look that failed.
	fn is_due(&self, last: BlockNumber, now: BlockNumber) -> bool {
		let Self { at, failures } = *self;
		let is_last = at < last && last <= now;
		let doubled = failures
			.checked_sub(1)
			.map(|times| 2u32.saturating_pow(times));
		let pause = doubled.map(|blocks| blocks.min(LONGEST_PAUSE));
		is_last || pause.is_some_and(|pause| at.saturating_add(pause) <= now)
	}
}

type Looks = BTreeMap<GrantId, Look>;

/// Looks at what is paid for, at each new block, until the command is asked to end. A dispute is waited for.
async fn watch(
	context: &Context,
	identity: &Identity,
	opts: &Opts,
	(looks, trouble): (&mut Looks, &mut Trouble),
	(service, stop): (&Service, &Stop),
) -> Result<(), Error> {
	let client = &context.client;
	let Some(heads) = stop.or(client.heads()).await else {
		return Ok(());
	};
	let mut heads = heads?;
	loop {
		let look = async {
			let now = client.best().await?.block().number;
			Ok::<_, Error>((now, disputable(client, identity).await?))
		};
		// A node that does not answer now keeps no one from ending this.
		let Some(looked) = stop.or(look).await else {
			return Ok(());
		};
		let (now, mut open) = looked?;
		// The one that can be disputed for the shortest time first.
		open.sort_by_key(|(_, until)| *until);
		looks.retain(|grant, _| open.iter().any(|(entry, _)| entry.id == *grant));
		let status = format!(
			"block {now}: {} can be disputed",
			count(open.len() as u64, "payment")
		);
		service.is_ready(&status);
		trouble.ends(&status);
		for (entry, until) in open {
			let last = until.saturating_sub(LEAST_TIME);
			if stop.is_asked() {
				return Ok(());
			}
			let before = looks.get(&entry.id).copied();
			if !before.is_none_or(|look| look.is_due(last, now)) {
				continue;
			}
			let grant = entry.id;
			let within = (LONGEST_LOOK, stop);
			let looking = look_within(within, context, identity, grant, &opts.disputes);
			let found = match looking.await {
				Ok(Some(found)) => found,
				Ok(None) => return Ok(()),
				Err(error) if error.kind() == Kind::Unreachable => return Err(error),
				// The other grants are looked at all the same.
				Err(error) => {
					let failures = before.unwrap_or_default().failures.saturating_add(1);
					looks.insert(grant, Look { at: now, failures });
					let words = format!("grant {grant} was not checked: {}", error.message());
					tell(format_args!("{words}; trying again"));
					service.is_at(&words);
					continue;
				}
			};
			looks.insert(
				grant,
				Look {
					at: now,
					failures: 0,
				},
			);
			let looked = told(grant, entry.grant.owner, Amount(entry.grant.paid), found);
			// A full disk under the log does not stop the command.
			if let Some(Err(error)) = looked.map(|looked| context.output.print(&looked)) {
				context.output.fail(&error);
			}
		}
		match stop.or(heads.next()).await {
			Some(head) => head?,
			None => return Ok(()),
		};
	}
}

/// Returns what is printed about a grant; nothing if its owner was paid meanwhile.
fn told(grant: GrantId, owner: AccountId, paid: Amount, found: Found) -> Option<Looked> {
	let (records, left_out, refunded, words) = match found {
		Found::Settled => return None,
		Found::Opens(records, left_out) => {
			let opens = count(records as u64, "record");
			let words = match left_out.len() {
				0 => format!("grant {grant} of {owner} opens {opens}"),
				left => {
					format!("grant {grant} of {owner} opens {opens}; {left} could not be looked at")
				}
			};
			(Some(records), left_out, None, words)
		}
		Found::Disputed(disputed) => {
			let refunded = disputed.refunded();
			(None, Vec::new(), refunded, disputed.to_string())
		}
		Found::Wrong => {
			let words = format!(
				"grant {grant} of {owner} does not open what was paid for: isthmus dispute {grant}"
			);
			(None, Vec::new(), None, words)
		}
	};
	Some(Looked {
		grant,
		left_out,
		owner,
		paid,
		records,
		refunded,
		words,
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_grant_is_looked_at_again_before_the_payment_and_after_a_failure() {
		let look = |at, failures| Look { at, failures };
		assert!(!look(10, 0).is_due(20, 19));
		assert!(look(10, 0).is_due(20, 20) && look(10, 0).is_due(20, 25));
		assert!(!look(20, 0).is_due(20, 25));
		// After a failure, in 1, 2, 4, 8 and then every 16 blocks, whether the last look was before it or not.
		for (failures, pause) in [(1, 1), (2, 2), (4, 8), (5, 16), (6, 16), (u32::MAX, 16)] {
			for last in [20, 200] {
				assert!(!look(100, failures).is_due(last, 100 + pause - 1));
				assert!(look(100, failures).is_due(last, 100 + pause));
			}
		}
		assert!(look(100, 5).is_due(101, 101));
	}
}
