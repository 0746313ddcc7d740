// SPDX-License-Identifier: Apache-2.0
//! Draws Fig. 5 of the paper: the odds that an attacker's chain overtakes the true one, on a logarithmic
//! scale, against the depth (how many blocks the attacker is behind). There is one curve for each share of
//! the computing power that the attacker may have. The true odds are a solid line and the paper's odds a
//! dashed one; simulations and measurements are points with their intervals.

use crate::{
	error::Error,
	input::read_at_most,
	output::{self, open_through, Output},
	report,
};
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::file as files;
use isthmus_security::{Confidence, Interval};
use plotters::{
	coord::{types::RangedCoordf64, Shift},
	element::{DashedPathElement, Drawable, PointCollection},
	prelude::*,
	style::{
		register_font,
		text_anchor::{HPos, Pos, VPos},
		FontStyle, IntoTextStyle,
	},
};
use serde::Deserialize;
use std::{error, fs, io::Write, path::Path};

/// Width and height in pixels. plotters draws only on whole pixels. The picture is drawn at twice its size on
/// a page, which keeps slanted lines straight, and letters sharp on a dense screen.
const SIZE: (u32, u32) = (2000, 1120);
/// The caption.
const TITLE: &str = "Odds that a forged chain overtakes the true one";
/// Colours that people with any colour vision can distinguish (M. Okabe and K. Ito 2008, *Color universal
/// design*), strongest first.
const COLOURS: [RGBColor; 7] = [
	RGBColor(0, 114, 178),
	RGBColor(213, 94, 0),
	RGBColor(0, 158, 115),
	RGBColor(204, 121, 167),
	RGBColor(230, 159, 0),
	RGBColor(86, 180, 233),
	RGBColor(90, 90, 90),
];
/// The lower end of the scale is where the highest curve ends, clamped to these powers of ten.
const FLOORS: (f64, f64) = (-12.0, -6.0);
/// The width of all lines in pixels.
const STROKE: u32 = 6;
/// The lengths of a dash and of the gap after it in pixels.
const DASH: (i32, i32) = (18, 14);
/// The radius of points in pixels.
const RADIUS: i32 = 10;
/// The width of the legend, to the right of the plot, and of a line in it, in pixels.
const LEGEND: (u32, i32) = (470, 76);
/// The font for bitmaps. An SVG uses a font of the program that displays it.
const FONT: &[u8] = include_bytes!("../fonts/DejaVuSans-subset.ttf");

/// The odds for one share.
pub(crate) struct Curve {
	/// The attacker's share, q.
	pub(crate) share: f64,
	/// The true odds, as points (z, P_z).
	pub(crate) exact: Vec<(f64, f64)>,
	/// The paper's odds (Eq. 3), as points (z, P_z).
	pub(crate) paper: Vec<(f64, f64)>,
	/// The simulations.
	pub(crate) simulated: Vec<Point>,
}

/// An observed rate, with its interval.
pub(crate) struct Point {
	/// z.
	pub(crate) depth: u32,
	/// Successes divided by trials.
	pub(crate) rate: f64,
	/// The interval's lower end.
	pub(crate) low: f64,
	/// The interval's upper end.
	pub(crate) high: f64,
}

/// A rate that another program measured.
pub(crate) struct Measured {
	share: f64,
	point: Point,
}

/// A line of a file of measurements. Other fields are ignored.
#[derive(Deserialize)]
struct Measurement {
	share: f64,
	depth: u32,
	trials: u64,
	successes: u64,
}

/// The longest file of measurements that is read, in bytes.
const LONGEST_MEASURED: u64 = 64 << 20;

/// Reads a file of measurements, with one JSON object per line.
pub(crate) fn read_measured(file: &Path, confidence: Confidence) -> Result<Vec<Measured>, Error> {
	let name = file.shown();
	let text = read_at_most(file, LONGEST_MEASURED, "a file of measurements")?;
	let text = String::from_utf8(text)
		.map_err(|_| Error::failed(format!("{name}: a file of measurements is UTF-8")))?;
	let lines = text.strip_prefix('\u{feff}').unwrap_or(&text).lines();
	lines
		.enumerate()
		.filter(|(_, line)| !line.trim().is_empty())
		.map(|(i, line)| {
			let Measurement {
				share,
				depth,
				trials,
				successes,
			} = serde_json::from_str(line)
				.map_err(|error| Error::failed(format!("line {} of {name}: {error}", i + 1)))?;
			if trials == 0 || successes > trials {
				let why = "expected at least one trial, and no more successes than trials";
				return Err(Error::failed(format!("line {} of {name}: {why}", i + 1)));
			}
			let Interval { low, high } = Interval::wilson(successes, trials, confidence);
			let rate = successes as f64 / trials as f64;
			Ok(Measured {
				share,
				point: Point {
					depth,
					rate,
					low,
					high,
				},
			})
		})
		.collect()
}

