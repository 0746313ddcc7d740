//! `isthmus risk`: the odds that a forged chain overtakes the true one (section IV.B of the paper), the
//! depth that a risk calls for, a simulation of the race, and Fig. 5.
//!
//! The numbers are [`isthmus_security`]'s. The picture is in [`crate::plot`].

use crate::{context, error::Error, plot};
use indicatif::{ProgressBar, ProgressStyle};
use isthmus_security::{
	algorithm_3, depth, equation_3, exact, Confidence, DepthError, Model, Race, Risk, Share,
	MAX_DEPTH,
};
use serde::Serialize;
use std::{fmt, path::PathBuf, str::FromStr};

/// The greatest depth of a table: Algorithm 3's time grows with its square.
const MAX_TABLE_DEPTH: u32 = 1000;
/// Of the intervals that are shown.
const CONFIDENCE: Confidence = Confidence::P999;
/// The seed of a simulation that was given none.
const DEFAULT_SEED: u64 = 1;

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  isthmus risk --share 0.1 --depth 0..10
  isthmus risk --share 0.1,0.3 --risk 0.001
  isthmus risk --share 0.3 --risk 0.001 --interval chain --url ws://127.0.0.1:9944
  isthmus risk --share 0.3 --depth 2,5 --simulate 1000000
  isthmus risk --share 0.1,0.3 --plot odds.svg")]
pub(crate) struct Opts {
	/// The attacker's share of all computing power, q, from 0 to 1; more than one with commas.
	#[arg(long, value_name = "Q", value_delimiter = ',', default_value = "0.1,0.3", value_parser = share)]
	share: Vec<Share>,

	/// How many blocks the attacker is behind, z: a number, or a range such as 0..10, both ends
	/// included; more than one with commas [default: 0..10, and 0..50 in a plot].
	#[arg(long, value_name = "Z", value_delimiter = ',')]
	depth: Vec<Depths>,

	/// Asks the other way round: the least depth at which the odds are under this risk, and the time
	/// that it takes.
	#[arg(long, value_name = "ODDS", value_parser = risk, conflicts_with_all = ["depth", "simulate", "plot"])]
	risk: Option<Risk>,

	/// The mean time between two blocks, for the time that a depth takes: in seconds, or the word
	/// "chain" for that of the last 100 blocks of the node at --url.
	#[arg(long, value_name = "SECONDS", default_value = "15")]
	interval: Interval,

	/// Runs the attack by the toss of a coin, so many times for each line of the table.
	#[arg(long, value_name = "TRIALS", value_parser = clap::value_parser!(u64).range(1..))]
	simulate: Option<u64>,

	/// What the simulation's random numbers are made from: the same seed gives the same figures. Each
	/// line's seed is one more than the line's before [default: 1].
	#[arg(long, requires = "simulate")]
	seed: Option<u64>,

	/// Draws the odds in place of a table, into a file that ends in .svg or .png. With - it is SVG on
	/// stdout.
	#[arg(long, value_name = "FILE")]
	plot: Option<PathBuf>,

	/// Adds what was measured to the plot: a file with a JSON object a line, of share, depth, trials
	/// and successes.
	#[arg(long, value_name = "FILE", requires = "plot")]
	measured: Option<PathBuf>,
}

/// Depths as they are asked for: one, or a range with both its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Depths {
	first: u32,
	last: u32,
}

impl FromStr for Depths {
	type Err = String;

	fn from_str(text: &str) -> Result<Self, String> {
		let (first, last) = text.split_once("..").unwrap_or((text, text));
		let number = |text: &str| {
			let wrong = || format!("'{text}' is no number of blocks from 0 to {MAX_TABLE_DEPTH}");
			let depth: u32 = text.parse().map_err(|_| wrong())?;
			if depth <= MAX_TABLE_DEPTH {
				Ok(depth)
			} else {
				Err(format!("{}; for what is deeper ask with --risk", wrong()))
			}
		};
		let (first, last) = (number(first)?, number(last)?);
		if first <= last {
			Ok(Self { first, last })
		} else {
			Err(format!("the range ends, at {last}, before it begins"))
		}
	}
}

