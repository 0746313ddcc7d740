// SPDX-License-Identifier: Apache-2.0
//! `isthmus verify`: checks a receipt, without a node.

use crate::{
	error::{Error, Kind},
	input::read_at_most,
	options::Options,
	stderr::tell,
	text::date,
	trace::text,
};
use isthmus_sdk::{
	receipt::{Proved, Receipt},
	to_hex, Event,
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

/// Runs the command.
pub(crate) fn run(opts: &Opts, options: &Options) -> Result<Verified, Error> {
	let wrong = |error| {
		Error::new(
			Kind::NotAuthentic,
			format!("{}: {error}", opts.file.display()),
		)
	};
	let receipt = Receipt::read(&read_at_most(&opts.file, LONGEST, "a receipt")?).map_err(wrong)?;
	let trust = options.trust()?;
	let own = receipt.genesis();
	let (genesis, address) = match (trust.genesis, trust.address_of(&own.0)) {
		// What this machine remembers is not needed then.
		(Some(genesis), known) => (genesis, known.ok().flatten()),
		(None, Ok(Some(address))) => (own.0, Some(address)),
		(None, Ok(None)) => {
			return Err(Error::usage(format!(
				"the receipt is about a chain that is not known here: it begins with block {}",
				to_hex(&own.0)
			))
			.hint("if that is the right chain, name it: --genesis HASH or --chain-spec FILE"))
		}
		(None, Err(error)) => return Err(Error::failed(error)),
	};
	let proved = receipt.verify(genesis.into()).map_err(wrong)?;
	let event = Event::from_bytes(&proved.event.event).ok_or_else(|| {
		Error::failed("the event has a layout that this program does not know")
			.hint("install the program's release for this chain")
	})?;
	if proved.is_development {
		tell("warning: the chain's verifiers are development accounts, whose secrets are public: anyone can make such a receipt");
	}
	Ok(Verified {
		event,
		proved,
		genesis: to_hex(&genesis),
		address,
	})
}