/// Draws the curves into a file, or as SVG to stdout if the file is `-`. The file is opened only when the
/// picture is complete.
pub(crate) fn draw(file: &Path, curves: &[Curve], measured: &[Measured]) -> Result<(), Error> {
	if curves.len() > COLOURS.len() {
		let most = COLOURS.len();
		return Err(
			Error::usage(format!("too many shares: a plot has at most {most}"))
				.hint("pass fewer with --share"),
		);
	}
	if curves.iter().any(|curve| curve.exact.len() < 2) {
		let hint = "pass a range, for example --depth 0..50";
		return Err(Error::usage("too few depths: a plot has at least 2").hint(hint));
	}
	register_font("sans-serif", FontStyle::Normal, FONT)
		.map_err(|_| Error::failed("cannot read the font of the plot"))?;
	let picture = Picture { curves, measured };
	let name = file.shown();
	let is_stdout = output::is_stdout(file);
	let bytes = match file.extension().and_then(|extension| extension.to_str()) {
		Some("png") => picture.png(),
		extension if is_stdout || extension == Some("svg") => picture.svg(),
		_ => {
			return Err(Error::usage(format!(
				"cannot draw {name}: expected a name that ends in .svg or .png"
			)))
		}
	};
	let bytes = bytes.map_err(|error| Error::failed(format!("cannot draw the plot: {error}")))?;
	if is_stdout {
		return report::write(&bytes);
	}
	let written = match Output::at(file.to_owned(), None, true)? {
		Output::Stdout => return report::write(&bytes),
		Output::Through(path) => open_through(&path).and_then(|mut file| file.write_all(&bytes)),
		Output::File(path) => files::publish(&path, &bytes),
	};
	written.map_err(|error| Error::file(file, &error))
}

/// A chart with linear axes: depth and logarithm of the odds.
type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// What to draw.
struct Picture<'a> {
	curves: &'a [Curve],
	measured: &'a [Measured],
}

/// The outcome of drawing with any backend.
type Drawn<T> = Result<T, Box<dyn error::Error>>;

