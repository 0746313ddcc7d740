//! Blocks that break one rule each, offered to a node by a peer: the node must refuse every one, name
//! the rule in its log, and part with the peer where it is at fault.
//!
//! Every forged block keeps all the other rules and has a true proof of work, unless the seal is what
//! is broken, so nothing but the rule in question can be what the node refuses. The cases' names are
//! those of the Ethereum test suite's invalid blocks where there is such a case.
//!
//! The node must not finalize meanwhile (`--no-grandpa`), or an answer may be that finality has passed
//! the forged block; and must log what it leaves aside (`-l pow=debug`).

mod body;
mod header;
mod message;
mod stage;
pub mod sync;

pub use stage::{Offer, Stage};

use crate::{
	error::AttackError,
	victim::{Log, Victim},
	wire::{Peer, PeerOptions, Served},
};
use serde::Serialize;
use std::{path::Path, time::Duration};

/// How long a node may take to refuse a block.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection must stay open to count as kept.
const KEPT_FOR: Duration = Duration::from_millis(1500);

/// What the node must do with an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
	/// Refuse it, name this rule and say this in its log, and close the connection.
	Refused(&'static str, &'static str),
	/// Close the connection, for something that is no block and has no rule.
	Closed,
	/// Say this in its log, and keep the connection: nobody is to blame yet.
	LeftAside(&'static str),
	/// Refuse it at execution, saying this in its log; twice from the same peer is not borne.
	NotExecuted(&'static str),
}

/// One attack: its name, what it makes of the chain, and what must come of it.
pub struct Case {
	/// In snake case.
	pub name: &'static str,
	/// What is offered to the node; `None` where the chain has no such case (a difficulty under D(H),
	/// where every block has D_0).
	pub make: fn(&Stage<'_>) -> Result<Option<Offer>, AttackError>,
	/// What the node must do.
	pub expected: Expected,
}

/// What came of a case.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
	/// The case's name.
	pub case: &'static str,
	/// The rule that must be named, where one must.
	#[serde(skip_serializing_if = "Option::is_none")]
	pub rule: Option<&'static str>,
	/// The log's line.
	pub logged: Option<String>,
	/// Whether the node closed the connection.
	pub disconnected: bool,
	/// Whether the node did what it must.
	pub held: bool,
}

/// All cases.
pub fn cases() -> impl Iterator<Item = &'static Case> {
	header::CASES
		.iter()
		.chain(message::CASES)
		.chain(body::CASES)
}

/// Carries out one case. `None` where the chain has no such case.
///
/// # Errors
///
/// What keeps it from being carried out.
pub async fn carry_out(
	victim: &Victim,
	log: &Path,
	stage: &Stage<'_>,
	case: &Case,
) -> Result<Option<Outcome>, AttackError> {
	let Some(offer) = (case.make)(stage)? else {
		return Ok(None);
	};
	let mut log = Log::at_end(log)?;
	let served = Served::default();
	// Who asks for our ancestors gets them, as from any peer.
	for ancestor in stage.headers.iter().rev() {
		served.add(ancestor, &[]);
	}
	if let Offer::Block { header, body } = &offer {
		served.add(header, body);
	}
	let peer = Peer::connect(PeerOptions {
		address: victim.address().clone(),
		handshake: victim.handshake(stage.best()),
		served,
	})
	.await?;
	peer.announce(offer.announcement()).await?;

	let named = offer.named();
	let (rule, wanted) = match case.expected {
		Expected::Refused(rule, says) => {
			let refused = format!("{named} is rejected: rule {rule} is violated");
			(Some(rule), vec![refused, says.into()])
		}
		Expected::LeftAside(says) => (None, vec![says.into()]),
		Expected::NotExecuted(says) => (None, vec![says.into()]),
		Expected::Closed => (None, Vec::new()),
	};
	let logged = if wanted.is_empty() {
		None
	} else {
		let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
		log.line_with(&wanted, PATIENCE).await?
	};
	let (disconnected, held) = match case.expected {
		Expected::Refused(..) | Expected::NotExecuted(_) => {
			let closed = peer.closed_within(PATIENCE).await;
			(closed, closed && logged.is_some())
		}
		Expected::Closed => {
			let closed = peer.closed_within(PATIENCE).await;
			(closed, closed)
		}
		Expected::LeftAside(_) => {
			let closed = peer.closed_within(KEPT_FOR).await;
			(closed, !closed && logged.is_some())
		}
	};
	Ok(Some(Outcome {
		case: case.name,
		rule,
		logged,
		disconnected,
		held,
	}))
}