fn share(text: &str) -> Result<Share, String> {
	let q = text.parse().map_err(|_| "it is no number".to_string())?;
	Share::new(q).map_err(|error| error.to_string())
}

fn risk(text: &str) -> Result<Risk, String> {
	let odds = text.parse().map_err(|_| "it is no number".to_string())?;
	Risk::new(odds).map_err(|error| error.to_string())
}

/// The time between two blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Interval {
	/// It is given.
	Seconds(f64),
	/// It is measured by a node.
	Chain,
}

impl FromStr for Interval {
	type Err = String;

	fn from_str(text: &str) -> Result<Self, String> {
		match text.parse() {
			_ if text == "chain" => Ok(Self::Chain),
			Ok(seconds) if seconds > 0.0 && f64::is_finite(seconds) => Ok(Self::Seconds(seconds)),
			_ => Err("it is a number of seconds above 0, or the word \"chain\"".to_string()),
		}
	}
}

impl Interval {
	/// In seconds.
	fn seconds(self, options: context::Options) -> Result<f64, Error> {
		match self {
			Self::Seconds(seconds) => Ok(seconds),
			Self::Chain => tokio::runtime::Builder::new_current_thread()
				.enable_all()
				.build()
				.map_err(Error::failed)?
				.block_on(measured_interval(options)),
		}
	}
}

/// What the node says of its last blocks.
async fn measured_interval(options: context::Options) -> Result<f64, Error> {
	let client = options.connect().await?.client;
	// Of the best block; the share is of no matter for the interval.
	let params = isthmus_sdk::rpc_params![(), 0.1];
	let report: serde_json::Value = client.request("isthmus_risk", params).await?;
	report["blockInterval"].as_f64().ok_or_else(|| {
		Error::failed("the chain is too short to tell the time between its blocks")
			.hint("give it in seconds: --interval 15")
	})
}

/// A line of the table.
#[derive(Serialize)]
struct Line {
	share: f64,
	depth: u32,
	#[serde(rename = "equation3")]
	equation_3: f64,
	#[serde(rename = "algorithm3")]
	algorithm_3: f64,
	exact: f64,
	#[serde(skip_serializing_if = "Option::is_none")]
	simulated: Option<Simulated>,
}

/// What a simulation came to.
#[derive(Serialize)]
struct Simulated {
	trials: u64,
	successes: u64,
	seed: u64,
	rate: f64,
	/// The interval's ends.
	low: f64,
	high: f64,
	confidence: f64,
}

/// Prints the table or the depths, or draws the plot.
pub(crate) fn run(opts: Opts, options: context::Options) -> Result<(), Error> {
	let json = options.json;
	if let Some(risk) = opts.risk {
		let interval = opts.interval.seconds(options)?;
		return print_depths(&opts.share, risk, interval, json);
	}
	let lines = lines(&opts)?;
	match &opts.plot {
		Some(file) => {
			let measured = match &opts.measured {
				Some(file) => plot::read_measured(file, CONFIDENCE)?,
				None => Vec::new(),
			};
			plot::draw(file, &curves(&opts.share, &lines), &measured)
		}
		None if json => lines.iter().try_for_each(print_json),
		None => {
			print_table(&opts.share, &lines);
			Ok(())
		}
	}
}

/// The depths that were asked for, or those that are shown otherwise.
fn depths(opts: &Opts) -> Vec<u32> {
	let default = Depths {
		first: 0,
		last: if opts.plot.is_some() { 50 } else { 10 },
	};
	let asked = match opts.depth.as_slice() {
		[] => &[default],
		asked => asked,
	};
	let mut depths: Vec<u32> = asked.iter().flat_map(|d| d.first..=d.last).collect();
	depths.sort_unstable();
	depths.dedup();
	depths
}

fn lines(opts: &Opts) -> Result<Vec<Line>, Error> {
	let depths = depths(opts);
	let asked: Vec<(Share, u32)> = opts
		.share
		.iter()
		.flat_map(|&share| depths.iter().map(move |&depth| (share, depth)))
		.collect();
	let simulated = match opts.simulate {
		Some(trials) => simulate(&asked, trials, opts.seed.unwrap_or(DEFAULT_SEED))?,
		None => asked.iter().map(|_| None).collect(),
	};
	Ok(asked
		.into_iter()
		.zip(simulated)
		.map(|((share, depth), simulated)| Line {
			share: share.attacker(),
			depth,
			equation_3: equation_3(share, depth),
			algorithm_3: algorithm_3(share.attacker(), depth),
			exact: exact(share, depth),
			simulated,
		})
		.collect())
}

