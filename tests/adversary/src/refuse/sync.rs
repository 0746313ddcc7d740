//! Blocks from the future that sync itself fetches: a peer claims them as its best chain when it
//! connects, and announces nothing. They come to the import queue without having passed the door of
//! announcements, and blocks there are checked one after the other: whatever the node does with them,
//! an honest block that comes after them must not wait for their time.

use super::{Outcome, Stage, PATIENCE};
use crate::{
	error::AttackError,
	forge::{with_seal, Draft},
	maker::{Maker, Plan},
	network::take_over,
	victim::{Log, Victim},
	wire::{announcement, Peer, PeerOptions, Served, HEADER_AND_BODY, HEADER_ONLY},
};
use isthmus_primitives::{
	digest::{PowHeader, Seal},
	AccountId, Hash, Header,
};
use isthmus_rules::{validate_seal_quick, Parent};
use polkadot_sdk::sp_runtime::OpaqueExtrinsic;
use std::time::{Duration, Instant};

/// How long an honest block may take that is announced meanwhile.
const HONEST_TIME: Duration = Duration::from_secs(10);
/// The blocks that the peer claims to be ahead: more than the node mines meanwhile, and no more than a
/// node may be behind without calling it a sync.
const AHEAD: usize = 4;

/// A chain of blocks from the future.
pub struct Case {
	/// In snake case.
	pub name: &'static str,
	/// How far in the future its first block is, in seconds.
	early: u64,
	/// Whether its blocks have a true proof of work.
	sealed: bool,
}

/// All cases. With 15 s a node's clock may differ.
pub const CASES: &[Case] = &[
	Case {
		name: "synced_unsealed_from_the_future",
		early: 70,
		sealed: false,
	},
	Case {
		name: "synced_sealed_from_the_future",
		early: 70,
		sealed: true,
	},
	Case {
		name: "synced_sealed_from_the_far_future",
		early: 3600,
		sealed: true,
	},
];

/// Carries out one case. The maker makes the honest block; its chain must be the node's.
///
/// # Errors
///
/// What keeps it from being carried out.
pub async fn carry_out(
	victim: &Victim,
	log: &std::path::Path,
	stage: &Stage<'_>,
	case: &Case,
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
	take_over(maker, &messenger, stage.best().number).await?;

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
	let asked = Instant::now();
	while !served
		.requests()
		.iter()
		.any(|request| request.fields & HEADER_AND_BODY != HEADER_ONLY)
	{
		if asked.elapsed() > PATIENCE {
			return Err(AttackError::NotFetched(first.number));
		}
		tokio::time::sleep(Duration::from_millis(20)).await;
	}

	// The node has its answer by now, or very soon. The honest block comes behind it.
	let (hash, announced) = honest_block(maker, stage.best().hash(), &honest)?;
	let started = Instant::now();
	messenger.announce(announced).await?;
	let mut imported = false;
	while !imported && started.elapsed() < HONEST_TIME {
		imported = victim.header(hash).await?.is_some();
		tokio::time::sleep(Duration::from_millis(20)).await;
	}

	let named = format!("block #{} ({})", first.number, first.hash());
	let (rule, wanted) = if case.sealed {
		(None, vec![named, "is from the future".into()])
	} else {
		let rule = "seal_above_boundary";
		let refused = format!("{named} is rejected: rule {rule} is violated");
		(Some(rule), vec![refused])
	};
	let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
	let logged = log.line_with(&wanted, PATIENCE).await?;
	let disconnected = if case.sealed {
		peer.is_closed()
	} else {
		peer.closed_within(PATIENCE).await
	};
	Ok(Outcome {
		case: case.name,
		rule,
		held: imported && logged.is_some() && disconnected != case.sealed,
		logged,
		disconnected,
	})
}

/// A chain on the node's best block. Without a proof of work, its first block's seal is any that is no
/// seal.
fn forged(
	stage: &Stage<'_>,
	case: &Case,
) -> Result<Vec<(Header, Vec<OpaqueExtrinsic>)>, AttackError> {
	let mut parent = stage.parents[0];
	let mut chain = Vec::new();
	for index in 0..AHEAD as u64 {
		let time = stage.now.saturating_add(case.early).saturating_add(index);
		let draft = Draft::child(&stage.params, &parent, time);
		let header = if case.sealed {
			stage.seal(&draft)?
		} else {
			unsealed(&draft)?
		};
		let read = PowHeader::read(&header).map_err(|_| AttackError::NotFetched(header.number))?;
		parent = Parent::of(&read);
		chain.push((header, draft.body));
	}
	Ok(chain)
}

/// The header with a seal whose result is above the boundary.
fn unsealed(draft: &Draft) -> Result<Header, AttackError> {
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

/// A block that keeps every rule, served, and its announcement. The maker does not keep it: the node may
/// have mined another in its place.
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
