// SPDX-License-Identifier: Apache-2.0
//! `isthmus risk`: computes the odds that a forged chain overtakes the true one (section IV.B of the paper),
//! or the depth at which they are below a given risk. It can also simulate the race and draw Fig. 5.
//!
//! [`isthmus_security`] computes the numbers, and [`crate::plot`] draws them.

use crate::{
	context::Context,
	error::Error,
	options::Options,
	output, plot,
	progress::bar,
	report::{Lines, Report},
	uses::{Uses, NODE},
};
use indicatif::ProgressStyle;
use isthmus_security::{
	algorithm_3, depth, equation_3, exact, Confidence, DepthError, Model, Race, Risk, Share,
	MAX_DEPTH,
};
use rayon::ThreadPoolBuilder;
use serde::Serialize;
use std::{fmt, path::PathBuf, str::FromStr};

/// The maximum depth in a table: the running time of Algorithm 3 grows with the square of the depth.
const MAX_TABLE_DEPTH: u32 = 1000;
/// The confidence level of the intervals.
const CONFIDENCE: Confidence = Confidence::P999;
/// The seed of a simulation unless one is given.
const DEFAULT_SEED: u64 = 1;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  isthmus risk --share 0.1 --depth 0..10
  isthmus risk --share 0.1,0.3 --risk 0.001
  isthmus risk --share 0.3 --risk 0.001 --interval chain --url ws://127.0.0.1:9944
  isthmus risk --share 0.3 --depth 2,5 --simulate 1000000
  isthmus risk --share 0.1,0.3 --plot odds.svg")]
pub(crate) struct Opts {
	/// Attacker's share of all computing power, q, from 0 to 1; several separated by commas
	#[arg(long, value_name = "Q", value_delimiter = ',', default_value = "0.1,0.3", value_parser = share)]
	share: Vec<Share>,

	/// Number of blocks that the attacker is behind, z: a number, or a range such as 0..10 that includes
	/// both ends; several separated by commas [default: 0..10, and 0..50 in a plot]
	#[arg(long, value_name = "Z", value_delimiter = ',')]
	depth: Vec<DepthRange>,

	/// Compute instead the smallest depth at which the odds are under this risk, and the time that it
	/// takes
	#[arg(long, value_name = "ODDS", value_parser = risk, conflicts_with_all = ["depth", "simulate", "plot"])]
	risk: Option<Risk>,

	/// Mean time between two blocks, with --risk: in seconds, or the word "chain" for that of the last
	/// 100 blocks of the node at --url
	#[arg(long, value_name = "SECONDS", default_value = "15", requires = "risk")]
	interval: Interval,

	/// Simulate the race with random numbers, with this number of trials for each line of the table
	#[arg(long, value_name = "TRIALS", value_parser = clap::value_parser!(u64).range(1..))]
	simulate: Option<u64>,

	/// Seed of the simulation: the same seed gives the same figures. Each line of the table adds one to
	/// the seed of the previous line [default: 1]
	#[arg(long, requires = "simulate")]
	seed: Option<u64>,

	/// Draw the odds into a file that ends in .svg or .png, instead of printing a table; - is SVG on
	/// stdout
	#[arg(long, value_name = "FILE")]
	plot: Option<PathBuf>,

	/// Add measurements to the plot, from a file of JSON objects, one a line, with share, depth, trials
	/// and successes
	#[arg(long, value_name = "FILE", requires = "plot")]
	measured: Option<PathBuf>,
}

impl Opts {
	/// Returns what the command does.
	pub(crate) fn uses(&self) -> Uses {
		match (self.risk.is_some(), &self.interval) {
			(true, Interval::Chain) => NODE,
			_ => 0,
		}
	}
}

/// Depths as an argument: a number, or a range that includes both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DepthRange {
	first: u32,
	last: u32,
}

impl FromStr for DepthRange {
	type Err = String;

	fn from_str(text: &str) -> Result<Self, String> {
		let (first, last) = text.split_once("..").unwrap_or((text, text));
		let number = |text: &str| {
			let wrong = || format!("expected a number of blocks from 0 to {MAX_TABLE_DEPTH}");
			let depth: u32 = text.parse().map_err(|_| wrong())?;
			if depth <= MAX_TABLE_DEPTH {
				Ok(depth)
			} else {
				Err(format!("{}; --risk computes larger depths", wrong()))
			}
		};
		let (first, last) = (number(first)?, number(last)?);
		if first <= last {
			Ok(Self { first, last })
		} else {
			Err(format!("the range ends at {last}, before it starts"))
		}
	}
}

fn share(text: &str) -> Result<Share, String> {
	let q = text.parse().map_err(|_| "expected a number".to_owned())?;
	Share::new(q).map_err(|error| error.to_string())
}