/// Runs the race of each line, with a bar on a terminal's stderr.
fn simulate(
	asked: &[(Share, u32)],
	trials: u64,
	seed: u64,
) -> Result<Vec<Option<Simulated>>, Error> {
	let races = asked
		.iter()
		.map(|&(share, depth)| Race::new(Model::Exact, share, depth, trials))
		.collect::<Result<Vec<_>, _>>()
		.map_err(|error| Error::usage(error).hint("leave --simulate out for the formulas alone"))?;
	let bar = ProgressBar::new(trials.saturating_mul(asked.len() as u64)).with_style(
		ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} attacks, {eta} left")
			.unwrap_or_else(|_| ProgressStyle::default_bar()),
	);
	let simulated = races
		.into_iter()
		.zip(0..)
		.map(|(race, line)| {
			let seed = seed.wrapping_add(line);
			let outcome = race.run(seed, |more| bar.inc(more));
			let interval = outcome.interval(CONFIDENCE);
			Some(Simulated {
				trials,
				successes: outcome.successes,
				seed,
				rate: outcome.rate(),
				low: interval.low,
				high: interval.high,
				confidence: CONFIDENCE.level(),
			})
		})
		.collect();
	bar.finish_and_clear();
	Ok(simulated)
}

/// The lines of each share as the plot has them.
fn curves(shares: &[Share], lines: &[Line]) -> Vec<plot::Curve> {
	let of = |share: Share| {
		lines
			.iter()
			.filter(move |line| line.share == share.attacker())
	};
	let point = |line: &Line, odds: f64| (f64::from(line.depth), odds);
	shares
		.iter()
		.map(|&share| plot::Curve {
			share: share.attacker(),
			exact: of(share).map(|line| point(line, line.exact)).collect(),
			paper: of(share).map(|line| point(line, line.equation_3)).collect(),
			simulated: of(share)
				.filter_map(|line| {
					let Simulated {
						rate, low, high, ..
					} = line.simulated.as_ref()?;
					Some(plot::Point {
						depth: line.depth,
						rate: *rate,
						low: *low,
						high: *high,
					})
				})
				.collect(),
		})
		.collect()
}

fn print_json(value: &impl Serialize) -> Result<(), Error> {
	println!("{}", serde_json::to_string(value).map_err(Error::failed)?);
	Ok(())
}

fn print_table(shares: &[Share], lines: &[Line]) {
	for (i, share) in shares.iter().enumerate() {
		if i > 0 {
			println!();
		}
		println!("q = {}", share.attacker());
		let simulated = lines.iter().any(|line| line.simulated.is_some());
		let title = format!("simulated, {} % interval", 100.0 * CONFIDENCE.level());
		let title = if simulated { title.as_str() } else { "" };
		print_row("z", "Eq. 3", "Algorithm 3", "exact", title);
		for line in lines.iter().filter(|line| line.share == share.attacker()) {
			let simulated = line.simulated.as_ref().map_or(String::new(), |s| {
				format!("{}, {} to {}", odds(s.rate), odds(s.low), odds(s.high))
			});
			print_row(
				&line.depth.to_string(),
				&odds(line.equation_3),
				&odds(line.algorithm_3),
				&odds(line.exact),
				&simulated,
			);
		}
	}
}

fn print_row(z: &str, equation_3: &str, algorithm_3: &str, exact: &str, simulated: &str) {
	let row = format!("{z:>5}  {equation_3:<10}  {algorithm_3:<11}  {exact:<10}  {simulated}");
	println!("{}", row.trim_end());
}

/// Four digits of a probability.
fn odds(probability: f64) -> String {
	if probability == 0.0 || probability == 1.0 {
		format!("{probability}")
	} else {
		format!("{probability:.3e}")
	}
}

/// The depths of one share.
#[derive(Serialize)]
struct Needed {
	share: f64,
	risk: f64,
	/// Seconds between two blocks.
	interval: f64,
	#[serde(rename = "equation3")]
	equation_3: Answer,
	exact: Answer,
}

