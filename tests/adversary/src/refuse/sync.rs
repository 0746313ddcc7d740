// SPDX-License-Identifier: Apache-2.0

//! Cases for blocks from the future that the node meets when it syncs. A peer claims them as its best
//! chain when it connects, and announces nothing, so the node asks for their headers without the checks for
//! announcements. Whatever the node does with these blocks, an honest block that it hears of after them must not wait
//! until they are no longer from the future.

use super::{
	case::{Outcome, TIMEOUT},
	stage::Stage,
};
use crate::{
	error::AttackError,
	forge::{with_seal, Draft},
	maker::{Maker, Plan},
	network::import_chain,
	victim::{Log, Victim},
	wire::{announcement, Peer, PeerOptions, Served},
};
use isthmus_primitives::{
	digest::{PowHeader, Seal},
	AccountId, Hash, Header,
};
use isthmus_rules::{validate_seal_quick, Parent};
use polkadot_sdk::sp_runtime::OpaqueExtrinsic;
use std::time::{Duration, Instant};

/// How long the node may take to import an honest block while it has the forged blocks.
const HONEST_TIME: Duration = Duration::from_secs(30);
/// How many blocks longer than the node's chain the peer claims its chain to be. The node must not mine
/// that many while a case runs, but with many more it would consider itself in a major sync.
const AHEAD: usize = 4;

/// A chain of blocks from the future.
pub struct SyncCase {
	/// The name, in snake case.
	pub name: &'static str,
	/// How far in the future the first block is, in seconds.
	early: u64,
	/// Whether the blocks have a valid proof of work.
	sealed: bool,
}

/// All cases. A node accepts blocks up to 15 s ahead of its clock.
pub const CASES: &[SyncCase] = &[
	SyncCase {
		name: "synced_unsealed_from_the_future",
		early: 70,
		sealed: false,
	},
	SyncCase {
		name: "synced_sealed_from_the_future",
		early: 70,
		sealed: true,
	},
	SyncCase {
		name: "synced_sealed_from_the_far_future",
		early: 3600,
		sealed: true,
	},
];

/// Carries out one case. `maker` makes the honest block, so its chain must be the node's.
///
/// # Errors
///
/// Returns an error if the case could not be carried out.
pub async fn carry_out(
	victim: &Victim,
	log: &std::path::Path,
	stage: &Stage<'_>,
	case: &SyncCase,
	maker: &Maker,
) -> Result<Outcome, AttackError> {
	let mut log = Log::at_end(log)?;
	let honest = Served::default();
	let messenger = Peer::connect(PeerOptions {
		address: victim.address().clone(),
		handshake: victim.handshake(stage.best()),
		served: honest.clone(),
	})
	.await?;
	import_chain(maker, &messenger, stage.best().number).await?;

	let forged = forged(stage, case)?;
	let served = Served::default();
	for ancestor in stage.headers.iter().rev() {
		served.add(ancestor, &[]);
	}
	for (header, body) in &forged {
		served.add(header, body);
	}
	let (first, last) = (&forged[0].0, &forged[AHEAD - 1].0);
	let peer = Peer::connect(PeerOptions {
		address: victim.address().clone(),
		handshake: victim.handshake(last),
		served: served.clone(),
	})
	.await?;
	let connected = Instant::now();
	while served.requests().is_empty() {
		if connected.elapsed() > TIMEOUT {
			return Err(AttackError::NotFetched(first.number));
		}
		tokio::time::sleep(Duration::from_millis(20)).await;
	}

	// The node has the forged headers now, or will have them very soon.
	let (hash, announced) = honest_block(maker, stage.best().hash(), &honest)?;
	let started = Instant::now();
	messenger.announce(announced).await?;
	let mut imported = false;
	while !imported && started.elapsed() < HONEST_TIME {
		imported = victim.header(hash).await?.is_some();
		tokio::time::sleep(Duration::from_millis(20)).await;
	}

	let name = format!("block #{} ({})", first.number, first.hash());
	let (rule, wanted) = if case.sealed {
		(None, vec![name, "is from the future".into()])
	} else {
		let rule = "seal_above_boundary";
		let refused = format!("{name} is rejected: rule {rule} is violated");
		(Some(rule), vec![refused])
	};
	let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
	let logged = log.line_with(&wanted, TIMEOUT).await?;
	let disconnected = if case.sealed {
		peer.is_closed()
	} else {
		peer.closed_within(TIMEOUT).await
	};
	Ok(Outcome {
		case: case.name,
		rule,
		held: imported && logged.is_some() && disconnected != case.sealed,
		logged,
		disconnected,
	})
}

/// Forges a chain on the node's best block, with valid or broken seals.
fn forged(
	stage: &Stage<'_>,
	case: &SyncCase,
) -> Result<Vec<(Header, Vec<OpaqueExtrinsic>)>, AttackError> {
	let mut parent = stage.parents[0];
	let mut chain = Vec::new();
	for index in 0..AHEAD as u64 {
		let time = stage.now.saturating_add(case.early).saturating_add(index);
		let draft = Draft::child(&stage.params, &parent, time);
		let header = if case.sealed {
			stage.seal(&draft)?
		} else {
			badly_sealed(&draft)?
		};
		let read = PowHeader::read(&header).map_err(|_| AttackError::NotFetched(header.number))?;
		parent = Parent::of(&read);
		chain.push((header, draft.body));
	}
	Ok(chain)
}

/// Returns the draft's header with a seal that misses the boundary.
fn badly_sealed(draft: &Draft) -> Result<Header, AttackError> {
	let broken = |header: &Header| {
		PowHeader::read(header).is_ok_and(|read| validate_seal_quick(&read).is_err())
	};
	(0..u64::MAX)
		.map(|nonce| {
			let mix_hash = Hash::repeat_byte(0xff);
			with_seal(draft.unsealed(), Seal { mix_hash, nonce })
		})
		.find(broken)
		.ok_or(AttackError::NotFetched(draft.number))
}

/// Makes an honest block and serves it. Returns its hash and its announcement. The maker does not import
/// the block, because the node may by then have mined another block at that height.
fn honest_block(
	maker: &Maker,
	parent: Hash,
	served: &Served,
) -> Result<(Hash, Vec<u8>), AttackError> {
	let made = maker.make(Plan {
		parent,
		timestamp: maker.parent(parent)?.timestamp.saturating_add(1),
		beneficiary: AccountId::new([0x40; 32]),
		extra_data: b"honest".to_vec(),
		uncles: Vec::new(),
		extrinsics: Vec::new(),
	})?;
	served.add(&made.header, &made.body);
	let announced = announcement(&made.header, true, &[]);
	Ok((made.header.hash(), announced))
}
