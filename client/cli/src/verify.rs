// SPDX-License-Identifier: Apache-2.0
//! `isthmus verify`: checks a receipt, without a node.

use crate::{
	error::{Error, Kind},
	input::read_at_most,
	keepers::ListedKeeper,
	options::Options,
	report::Report,
	stderr::tell,
	text::{count, date},
	trace::text,
};
use isthmus_sdk::{
	receipt::{kept, uncounted, KeeperReceipt, Proved, ProvedKeeper, Receipt, ReceiptError},
	to_hex, AccountId, Event,
};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::{fmt, path::PathBuf};

/// The longest receipt that is read, in bytes. A change of a hundred verifiers takes about 15 KiB.
const LONGEST: u64 = 64 << 20;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
The receipt proves the event only on its chain. Name the chain with --genesis or --chain-spec,
unless you have used it before on this machine. Take the hash from someone you trust, and not from
the receipt.

Examples:
  isthmus verify grant.receipt
  isthmus verify grant.receipt --chain-spec isthmus.json")]
pub(crate) struct Opts {
	/// Receipt, or - for stdin
	file: PathBuf,
}

/// An event that a receipt proves.
pub(crate) struct Verified {
	event: Event,
	proved: Proved,
	genesis: String,
	/// An address at which this machine knows the chain.
	address: Option<String>,
}

impl Verified {
	fn hash(&self) -> String {
		to_hex(self.proved.header.hash().as_bytes())
	}
}

impl Serialize for Verified {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		let mut json = self.event.to_json();
		if let Value::Object(fields) = &mut json {
			let Proved {
				header,
				index,
				event,
				is_development,
			} = &self.proved;
			fields.insert("address".into(), self.address.clone().into());
			fields.insert("block".into(), header.number.into());
			fields.insert("development".into(), (*is_development).into());
			fields.insert("genesis".into(), self.genesis.clone().into());
			fields.insert("hash".into(), self.hash().into());
			fields.insert("number".into(), (*index).into());
			fields.insert("timestamp".into(), self.proved.timestamp().into());
			fields.insert("transaction".into(), event.transaction.into());
		}
		json.serialize(serializer)
	}
}

impl fmt::Display for Verified {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Proved {
			header,
			index,
			event,
			..
		} = &self.proved;
		writeln!(f, "event  {}", text(&self.event))?;
		write!(f, "place  event {index} of block {}", header.number)?;
		if let Some(transaction) = event.transaction {
			write!(f, ", transaction {transaction}")?;
		}
		if let Some(timestamp) = self.proved.timestamp() {
			write!(f, "\ndate   {}", date(timestamp))?;
		}
		write!(f, "\nblock  {}", self.hash())?;
		write!(f, "\nchain  {}", self.genesis)?;
		match &self.address {
			Some(address) => write!(f, ", at {address}"),
			None => Ok(()),
		}
	}
}

/// What a keeper's receipt proves.
pub(crate) struct VerifiedKeeper {
	keeper: ListedKeeper,
	proved: ProvedKeeper,
	genesis: String,
	/// An address at which this machine knows the chain.
	address: Option<String>,
}

impl VerifiedKeeper {
	fn hash(&self) -> String {
		to_hex(self.proved.header.hash().as_bytes())
	}

	/// Returns how many periods since the last one that is counted are over; `None` if that is not proven.
	fn uncounted(&self) -> Option<u32> {
		uncounted(&self.proved, self.keeper.settled())
	}
}

/// Says how many periods since the last one that is counted are over. The chain counts a period that was missed only when the
/// keeper proves, leaves or is reported.
fn not_counted(uncounted: Option<u32>, settled: u32) -> Option<String> {
	match uncounted {
		Some(0) => None,
		Some(1) => Some("1 period since is not counted".into()),
		Some(periods) => Some(format!(
			"{} since are not counted",
			count(periods, "period")
		)),
		None => Some(format!("periods after period {settled} are not counted")),
	}
}

impl Serialize for VerifiedKeeper {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		let mut json = serde_json::to_value(&self.keeper).map_err(serde::ser::Error::custom)?;
		if let Value::Object(fields) = &mut json {
			let proved = &self.proved;
			let owner = AccountId::from(proved.owner).to_string();
			fields.insert("address".into(), self.address.clone().into());
			fields.insert("block".into(), proved.header.number.into());
			fields.insert("development".into(), proved.is_development.into());
			fields.insert("genesis".into(), self.genesis.clone().into());
			fields.insert("hash".into(), self.hash().into());
			fields.insert("owner".into(), owner.into());
			fields.insert("periodLength".into(), proved.period_length.into());
			fields.insert("timestamp".into(), proved.timestamp().into());
			fields.insert("uncounted".into(), self.uncounted().into());
		}
		json.serialize(serializer)
	}
}