fn risk(text: &str) -> Result<Risk, String> {
	let odds = text.parse().map_err(|_| "expected a number".to_owned())?;
	Risk::new(odds).map_err(|error| error.to_string())
}

/// The time between two blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Interval {
	/// A given number of seconds.
	Seconds(f64),
	/// The mean of a node's last blocks.
	Chain,
}

impl FromStr for Interval {
	type Err = String;

	fn from_str(text: &str) -> Result<Self, String> {
		match text.parse() {
			_ if text == "chain" => Ok(Self::Chain),
			Ok(seconds) if seconds > 0.0 && f64::is_finite(seconds) => Ok(Self::Seconds(seconds)),
			_ => Err("expected a number of seconds above 0, or the word \"chain\"".to_owned()),
		}
	}
}

impl Interval {
	/// Returns the interval in seconds. Asks a node if necessary.
	async fn seconds(self, options: Options) -> Result<f64, Error> {
		match self {
			Self::Seconds(seconds) => Ok(seconds),
			Self::Chain => chain_interval(options).await,
		}
	}
}

/// Asks a node for the mean time between its last blocks.
async fn chain_interval(options: Options) -> Result<f64, Error> {
	let client = Context::connect(options).await?.client;
	// The method takes a block (here none, for the best block) and an attacker's share, which does not affect
	// the interval.
	let params = isthmus_sdk::rpc_params![(), 0.1];
	let report: serde_json::Value = client.request("isthmus_risk", params).await?;
	report["blockInterval"].as_f64().ok_or_else(|| {
		Error::failed("the chain is too short to measure the time between its blocks")
			.hint("pass it in seconds, for example --interval 15")
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

/// The outcome of a simulation.
#[derive(Serialize)]
struct Simulated {
	trials: u64,
	successes: u64,
	seed: u64,
	rate: f64,
	/// Lower end of the interval.
	low: f64,
	/// Upper end of the interval.
	high: f64,
	confidence: f64,
}

/// Runs the command. Returns `None` if it drew a plot.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Option<Box<dyn Report>>, Error> {
	if let Some(risk) = opts.risk {
		let interval = opts.interval.seconds(options).await?;
		return Ok(Some(Box::new(needed(&opts.share, risk, interval))));
	}
	// Before a simulation, which may take long.
	let measured = match &opts.measured {
		Some(file) => plot::read_measured(file, CONFIDENCE)?,
		None => Vec::new(),
	};
	if let Some(file) = &opts.plot {
		output::check(file)?;
	}
	let lines = lines(&opts)?;
	let Some(file) = &opts.plot else {
		return Ok(Some(Box::new(Table {
			shares: opts.share.iter().map(|share| share.attacker()).collect(),
			lines: Lines(lines),
		})));
	};
	plot::draw(file, &curves(&opts.share, &lines), &measured)?;
	Ok(None)
}

/// Returns the requested depths, or the default ones.
fn depths(opts: &Opts) -> Vec<u32> {
	let default = DepthRange {
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

/// Simulates the race of each line, with a progress bar.
fn simulate(
	asked: &[(Share, u32)],
	trials: u64,
	seed: u64,
) -> Result<Vec<Option<Simulated>>, Error> {
	let races = asked
		.iter()
		.map(|&(share, depth)| Race::new(Model::Exact, share, depth, trials))
		.collect::<Result<Vec<_>, _>>()
		.map_err(|error| Error::usage(error).hint("omit --simulate to print only the formulas"))?;
	let bar = bar(trials.saturating_mul(asked.len() as u64)).with_style(
		ProgressStyle::with_template("simulating {bar:40} {human_pos}/{human_len} attacks {eta}")
			.unwrap_or_else(|_| ProgressStyle::default_bar()),
	);
	// If the system does not start rayon's threads, this one does the work. rayon's global pool would panic.
	let pool = ThreadPoolBuilder::new().build();
	let pool = pool
		.or_else(|_| {
			ThreadPoolBuilder::new()
				.num_threads(1)
				.use_current_thread()
				.build()
		})
		.map_err(Error::failed)?;
	let simulated = races
		.into_iter()
		.zip(0..)
		.map(|(race, line)| {
			let seed = seed.wrapping_add(line);
			let outcome = pool.install(|| race.run(seed, |more| bar.inc(more)));
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

/// Returns the lines of each share as curves of the plot.
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

/// Lines, grouped by share.
struct Table {
	shares: Vec<f64>,
	lines: Lines<Line>,
}

impl Report for Table {
	fn json(&self) -> serde_json::Result<String> {
		self.lines.json()
	}
}

impl fmt::Display for Table {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Lines(lines) = &self.lines;
		let title = match lines.iter().any(|line| line.simulated.is_some()) {
			true => format!("simulated, {} % interval", 100.0 * CONFIDENCE.level()),
			false => String::new(),
		};
		let title = row("z", "Eq. 3", "Algorithm 3", "exact", &title);
		for (i, share) in self.shares.iter().enumerate() {
			if i > 0 {
				f.write_str("\n\n")?;
			}
			write!(f, "q = {share}\n{title}")?;
			for line in lines.iter().filter(|line| line.share == *share) {
				write!(f, "\n{line}")?;
			}
		}
		Ok(())
	}
}

impl fmt::Display for Line {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let simulated = match &self.simulated {
			Some(s) => format!("{}, {} to {}", odds(s.rate), odds(s.low), odds(s.high)),
			None => String::new(),
		};
		f.write_str(&row(
			&self.depth.to_string(),
			&odds(self.equation_3),
			&odds(self.algorithm_3),
			&odds(self.exact),
			&simulated,
		))
	}
}

fn row(z: &str, equation_3: &str, algorithm_3: &str, exact: &str, simulated: &str) -> String {
	let row = format!("{z:>5}  {equation_3:<10}  {algorithm_3:<11}  {exact:<10}  {simulated}");
	row.trim_end().to_owned()
}

/// Returns a probability with four digits.
fn odds(probability: f64) -> String {
	if probability == 0.0 || probability == 1.0 {
		format!("{probability}")
	} else {
		format!("{probability:.3e}")
	}
}

/// The depths that are needed for a risk, against one share.
#[derive(Serialize)]
struct Needed {
	share: f64,
	risk: f64,
	/// Time between two blocks, in seconds.
	interval: f64,
	#[serde(rename = "equation3")]
	equation_3: Answer,
	exact: Answer,
}

/// A depth according to one of the formulas.
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

impl fmt::Display for Needed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(
			f,
			"{:<8}  {:<28}  {}",
			self.share, self.equation_3, self.exact
		)
	}
}

/// The depths that are needed for a risk.
struct Depths {
	risk: f64,
	interval: f64,
	lines: Lines<Needed>,
}

impl Report for Depths {
	fn json(&self) -> serde_json::Result<String> {
		self.lines.json()
	}
}

impl fmt::Display for Depths {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let (risk, interval) = (self.risk, time(self.interval));
		writeln!(f, "odds under {risk}, at a block every {interval}")?;
		writeln!(f, "{:<8}  {:<28}  exact", "q", "Eq. 3")?;
		write!(f, "{}", self.lines)
	}
}

fn needed(shares: &[Share], risk: Risk, interval: f64) -> Depths {
	let lines = shares.iter().map(|&share| {
		let answer = |model| Answer::new(model, share, risk, interval);
		Needed {
			share: share.attacker(),
			risk: risk.get(),
			interval,
			equation_3: answer(Model::Paper),
			exact: answer(Model::Exact),
		}
	});
	Depths {
		risk: risk.get(),
		interval,
		lines: Lines(lines.collect()),
	}
}

/// Returns a time in its two largest units.
fn time(seconds: f64) -> String {
	let units = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];
	if seconds < 60.0 {
		// Milliseconds suffice, because the interval is not measured more precisely.
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
		let depths = |text: &str| text.parse::<DepthRange>().map(|d| (d.first, d.last));
		assert_eq!(depths("6"), Ok((6, 6)));
		assert_eq!(depths("0..10"), Ok((0, 10)));
		assert_eq!(depths("3..3"), Ok((3, 3)));
		assert_eq!(depths("1000"), Ok((1000, 1000)));
		let error = |text| depths(text).expect_err("refused");
		assert_eq!(error("x"), "expected a number of blocks from 0 to 1000");
		assert_eq!(error("-1"), "expected a number of blocks from 0 to 1000");
		assert_eq!(error("1.."), "expected a number of blocks from 0 to 1000");
		assert_eq!(error("9..8"), "the range ends at 8, before it starts");
		assert!(error("1001").ends_with("--risk computes larger depths"));
	}

	#[test]
	fn an_interval_is_a_time_or_the_chains() {
		assert_eq!("chain".parse(), Ok(Interval::Chain));
		assert_eq!("0.5".parse(), Ok(Interval::Seconds(0.5)));
		for text in ["0", "-1", "inf", "NaN", "Chain", ""] {
			let error = text.parse::<Interval>().expect_err("refused");
			assert_eq!(
				error,
				"expected a number of seconds above 0, or the word \"chain\""
			);
		}
	}

	#[test]
	fn a_time_is_in_its_largest_units() {
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
