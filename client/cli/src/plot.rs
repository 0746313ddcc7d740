//! Fig. 5 of the paper: the odds over the depth, in a logarithmic scale, for several shares. The true
//! odds are a solid line and the paper's a dashed one; what was simulated or measured are points with
//! their intervals.
//!
//! The numbers come from [`crate::risk`]; here they only become a picture.

use crate::error::Error;
use isthmus_security::{Confidence, Interval};
use plotters::{
	coord::Shift,
	element::{DashedPathElement, Drawable, PointCollection},
	prelude::*,
	style::{
		register_font,
		text_anchor::{HPos, Pos, VPos},
		FontStyle, IntoTextStyle,
	},
};
use serde::Deserialize;
use std::{
	error, fs,
	io::{self, Write},
	path::Path,
};

/// Width and height, in pixels. plotters draws on whole pixels alone: twice what a page shows makes
/// slanted lines straight, and letters sharp on a dense screen.
const SIZE: (u32, u32) = (2000, 1120);
/// What stands above it.
const TITLE: &str = "Odds that a forged chain overtakes the true one";
/// Colours that people with any colour vision tell apart (M. Okabe and K. Ito 2008, *Color universal
/// design*), the strongest first.
const COLOURS: [RGBColor; 7] = [
	RGBColor(0, 114, 178),
	RGBColor(213, 94, 0),
	RGBColor(0, 158, 115),
	RGBColor(204, 121, 167),
	RGBColor(230, 159, 0),
	RGBColor(86, 180, 233),
	RGBColor(90, 90, 90),
];
/// The scale's lower end is between these powers of ten: where the highest curve ends.
const FLOORS: (f64, f64) = (-12.0, -6.0);
/// The width of all lines, in pixels.
const STROKE: u32 = 6;
/// The lengths of a dash and of the gap after it, in pixels.
const DASH: (i32, i32) = (18, 14);
/// The radius of points, in pixels.
const RADIUS: i32 = 10;
/// The width right of the plot that the legend takes, and of a line in it, in pixels.
const LEGEND: (u32, i32) = (470, 76);
/// Letters of bitmaps; an SVG's are its reader's own.
const FONT: &[u8] = include_bytes!("../fonts/DejaVuSans-subset.ttf");

/// The odds of one share.
pub(crate) struct Curve {
	/// The attacker's share, q.
	pub(crate) share: f64,
	/// (z, P_z), the true odds.
	pub(crate) exact: Vec<(f64, f64)>,
	/// (z, P_z), Eq. 3.
	pub(crate) paper: Vec<(f64, f64)>,
	/// What was simulated.
	pub(crate) simulated: Vec<Point>,
}

/// A rate that was counted, and its interval.
pub(crate) struct Point {
	/// z.
	pub(crate) depth: u32,
	/// Successes by trials.
	pub(crate) rate: f64,
	/// The interval's lower end.
	pub(crate) low: f64,
	/// The interval's upper end.
	pub(crate) high: f64,
}

/// A rate that was measured elsewhere.
pub(crate) struct Measured {
	share: f64,
	point: Point,
}

/// A line of a file of measurements. What else is in it is of no matter.
#[derive(Deserialize)]
struct Measurement {
	share: f64,
	depth: u32,
	trials: u64,
	successes: u64,
}

/// Reads a file of measurements, a JSON object a line.
pub(crate) fn read_measured(file: &Path, confidence: Confidence) -> Result<Vec<Measured>, Error> {
	let name = file.display();
	let text = fs::read_to_string(file)
		.map_err(|error| Error::failed(format!("{name} cannot be read: {error}")))?;
	let lines = text.lines().enumerate();
	lines
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
				let why = format!("{successes} successes in {trials} trials make no rate");
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

/// Draws the curves into a file, `-` being SVG on stdout. The file is opened when the picture is done.
pub(crate) fn draw(file: &Path, curves: &[Curve], measured: &[Measured]) -> Result<(), Error> {
	if curves.len() > COLOURS.len() {
		let most = COLOURS.len();
		return Err(Error::usage(format!(
			"a plot has {most} shares at the most"
		)));
	}
	if curves.iter().any(|curve| curve.exact.len() < 2) {
		let hint = "ask for a range, --depth 0..50 say";
		return Err(Error::usage("a plot takes two depths at least").hint(hint));
	}
	register_font("sans-serif", FontStyle::Normal, FONT)
		.map_err(|_| Error::failed("the plot's font cannot be read"))?;
	let picture = Picture { curves, measured };
	let name = file.display();
	let is_stdout = file == Path::new("-");
	let bytes = match file.extension().and_then(|extension| extension.to_str()) {
		Some("png") => picture.png(),
		extension if is_stdout || extension == Some("svg") => picture.svg(),
		_ => {
			return Err(Error::usage(format!(
				"{name} ends in neither .svg nor .png"
			)))
		}
	};
	let bytes =
		bytes.map_err(|error| Error::failed(format!("the plot cannot be drawn: {error}")))?;
	let written = if is_stdout {
		io::stdout().write_all(&bytes)
	} else {
		fs::write(file, bytes)
	};
	written.map_err(|error| Error::failed(format!("{name} cannot be written: {error}")))
}

/// What is drawn.
struct Picture<'a> {
	curves: &'a [Curve],
	measured: &'a [Measured],
}

