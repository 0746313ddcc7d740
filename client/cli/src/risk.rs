//! `isthmus risk`: the odds that a forged chain overtakes the true one.

use crate::error::Error;
use isthmus_security::{algorithm_3, equation_3, exact, Share};

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "Example: isthmus risk --share 0.1 --depth 6")]
pub(crate) struct Opts {
	/// The attacker's share of all computing power, q: above 0, below 1.
	#[arg(long)]
	share: f64,

	/// How many blocks deep the block in question lies, z.
	#[arg(long)]
	depth: u32,
}

/// Prints the odds by Eq. 3, by Algorithm 3 and exactly.
pub(crate) fn run(opts: Opts, json: bool) -> Result<(), Error> {
	let share = Share::new(opts.share).map_err(Error::usage)?;
	let (equation, algorithm, exact) = (
		equation_3(share, opts.depth),
		algorithm_3(opts.share, opts.depth),
		exact(share, opts.depth),
	);
	if json {
		println!(
			"{}",
			serde_json::json!({"equation3": equation, "algorithm3": algorithm, "exact": exact})
		);
	} else {
		println!("Eq. 3        {equation:e}\nAlgorithm 3  {algorithm:e}\nexact        {exact:e}");
	}
	Ok(())
}