impl Picture<'_> {
	fn svg(&self) -> Drawn<Vec<u8>> {
		let mut svg = String::new();
		self.paint(SVGBackend::with_string(&mut svg, SIZE).into_drawing_area())?;
		Ok(svg.into_bytes())
	}

	/// Encodes through a temporary file, because plotters writes bitmaps only to files.
	fn png(&self) -> Drawn<Vec<u8>> {
		let folder = tempfile::tempdir()?;
		let file = folder.path().join("plot.png");
		self.paint(BitMapBackend::new(&file, SIZE).into_drawing_area())?;
		Ok(fs::read(file)?)
	}

	/// Returns the depth at the right end.
	fn deepest(&self) -> f64 {
		let points = self.curves.iter().flat_map(|curve| &curve.exact);
		points.map(|&(z, _)| z).fold(1.0, f64::max)
	}

	/// Returns the power of ten at the lower end.
	fn floor(&self) -> f64 {
		let ends = self.curves.iter().filter_map(|curve| curve.exact.last());
		let highest = ends.map(|&(_, odds)| odds).fold(0.0, f64::max);
		highest.log10().floor().clamp(FLOORS.0, FLOORS.1)
	}

	fn paint<DB>(&self, area: DrawingArea<DB, Shift>) -> Drawn<()>
	where
		DB: DrawingBackend,
		DB::ErrorType: 'static,
	{
		area.fill(&WHITE)?;
		let (left, right) = area.split_horizontally(SIZE.0 - LEGEND.0);
		let mut chart = self.axes(&left)?;
		let mut legend = Legend {
			area: right,
			lines: 0,
		};
		// The largest share has the highest curve, so it comes first in the legend too.
		let mut curves: Vec<_> = self.curves.iter().zip(&COLOURS).collect();
		curves.sort_by(|(a, _), (b, _)| b.share.total_cmp(&a.share));
		for (curve, colour) in curves {
			self.paint_curve(&mut chart, curve, colour)?;
			legend.line(&format!("q = {}", curve.share), |ends| {
				PathElement::new(ends, colour.stroke_width(STROKE))
			})?;
		}
		self.explain(&mut legend)?;
		Ok(area.present()?)
	}

	/// Draws the axes. The vertical one is the logarithm of the odds, because plotters' own logarithmic
	/// axis loses decades to rounding.
	fn axes<'a, DB>(&self, area: &DrawingArea<DB, Shift>) -> Drawn<Chart<'a, DB>>
	where
		DB: DrawingBackend + 'a,
		DB::ErrorType: 'static,
	{
		let floor = self.floor();
		let mut chart = ChartBuilder::on(area)
			.caption(TITLE, ("sans-serif", 54))
			.margin(32)
			.x_label_area_size(130)
			.y_label_area_size(180)
			.build_cartesian_2d(0.0..self.deepest(), floor..0.0)?;
		chart
			.configure_mesh()
			.light_line_style(TRANSPARENT)
			.bold_line_style(BLACK.mix(0.15))
			.axis_style(BLACK.mix(0.6))
			.x_labels(11)
			.y_labels(1 + (-floor) as usize)
			.x_label_formatter(&|z| format!("{z}"))
			.y_label_formatter(&|&power| power_of_ten(power))
			.label_style(("sans-serif", 42))
			.axis_desc_style(("sans-serif", 46))
			.x_desc("z, blocks that the attacker is behind")
			.y_desc("P(z), odds that it catches up")
			.draw()?;
		Ok(chart)
	}

	/// Draws everything about one share: the true odds, the paper's, and the simulations and measurements,
	/// if any.
	fn paint_curve<DB>(
		&self,
		chart: &mut Chart<'_, DB>,
		curve: &Curve,
		colour: &RGBColor,
	) -> Drawn<()>
	where
		DB: DrawingBackend,
		DB::ErrorType: 'static,
	{
		let floor = self.floor();
		let (line, thin) = (colour.stroke_width(STROKE), colour.stroke_width(STROKE / 2));
		chart.draw_series(LineSeries::new(logarithmic(&curve.exact, floor), line))?;
		let paper = logarithmic(&curve.paper, floor);
		chart.draw_series(DashedLineSeries::new(paper, DASH.0, DASH.1, line))?;
		let simulated = curve.simulated.iter();
		for mark in simulated.filter_map(|point| Mark::of(point, floor)) {
			chart.draw_series([PathElement::new(mark.interval, thin)])?;
			let hollow = [WHITE.filled(), thin];
			chart.draw_series(hollow.map(|style| Circle::new(mark.rate, RADIUS, style)))?;
		}
		let measured = self.measured.iter().filter(|m| m.share == curve.share);
		for mark in measured.filter_map(|m| Mark::of(&m.point, floor)) {
			chart.draw_series([PathElement::new(mark.interval, thin)])?;
			chart.draw_series([Circle::new(mark.rate, RADIUS, colour.filled())])?;
		}
		Ok(())
	}

	/// Explains the kinds of lines and points in the legend.
	fn explain<DB>(&self, legend: &mut Legend<DB>) -> Drawn<()>
	where
		DB: DrawingBackend,
		DB::ErrorType: 'static,
	{
		let line = BLACK.stroke_width(STROKE);
		legend.line("exact", |ends| PathElement::new(ends, line))?;
		legend.line("the paper's Eq. 3", |ends| {
			DashedPathElement::new(ends, DASH.0, DASH.1, line)
		})?;
		if self.curves.iter().any(|curve| !curve.simulated.is_empty()) {
			let hollow = BLACK.stroke_width(STROKE / 2);
			legend.line("simulated", |ends| {
				Circle::new(middle(ends), RADIUS, hollow)
			})?;
		}
		if !self.measured.is_empty() {
			legend.line("measured", |ends| {
				Circle::new(middle(ends), RADIUS, BLACK.filled())
			})?;
		}
		Ok(())
	}
}

/// The legend, beside the plot, where it cannot hide a curve.
struct Legend<DB: DrawingBackend> {
	area: DrawingArea<DB, Shift>,
	lines: i32,
}

impl<DB: DrawingBackend> Legend<DB>
where
	DB::ErrorType: 'static,
{
	/// Adds a line: a sample between two points, and a text after it.
	fn line<S>(&mut self, text: &str, sample: impl Fn([(i32, i32); 2]) -> S) -> Drawn<()>
	where
		for<'a> &'a S: PointCollection<'a, (i32, i32)>,
		S: Drawable<DB>,
	{
		let y = 130 + 66 * self.lines;
		self.lines += 1;
		self.area.draw(&sample([(0, y), (LEGEND.1, y)]))?;
		let style = ("sans-serif", 44).into_text_style(&self.area);
		let style = style.pos(Pos::new(HPos::Left, VPos::Center));
		self.area.draw_text(text, &style, (LEGEND.1 + 22, y))?;
		Ok(())
	}
}

