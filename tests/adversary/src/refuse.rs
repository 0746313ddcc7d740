// SPDX-License-Identifier: Apache-2.0

//! A peer offers a node blocks that break one rule each. The node must refuse every one of them, name the rule in
//! its log, and disconnect the peer if it is at fault.
//!
//! Every forged block obeys all the other rules and has a valid proof of work (unless the seal itself is
//! what is broken), so the node can only refuse it for the rule in question. If the Ethereum test suite
//! contains the same invalid block, the case has the name that the block has there.
//!
//! The node must not finalize blocks during the attack (`--no-grandpa`), or it may refuse a forged block because
//! finality has overtaken it. It must also log what it ignores (`-l pow=debug`).

mod body;
mod case;
mod header;
mod message;
mod offer;
mod stage;
pub mod sync;

pub use case::{Case, Expected, Offered, Outcome};
pub use offer::Offer;
pub use stage::Stage;

use crate::{
	error::AttackError,
	victim::{Log, Victim},
	wire::{Peer, PeerOptions, Served},
};
use case::TIMEOUT;
use std::{path::Path, time::Duration};

/// How long a connection must stay open for us to conclude that the node kept it.
const KEPT_FOR: Duration = Duration::from_millis(1500);

/// Returns all cases.
pub fn cases() -> impl Iterator<Item = &'static Case> {
	header::CASES
		.iter()
		.chain(message::CASES)
		.chain(body::CASES)
}

/// Carries out one case. Returns `None` if the case does not apply to the chain.
///
/// # Errors
///
/// Returns an error if the case could not be carried out.
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
	// Serve the block's ancestors too, because the node may request them, as it would from any peer.
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

	let name = offer.log_name();
	let (rule, wanted) = match case.expected {
		Expected::Refused(rule, text) => {
			let refused = format!("{name} is rejected: rule {rule} is violated");
			(Some(rule), vec![refused, text.into()])
		}
		Expected::Ignored(text) | Expected::NotExecuted(text) => (None, vec![text.into()]),
		Expected::Closed => (None, Vec::new()),
	};
	let logged = if wanted.is_empty() {
		None
	} else {
		let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
		log.line_with(&wanted, TIMEOUT).await?
	};
	let (disconnected, held) = match case.expected {
		Expected::Refused(..) | Expected::NotExecuted(_) => {
			let closed = peer.closed_within(TIMEOUT).await;
			(closed, closed && logged.is_some())
		}
		Expected::Closed => {
			let closed = peer.closed_within(TIMEOUT).await;
			(closed, closed)
		}
		Expected::Ignored(_) => {
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
