// SPDX-License-Identifier: Apache-2.0
//! `isthmus verify`: checks a receipt, without a node.

use crate::{
	error::{Error, Kind},
	input::read_at_most,
	keepers::ListedKeeper,
	options::Options,
	stderr::tell,
	text::{count, date},
	trace::text,
};
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::{
	receipt::{
		kept, uncounted, Content, EventProof, KeeperEntry, KeeperProof, KeeperReceipt, PlacedEvent,
		Proved, Receipt, ReceiptError,
	},
	to_hex, AccountId, Event,
};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt, path::PathBuf};

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

/// What a receipt proves, as it is shown.
pub(crate) struct Verified {
	/// The lines up to the block's number.
	lines: String,
	/// The date of the block.
	timestamp: Option<u64>,
	hash: String,
	genesis: String,
	/// An address at which this machine knows the chain.
	address: Option<String>,
	json: Map<String, Value>,
}

impl Serialize for Verified {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		self.json.serialize(serializer)
	}
}

impl fmt::Display for Verified {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(&self.lines)?;
		if let Some(timestamp) = self.timestamp {
			write!(f, "\ndate   {}", date(timestamp))?;
		}
		write!(f, "\nblock  {}", self.hash)?;
		write!(f, "\nchain  {}", self.genesis)?;
		match &self.address {
			Some(address) => write!(f, ", at {address}"),
			None => Ok(()),
		}
	}
}

/// What a kind of receipt shows of its own.
struct Shown {
	/// The lines up to the block's number.
	lines: String,
	/// The fields that other commands show, too.
	json: Value,
	/// The fields that only this command shows.
	more: Vec<(&'static str, Value)>,
}

/// Shows an event.
fn event(proved: &Proved<PlacedEvent>) -> Result<Shown, Error> {
	let PlacedEvent {
		index,
		event: placed,
	} = &proved.what;
	let event = Event::from_bytes(&placed.event).ok_or_else(|| {
		Error::failed("the event has a layout that this program does not know")
			.hint("install the program's release for this chain")
	})?;
	let transaction = placed
		.transaction
		.map(|number| format!(", transaction {number}"));
	Ok(Shown {
		lines: format!(
			"event  {}\nplace  event {index} of block {}{}",
			text(&event),
			proved.header.number,
			transaction.unwrap_or_default()
		),
		json: event.to_json(),
		more: vec![
			("number", (*index).into()),
			("transaction", placed.transaction.into()),
		],
	})
}

/// Shows a keeper.
fn keeper(proved: &Proved<KeeperEntry>) -> Result<Shown, Error> {
	let keeper = ListedKeeper::from(kept(proved)?);
	let uncounted = uncounted(proved, keeper.settled());
	let not_counted = not_counted(uncounted, keeper.settled()).map(|text| format!("; {text}"));
	let owner = AccountId::from(proved.what.owner).to_string();
	Ok(Shown {
		lines: format!(
			"keeper {}\n       {}{}\nowner  {owner}\nplace  the state after block {}",
			keeper.account(),
			keeper.standing(),
			not_counted.unwrap_or_default(),
			proved.header.number
		),
		json: serde_json::to_value(&keeper).map_err(Error::failed)?,
		more: vec![
			("owner", owner.into()),
			("periodLength", proved.what.period_length.into()),
			("uncounted", uncounted.into()),
		],
	})
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

/// Runs the command.
pub(crate) fn run(opts: &Opts, options: &Options) -> Result<Verified, Error> {
	let bytes = read_at_most(&opts.file, LONGEST, "a receipt")?;
	match KeeperReceipt::is_one(&bytes) {
		true => verify::<KeeperProof>(opts, options, &bytes, keeper),
		false => verify::<EventProof>(opts, options, &bytes, event),
	}
}

/// Checks a receipt, and shows what it proves.
fn verify<C: Content>(
	opts: &Opts,
	options: &Options,
	bytes: &[u8],
	show: fn(&Proved<C::Proves>) -> Result<Shown, Error>,
) -> Result<Verified, Error> {
	let wrong = |error: ReceiptError| {
		let words = format!("{}: {error}", opts.file.shown());
		Error::new(Kind::NotAuthentic, words)
	};
	let receipt = Receipt::<C>::read(bytes).map_err(wrong)?;
	let (genesis, address) = chain(options, receipt.genesis().0)?;
	let proved = receipt.verify(genesis.into()).map_err(wrong)?;
	let Shown { lines, json, more } = show(&proved)?;
	if proved.is_development {
		tell("warning: the chain's verifiers are development accounts, whose secrets are public: anyone can make such a receipt");
	}
	let (hash, genesis) = (to_hex(proved.header.hash().as_bytes()), to_hex(&genesis));
	let timestamp = proved.timestamp();
	// In the order of their names, as the fields of all reports.
	let mut fields = BTreeMap::from([
		("address", Value::from(address.clone())),
		("block", proved.header.number.into()),
		("development", proved.is_development.into()),
		("genesis", genesis.clone().into()),
		("hash", hash.clone().into()),
		("timestamp", timestamp.into()),
	]);
	fields.extend(more);
	let mut json = match json {
		Value::Object(json) => json,
		_ => Map::new(),
	};
	json.extend(
		fields
			.into_iter()
			.map(|(name, value)| (name.to_owned(), value)),
	);
	Ok(Verified {
		lines,
		timestamp,
		hash,
		genesis,
		address,
		json,
	})
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