/// Returns the point between two.
fn middle([(a, y), (b, _)]: [(i32, i32); 2]) -> (i32, i32) {
	((a + b) / 2, y)
}

/// Returns the points of a curve, (z, log₁₀ P_z), down to the floor.
fn logarithmic(points: &[(f64, f64)], floor: f64) -> Vec<(f64, f64)> {
	let mut line: Vec<(f64, f64)> = Vec::with_capacity(points.len());
	for &(z, odds) in points {
		let power = odds.log10();
		if power >= floor {
			line.push((z, power));
			continue;
		}
		// Zero has no logarithm. A line that falls below the floor ends where it crosses the floor.
		if let (Some(&(before, above)), true) = (line.last(), power.is_finite()) {
			line.push((
				before + (z - before) * (above - floor) / (above - power),
				floor,
			));
		}
		break;
	}
	line
}

/// Where a rate and its interval are drawn: (z, log₁₀ P_z).
#[derive(Debug, PartialEq)]
struct Mark {
	rate: (f64, f64),
	interval: [(f64, f64); 2],
}

impl Mark {
	/// Returns `None` if the rate is below the floor, as zero always is.
	fn of(point: &Point, floor: f64) -> Option<Self> {
		let at = |odds: f64| (f64::from(point.depth), odds.log10().max(floor));
		(point.rate.log10() >= floor).then(|| Self {
			rate: at(point.rate),
			interval: [at(point.low), at(point.high)],
		})
	}
}

/// Returns a power of ten as people write it.
fn power_of_ten(power: f64) -> String {
	const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
	let power = power.round();
	if power == 0.0 {
		return "1".to_string();
	}
	let digits = format!("{}", power.abs());
	let raised = digits
		.chars()
		.filter_map(|digit| Some(DIGITS[digit.to_digit(10)? as usize]));
	let sign = if power < 0.0 { "⁻" } else { "" };
	format!("10{sign}{}", raised.collect::<String>())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_line_ends_at_the_floor() {
		let line = logarithmic(&[(0.0, 1.0), (1.0, 1e-2), (2.0, 1e-6), (3.0, 1e-9)], -4.0);
		assert_eq!(line, [(0.0, 0.0), (1.0, -2.0), (1.5, -4.0)]);
		// Odds of zero are not drawn.
		assert_eq!(logarithmic(&[(0.0, 1.0), (1.0, 0.0)], -4.0), [(0.0, 0.0)]);
		assert_eq!(logarithmic(&[], -4.0), []);
	}

	#[test]
	fn rates_below_the_floor_have_no_mark() {
		let mark = |rate, low, high| {
			let depth = 2;
			Mark::of(
				&Point {
					depth,
					rate,
					low,
					high,
				},
				-4.0,
			)
		};
		let expected = |rate, low, high| {
			let interval = [(2.0, low), (2.0, high)];
			Some(Mark {
				rate: (2.0, rate),
				interval,
			})
		};
		assert_eq!(mark(1e-2, 1e-3, 1e-1), expected(-2.0, -3.0, -1.0));
		assert_eq!(mark(1e-2, 1e-9, 1.0), expected(-2.0, -4.0, 0.0));
		assert_eq!(mark(1e-5, 1e-6, 1e-1), None);
		assert_eq!(mark(0.0, 0.0, 1e-1), None);
	}

	#[test]
	fn powers_of_ten() {
		for (power, text) in [(0.0, "1"), (-1.0, "10⁻¹"), (-12.0, "10⁻¹²"), (2.0, "10²")] {
			assert_eq!(power_of_ten(power), text);
		}
	}

	#[test]
	fn the_scale_ends_where_the_highest_curve_does() {
		let floor = |last: f64| {
			let curve = Curve {
				share: 0.1,
				exact: vec![(0.0, 1.0), (50.0, last)],
				paper: Vec::new(),
				simulated: Vec::new(),
			};
			Picture {
				curves: &[curve],
				measured: &[],
			}
			.floor()
		};
		assert_eq!(floor(0.5), -6.0);
		assert_eq!(floor(3e-8), -8.0);
		assert_eq!(floor(1e-30), -12.0);
		assert_eq!(floor(0.0), -12.0);
	}
}