/// A depth by one of the formulas.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
	Depth { depth: u32, seconds: f64 },
	None { depth: (), reason: String },
}

impl Answer {
	fn new(model: Model, share: Share, risk: Risk, interval: f64) -> Self {
		match depth(model, share, risk) {
			Ok(depth) => Self::Depth {
				depth,
				seconds: f64::from(depth) * interval,
			},
			Err(error) => Self::None {
				depth: (),
				reason: match error {
					DepthError::HalfOrMore(_) => "no depth is enough".to_string(),
					DepthError::TooDeep { .. } => format!("over {MAX_DEPTH} blocks"),
				},
			},
		}
	}
}

impl fmt::Display for Answer {
	fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
		match self {
			Self::Depth { depth, seconds } => f.pad(&format!("z = {depth}, {}", time(*seconds))),
			Self::None { reason, .. } => f.pad(reason),
		}
	}
}

fn print_depths(shares: &[Share], risk: Risk, interval: f64, json: bool) -> Result<(), Error> {
	if !json {
		println!(
			"odds under {}, at a block every {}",
			risk.get(),
			time(interval)
		);
		println!("{:<8}  {:<28}  exact", "q", "Eq. 3");
	}
	for &share in shares {
		let answer = |model| Answer::new(model, share, risk, interval);
		let needed = Needed {
			share: share.attacker(),
			risk: risk.get(),
			interval,
			equation_3: answer(Model::Paper),
			exact: answer(Model::Exact),
		};
		if json {
			print_json(&needed)?;
		} else {
			println!(
				"{:<8}  {:<28}  {}",
				needed.share, needed.equation_3, needed.exact
			);
		}
	}
	Ok(())
}

/// A time in its two greatest units.
fn time(seconds: f64) -> String {
	let units = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];
	if seconds < 60.0 {
		// To the millisecond: more is not measured.
		return format!("{} s", (seconds * 1e3).round() / 1e3);
	}
	let mut rest = seconds.round() as u64;
	let mut parts = Vec::new();
	for (name, size) in units {
		let count = rest / size;
		rest %= size;
		if count > 0 {
			parts.push(format!("{count} {name}"));
		} else if !parts.is_empty() {
			break;
		}
	}
	parts.truncate(2);
	parts.join(" ")
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn depths_are_numbers_and_ranges() {
		let depths = |text: &str| text.parse::<Depths>().map(|d| (d.first, d.last));
		assert_eq!(depths("6"), Ok((6, 6)));
		assert_eq!(depths("0..10"), Ok((0, 10)));
		assert_eq!(depths("3..3"), Ok((3, 3)));
		assert_eq!(depths("1000"), Ok((1000, 1000)));
		let error = |text| depths(text).expect_err("refused");
		assert_eq!(error("x"), "'x' is no number of blocks from 0 to 1000");
		assert_eq!(error("-1"), "'-1' is no number of blocks from 0 to 1000");
		assert_eq!(error("1.."), "'' is no number of blocks from 0 to 1000");
		assert_eq!(error("9..8"), "the range ends, at 8, before it begins");
		assert!(error("1001").ends_with("for what is deeper ask with --risk"));
	}

	#[test]
	fn an_interval_is_a_time_or_the_chains() {
		assert_eq!("chain".parse(), Ok(Interval::Chain));
		assert_eq!("0.5".parse(), Ok(Interval::Seconds(0.5)));
		for text in ["0", "-1", "inf", "NaN", "Chain", ""] {
			let error = text.parse::<Interval>().expect_err("refused");
			assert_eq!(
				error,
				"it is a number of seconds above 0, or the word \"chain\""
			);
		}
	}

	#[test]
	fn a_time_in_its_greatest_units() {
		for (seconds, text) in [
			(0.5, "0.5 s"),
			(15.0, "15 s"),
			(75.0, "1 min 15 s"),
			(3600.0, "1 h"),
			(3601.0, "1 h"),
			(90_061.0, "1 d 1 h"),
			(15_000_000.0, "173 d 14 h"),
		] {
			assert_eq!(time(seconds), text);
		}
	}
}