impl fmt::Display for VerifiedKeeper {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { keeper, proved, .. } = self;
		writeln!(f, "keeper {}", keeper.account())?;
		write!(f, "       {}", keeper.standing())?;
		if let Some(text) = not_counted(self.uncounted(), keeper.settled()) {
			write!(f, "; {text}")?;
		}
		writeln!(f)?;
		writeln!(f, "owner  {}", AccountId::from(proved.owner))?;
		write!(f, "place  the state after block {}", proved.header.number)?;
		if let Some(timestamp) = proved.timestamp() {
			write!(f, "\ndate   {}", date(timestamp))?;
		}
		write!(f, "\nblock  {}", self.hash())?;
		write!(f, "\nchain  {}", self.genesis)?;
		match &self.address {
			Some(address) => write!(f, ", at {address}"),
			None => Ok(()),
		}
	}
}

/// Runs the command.
pub(crate) fn run(opts: &Opts, options: &Options) -> Result<Box<dyn Report>, Error> {
	let bytes = read_at_most(&opts.file, LONGEST, "a receipt")?;
	Ok(match KeeperReceipt::is_one(&bytes) {
		true => Box::new(of_keeper(opts, options, &bytes)?),
		false => Box::new(of_event(opts, options, &bytes)?),
	})
}

/// Returns the error of a receipt that proves nothing.
fn wrong(opts: &Opts, error: ReceiptError) -> Error {
	let words = format!("{}: {error}", opts.file.display());
	Error::new(Kind::NotAuthentic, words)
}

/// Returns the hash of the first block of the chain that a receipt has to be about, and an address at which this machine knows
/// that chain. The receipt says that it is about the chain that begins with the block `own`.
fn chain(options: &Options, own: [u8; 32]) -> Result<([u8; 32], Option<String>), Error> {
	let trust = options.trust()?;
	match (trust.genesis, trust.address_of(&own)) {
		// What this machine remembers is not needed then.
		(Some(genesis), known) => Ok((genesis, known.ok().flatten())),
		(None, Ok(Some(address))) => Ok((own, Some(address))),
		(None, Ok(None)) => Err(Error::usage(format!(
			"the receipt is about a chain that is not known here: it begins with block {}",
			to_hex(&own)
		))
		.hint("if that is the right chain, name it: --genesis HASH or --chain-spec FILE")),
		(None, Err(error)) => Err(Error::failed(error)),
	}
}

/// Warns of a chain on which anyone can make receipts.
fn warn(is_development: bool) {
	if is_development {
		tell("warning: the chain's verifiers are development accounts, whose secrets are public: anyone can make such a receipt");
	}
}

/// Checks the receipt of a keeper.
fn of_keeper(opts: &Opts, options: &Options, bytes: &[u8]) -> Result<VerifiedKeeper, Error> {
	let receipt = KeeperReceipt::read(bytes).map_err(|error| wrong(opts, error))?;
	let (genesis, address) = chain(options, receipt.genesis().0)?;
	let proved = receipt.verify(genesis.into());
	let proved = proved.map_err(|error| wrong(opts, error))?;
	let keeper = kept(&proved)?.into();
	warn(proved.is_development);
	Ok(VerifiedKeeper {
		keeper,
		proved,
		genesis: to_hex(&genesis),
		address,
	})
}

/// Checks the receipt of an event.
fn of_event(opts: &Opts, options: &Options, bytes: &[u8]) -> Result<Verified, Error> {
	let receipt = Receipt::read(bytes).map_err(|error| wrong(opts, error))?;
	let (genesis, address) = chain(options, receipt.genesis().0)?;
	let proved = receipt.verify(genesis.into());
	let proved = proved.map_err(|error| wrong(opts, error))?;
	let event = Event::from_bytes(&proved.event.event).ok_or_else(|| {
		Error::failed("the event has a layout that this program does not know")
			.hint("install the program's release for this chain")
	})?;
	warn(proved.is_development);
	Ok(Verified {
		event,
		proved,
		genesis: to_hex(&genesis),
		address,
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_a_receipt_does_not_count_is_said() {
		assert_eq!(not_counted(Some(0), 7), None);
		let said = |uncounted| not_counted(uncounted, 7).unwrap_or_default();
		assert_eq!(said(Some(1)), "1 period since is not counted");
		assert_eq!(said(Some(3)), "3 periods since are not counted");
		assert_eq!(said(None), "periods after period 7 are not counted");
	}
}
