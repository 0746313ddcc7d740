// SPDX-License-Identifier: Apache-2.0
//! `isthmus operator`: names the accounts that may answer requests for this one, and ends that.

use crate::{
	context::Context,
	error::Error,
	options::Options,
	report::{Lines, Report},
	stderr::tell,
	text::{account, count, Amount, Range},
	uses::{Uses, KEY, NODE, SENDS_AND_ENDS},
};
use isthmus_sdk::{AccountId, BlockNumber, GrantEntry, GrantState, Proven, ProxyKind};
use serde::Serialize;
use std::fmt;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
An operator answers requests for you, on a machine that has neither your key nor your secret: it
grants readers what you granted to it, within its leaves and epoch, and pays the fees. On the chain
it is a proxy of the kind Sharing, which may also reject, revoke with your refunds, give grants at
your deposit, set policies and remove records. It cannot transfer, offer money, hand over datasets
or name proxies.

To end it, remove it, and revoke its grants: keys that it was given stay in its hands.

Examples:
  isthmus authorize --to 5FHneW46... --leaves 0..1000 --key school.key
  isthmus operator add 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty --key school.key
  isthmus serve --for 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY --key operator.key")]
pub(crate) struct Opts {
	#[command(subcommand)]
	command: Command,
}

impl Opts {
	/// Returns what the command does.
	pub(crate) fn uses(&self) -> Uses {
		match self.command {
			Command::List { owner: Some(_) } => NODE,
			Command::List { owner: None } => NODE | KEY,
			_ => SENDS_AND_ENDS,
		}
	}
}

#[derive(clap::Subcommand)]
enum Command {
	/// Name an operator
	Add {
		/// Account of the operator
		#[arg(value_parser = account)]
		account: AccountId,
	},
	/// End what an operator may do for you, and get the deposit back
	Remove {
		/// Account of the operator
		#[arg(value_parser = account)]
		account: AccountId,
	},
	/// List who may act for an account, and what operators can open
	List {
		/// Account that they act for [default: that of --key]
		#[arg(value_parser = account)]
		owner: Option<AccountId>,
	},
}

/// Operators that changed.
#[derive(Serialize)]
struct Changed {
	block: BlockNumber,
	/// What is held for the account's list of proxies.
	held: Amount,
	operator: AccountId,
	owner: AccountId,
	/// Whether it was removed.
	removed: bool,
}

impl fmt::Display for Changed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			block,
			held,
			operator,
			owner,
			removed,
		} = self;
		let now = if *removed { "no longer an" } else { "an" };
		write!(f, "block {block}: {operator} is {now} operator of {owner}; {held} are held for the list of those who act for it")
	}
}

/// An account that may act for another one.
#[derive(Serialize)]
struct Listed {
	account: AccountId,
	/// For how many blocks it has to announce each call before.
	delay: BlockNumber,
	kind: ProxyKind,
	/// What it can open.
	opens: Vec<Opens>,
}

/// A grant that an operator has.
#[derive(Serialize)]
struct Opens {
	expiry: BlockNumber,
	grant: u64,
	scope: Range,
}

impl fmt::Display for Listed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{}: {:?}", self.account, self.kind)?;
		match self.kind {
			ProxyKind::Sharing if self.delay == 0 => f.write_str(", an operator")?,
			_ => {}
		}
		if self.delay > 0 {
			let delay = count(self.delay, "block");
			write!(f, ", announces each call {delay} before")?;
		}
		for opens in &self.opens {
			let Opens {
				expiry,
				grant,
				scope,
			} = opens;
			write!(f, "\n  opens {scope} (grant {grant}, until block {expiry})")?;
		}
		Ok(())
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Box<dyn Report>, Error> {
	let needs_key = opts.uses() & KEY != 0;
	let context = &Context::connect_as(options, needs_key).await?;
	Ok(match opts.command {
		Command::Add { account } => Box::new(add(context, account).await?),
		Command::Remove { account } => Box::new(remove(context, account).await?),
		Command::List { owner } => Box::new(list(context, owner).await?),
	})
}

/// Names an operator.
async fn add(context: &Context, operator: AccountId) -> Result<Changed, Error> {
	let identity = context.identity().await?;
	let owner = *identity.id();
	let client = &context.client;
	let call = client.add_operator(&owner, &operator).await?;
	let block = context.send(&identity, &call).await?.number();
	if granted(&client.proven().await?, &owner, &operator)
		.await?
		.is_empty()
	{
		tell(format_args!(
			"it has no grant of yours that is final, so it can answer nothing yet: isthmus authorize --to {operator} --leaves FROM..TO"
		));
	}
	changed(context, (owner, operator), block, false).await
}