/// What became of drawing, on any of the backends.
type Drawn<T> = Result<T, Box<dyn error::Error>>;

impl Picture<'_> {
	fn svg(&self) -> Drawn<Vec<u8>> {
		let mut svg = String::new();
		self.paint(SVGBackend::with_string(&mut svg, SIZE).into_drawing_area())?;
		Ok(svg.into_bytes())
	}

	/// By way of a file in the system's folder for such: plotters encodes into files alone.
	fn png(&self) -> Drawn<Vec<u8>> {
		let folder = tempfile::tempdir()?;
		let file = folder.path().join("plot.png");
		self.paint(BitMapBackend::new(&file, SIZE).into_drawing_area())?;
		Ok(fs::read(file)?)
	}

	/// The depth at the right end.
	fn deepest(&self) -> f64 {
		let points = self.curves.iter().flat_map(|curve| &curve.exact);
		points.map(|&(z, _)| z).fold(1.0, f64::max)
	}

	/// The power of ten at the lower end.
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
		let floor = self.floor();
		area.fill(&WHITE)?;
		let (left, right) = area.split_horizontally(SIZE.0 - LEGEND.0);
		// The vertical axis is the odds' logarithm: plotters' own logarithmic axis loses decades to rounding.
		let mut chart = ChartBuilder::on(&left)
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

		let mut legend = Legend {
			area: right,
			lines: 0,
		};
		// Who has most is highest: so goes the legend, too.
		let mut curves: Vec<_> = self.curves.iter().zip(&COLOURS).collect();
		curves.sort_by(|(a, _), (b, _)| b.share.total_cmp(&a.share));
		for (curve, colour) in curves {
			let (line, thin) = (colour.stroke_width(STROKE), colour.stroke_width(STROKE / 2));
			chart.draw_series(LineSeries::new(logarithmic(&curve.exact, floor), line))?;
			let paper = logarithmic(&curve.paper, floor);
			chart.draw_series(DashedLineSeries::new(paper, DASH.0, DASH.1, line))?;
			for mark in curve
				.simulated
				.iter()
				.filter_map(|point| Mark::of(point, floor))
			{
				chart.draw_series([PathElement::new(mark.interval, thin)])?;
				let hollow = [WHITE.filled(), thin];
				chart.draw_series(hollow.map(|style| Circle::new(mark.rate, RADIUS, style)))?;
			}
			let measured = self.measured.iter().filter(|m| m.share == curve.share);
			for mark in measured.filter_map(|m| Mark::of(&m.point, floor)) {
				chart.draw_series([PathElement::new(mark.interval, thin)])?;
				chart.draw_series([Circle::new(mark.rate, RADIUS, colour.filled())])?;
			}
			legend.line(&format!("q = {}", curve.share), |ends| {
				PathElement::new(ends, line)
			})?;
		}

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
		Ok(area.present()?)
	}
}

/// The legend, beside the plot: whatever the curves do, it hides none.
struct Legend<DB: DrawingBackend> {
	area: DrawingArea<DB, Shift>,
	lines: i32,
}

impl<DB: DrawingBackend> Legend<DB>
where
	DB::ErrorType: 'static,
{
	/// Adds a line: a text, and a sample between two points before it.
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

/// The point between two.
fn middle([(a, y), (b, _)]: [(i32, i32); 2]) -> (i32, i32) {
	((a + b) / 2, y)
}

/// The odds as the plot has them: (z, log₁₀ P_z), down to the floor and no further.
fn logarithmic(points: &[(f64, f64)], floor: f64) -> Vec<(f64, f64)> {
	let mut line: Vec<(f64, f64)> = Vec::with_capacity(points.len());
	for &(z, odds) in points {
		let power = odds.log10();
		if power >= floor {
			line.push((z, power));
			continue;
		}
		// Zero has no logarithm; a step to below the floor ends where it crosses it.
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

/// Where a rate is drawn: (z, log₁₀ P_z).
#[derive(Debug, PartialEq)]
struct Mark {
	rate: (f64, f64),
	interval: [(f64, f64); 2],
}

impl Mark {
	/// None if the rate is under the floor, as zero always is.
	fn of(point: &Point, floor: f64) -> Option<Self> {
		let at = |odds: f64| (f64::from(point.depth), odds.log10().max(floor));
		(point.rate.log10() >= floor).then(|| Self {
			rate: at(point.rate),
			interval: [at(point.low), at(point.high)],
		})
	}
}

/// The power of ten, as a person writes it.
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
	fn a_line_ends_where_it_meets_the_floor() {
		let line = logarithmic(&[(0.0, 1.0), (1.0, 1e-2), (2.0, 1e-6), (3.0, 1e-9)], -4.0);
		assert_eq!(line, [(0.0, 0.0), (1.0, -2.0), (1.5, -4.0)]);
		// Odds of zero have no place.
		assert_eq!(logarithmic(&[(0.0, 1.0), (1.0, 0.0)], -4.0), [(0.0, 0.0)]);
		assert_eq!(logarithmic(&[], -4.0), []);
	}

	#[test]
	fn what_is_under_the_floor_has_no_mark() {
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