/// Ends what an operator may do.
async fn remove(context: &Context, operator: AccountId) -> Result<Changed, Error> {
	let identity = context.identity().await?;
	let owner = *identity.id();
	let client = &context.client;
	let mut calls = Vec::new();
	for proxy in client.best().await?.proxies(&owner).await? {
		if proxy.delegate == operator && proxy.proxy_type == ProxyKind::Sharing {
			calls.push(client.remove_operator(&operator, proxy.delay).await?);
		}
	}
	let none = || {
		Error::refused(format!("{operator} is no operator of {owner}"))
			.hint(format!("list them: isthmus operator list {owner}"))
	};
	let included = context.send_all(&identity, &calls).await?;
	let block = included.ok_or_else(none)?.number();
	let left = granted(&client.proven().await?, &owner, &operator).await?;
	for GrantEntry { id, .. } in &left {
		tell(format_args!(
			"it still has the keys of its grant {id}; so that it opens nothing that you store from now on: isthmus revoke {id}"
		));
	}
	changed(context, (owner, operator), block, true).await
}

/// Returns what to say after a change.
async fn changed(
	context: &Context,
	(owner, operator): (AccountId, AccountId),
	block: BlockNumber,
	removed: bool,
) -> Result<Changed, Error> {
	let best = context.client.best().await?;
	let (_, held) = best.proxies_and_deposit(&owner).await?;
	Ok(Changed {
		block,
		held: Amount(held),
		operator,
		owner,
		removed,
	})
}

/// Lists who may act for an account, in the finalized state.
async fn list(context: &Context, owner: Option<AccountId>) -> Result<Lines<Listed>, Error> {
	let owner = match owner {
		Some(owner) => owner,
		None => *context.identity().await?.id(),
	};
	let proven = context.client.proven().await?;
	let mut listed = Vec::new();
	for proxy in proven.proxies(&owner).await? {
		let grants = granted(&proven, &owner, &proxy.delegate).await?;
		let opens = grants.iter().map(|entry| Opens {
			expiry: entry.grant.expiry,
			grant: entry.id,
			scope: (&entry.grant.scope).into(),
		});
		listed.push(Listed {
			account: proxy.delegate,
			delay: proxy.delay,
			kind: proxy.proxy_type,
			opens: opens.collect(),
		});
	}
	if listed.is_empty() {
		tell(format_args!("no account acts for {owner}"));
	}
	Ok(Lines(listed))
}

/// Returns an account's active grants of an owner.
async fn granted(
	proven: &Proven,
	owner: &AccountId,
	reader: &AccountId,
) -> Result<Vec<GrantEntry>, Error> {
	let grants = proven.grants_from((owner, None), reader, Some(GrantState::Active));
	Ok(grants.await?)
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_sdk::{Scope, UNIT};

	#[test]
	fn who_acts_for_an_account_is_shown_with_what_it_opens() {
		let account = AccountId::from([1; 32]);
		let scope = Scope {
			dataset: 0,
			epoch: 2,
			from: 0,
			to: 10,
		};
		let opens = Opens {
			expiry: 900,
			grant: 4,
			scope: (&scope).into(),
		};
		let listed = |kind, delay, opens| Listed {
			account,
			delay,
			kind,
			opens,
		};
		let operator = listed(ProxyKind::Sharing, 0, vec![opens]);
		let range = Range::from(&scope);
		assert_eq!(
			operator.to_string(),
			format!("{account}: Sharing, an operator\n  opens {range} (grant 4, until block 900)")
		);
		let json = serde_json::to_value(&operator).unwrap();
		assert_eq!(
			(&json["kind"], &json["opens"][0]["grant"]),
			(&"Sharing".into(), &4.into())
		);
		let other = listed(ProxyKind::Any, 20, Vec::new()).to_string();
		assert_eq!(
			other,
			format!("{account}: Any, announces each call 20 blocks before")
		);
	}

	#[test]
	fn a_change_says_what_is_held() {
		let changed = |removed| {
			Changed {
				block: 7,
				held: Amount(UNIT / 8),
				operator: [1; 32].into(),
				owner: [2; 32].into(),
				removed,
			}
			.to_string()
		};
		let (operator, owner) = (AccountId::from([1; 32]), AccountId::from([2; 32]));
		assert_eq!(changed(false), format!("block 7: {operator} is an operator of {owner}; 0.125 IST are held for the list of those who act for it"));
		assert!(changed(true).contains("is no longer an operator of"));
	}
}
