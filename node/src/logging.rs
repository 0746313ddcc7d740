// SPDX-License-Identifier: Apache-2.0
//! The node's log: the framework's format and filters, and a bound on the lines that strangers can cause.
//!
//! Peers and callers of the RPC choose how often the framework writes about them: one peer that sends
//! rubbish could fill a disk. So for these targets each place in the code may write a few lines a minute. The
//! others are counted, and one line a minute says how many there were.

mod bound;

pub use bound::{Bound, Key, LINES, WINDOW};

use polkadot_sdk::*;
use sc_cli::{CliConfiguration, DefaultConfigurationValues, SubstrateCli};
use sc_tracing::logging::{EventFormat, FastLocalTime, PrefixLayer};
use std::{
	ffi::OsString,
	io::{stderr, stdout, IsTerminal},
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc,
	},
	time::{Duration, Instant},
};
use tracing::{level_filters::LevelFilter, Event, Level, Subscriber};
use tracing_log::{log_tracer::SetLoggerError, NormalizeEvent};
use tracing_subscriber::{
	filter::Directive,
	fmt::{format::FmtSpan, writer::MakeWriterExt},
	layer::{Context, Layer, SubscriberExt},
	EnvFilter, FmtSubscriber,
};

/// The targets of lines that peers and callers can cause. The names below each of them count too.
const BOUNDED: [&str; 16] = [
	"afg",
	"beefy",
	"db::notification_pinning",
	"grandpa",
	"hyper",
	"jsonrpsee",
	"jsonrpsee-server",
	"litep2p",
	"miners",
	"peerset",
	"rpc",
	"runtime",
	"sub-libp2p",
	"sync",
	"txpool",
	"wasmtime",
];
/// The framework's own directives, which leave out what no operator needs.
const QUIET: [&str; 11] = [
	"info",
	"ws=off",
	"yamux=off",
	"regalloc=off",
	"cranelift_codegen=off",
	"cranelift_wasm=warn",
	"hyper=warn",
	"hickory_proto=off",
	"libp2p_mdns::behaviour::iface=off",
	"rustls::common_state=off",
	"rustls::conn=off",
];
/// The targets of errors about tasks that have ended: of GRANDPA, of requests, of blocks that are kept in memory, and of all others.
const ENDS: [&str; 4] = [
	"grandpa",
	"jsonrpsee-server",
	"sc_service::client::client",
	"sc_service::task_manager",
];
/// Whether this process ends its tasks.
static STOPPING: AtomicBool = AtomicBool::new(false);
/// How often the number of lines that were held back is written.
const REPORT_EVERY: Duration = Duration::from_secs(60);
/// The number of open files that a node may need.
const OPEN_FILES: u64 = 10_000;

/// Where to report a panic. The repository has no address of its own yet.
const BUGS: &str = "the page where the source of this program is hosted, as an issue. If a peer, a transaction or a request \
	may have caused it, report it there in private: SECURITY.md in the source says how";

/// Why the log cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
	#[error(
		"`--log` or RUST_LOG: {0:?} cannot be read: expected a target and a level, such as sync=debug, or a level alone. The \
		 levels are off, error, warn, info, debug and trace"
	)]
	Directive(String),
	#[error(transparent)]
	Tracer(#[from] SetLoggerError),
	#[error(transparent)]
	Subscriber(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Starts a bounded log, and prepares this process. With `--enable-log-reloading` or `--tracing-targets` the framework
/// writes the log, without a bound.
///
/// # Errors
///
/// Returns an error if an option is invalid.
pub(crate) fn init<C, T, V>(command: &T) -> sc_cli::Result<()>
where
	C: SubstrateCli,
	T: CliConfiguration<V>,
	V: DefaultConfigurationValues,
{
	if command.enable_log_reloading()? || command.tracing_targets()?.is_some() {
		command.init(&C::support_url(), &C::impl_version(), |_| ())?;
		sp_panic_handler::set(BUGS, &C::impl_version());
		return Ok(());
	}
	sp_panic_handler::set(BUGS, &C::impl_version());
	start(
		&command.log_filters()?,
		command.detailed_log_output()?,
		!command.disable_log_color()?,
	)
	.map_err(|error| sc_cli::Error::Application(Box::new(error)))?;
	raise_open_files();
	Ok(())
}

/// Starts a log of errors only, for a command without one of its own: when the runtime refuses a field of a specification, only
/// the log says which.
///
/// # Errors
///
/// Returns an error if RUST_LOG is invalid.
pub(crate) fn init_for_errors() -> Result<(), LogError> {
	start("error", false, true)
}

/// Starts the log of this process.
fn start(directives: &str, is_detailed: bool, may_colour: bool) -> Result<(), LogError> {
	let filter = filter(directives)?;
	let most = Layer::<FmtSubscriber>::max_level_hint(&filter).unwrap_or(LevelFilter::INFO);
	tracing_log::LogTracer::builder()
		.with_interest_cache(tracing_log::InterestCacheConfig::default())
		.with_max_level(tracing_log::AsLog::as_log(&most))
		.init()?;
	let is_detailed = is_detailed || most > LevelFilter::INFO;
	let has_colour =
		may_colour && !is_plain(std::env::var_os("NO_COLOR")) && stderr().is_terminal();
	console::set_colors_enabled(has_colour);
	console::set_colors_enabled_stderr(has_colour);
	let bound = Arc::new(Bound::default());
	let is_shown_too = !stderr().is_terminal() && stdout().is_terminal();
	let subscriber = FmtSubscriber::builder()
		.with_env_filter(filter)
		.with_span_events(FmtSpan::NONE)
		.with_writer(
			stderr
				.and(stdout.with_filter(move |line| is_shown_too && *line.level() <= Level::INFO)),
		)
		// A line that cannot be written, on a full disk or to a pipe that no one reads, is lost. To report that on stderr would
		// panic, and end the node.
		.log_internal_errors(false)
		.event_format(EventFormat {
			timer: FastLocalTime {
				with_fractional: is_detailed,
			},
			display_target: is_detailed,
			display_level: is_detailed,
			display_thread_name: is_detailed,
			// The framework would print there, and panic if the terminal is closed.
			dup_to_stdout: false,
		})
		.finish()
		.with(PrefixLayer)
		.with(BoundLayer(bound.clone()));
	tracing::subscriber::set_global_default(subscriber)?;
	// The thread ends with the process. Without it, lines would be held back silently.
	let _ = std::thread::Builder::new()
		.name("log-bound".into())
		.spawn(move || report(&bound));
	Ok(())
}

/// Returns whether the environment variable `NO_COLOR` asks for a log without colours (<https://no-color.org>).
fn is_plain(no_colour: Option<OsString>) -> bool {
	no_colour.is_some_and(|value| !value.is_empty())
}

/// Returns the filter for the framework's directives, RUST_LOG and `--log`, in this order.
fn filter(directives: &str) -> Result<EnvFilter, LogError> {
	let environment = std::env::var("RUST_LOG").unwrap_or_default();
	let given = environment.split(',').chain(directives.split(','));
	let given = given.filter(|directive| !directive.is_empty());
	let mut filter = EnvFilter::default();
	for directive in QUIET.into_iter().chain(given) {
		filter = filter.add_directive(parse_directive(directive)?);
	}
	Ok(filter)
}

/// Reads a directive. The library takes `sync:debug` for the name of a target, which nothing has.
fn parse_directive(text: &str) -> Result<Directive, LogError> {
	let fault = || LogError::Directive(text.into());
	if !text.contains('[') && text.replace("::", "").contains(':') {
		return Err(fault());
	}
	text.parse().map_err(|_| fault())
}

/// Writes once a minute how many lines were held back.
fn report(bound: &Bound) {
	loop {
		std::thread::sleep(REPORT_EVERY);
		if let Some(summary) = bound.summary() {
			log::warn!(target: "log", "{summary}");
		}
	}
}

fn raise_open_files() {
	match fdlimit::raise_fd_limit() {
		Ok(fdlimit::Outcome::LimitRaised { to, .. }) if to < OPEN_FILES => log::warn!(
			"this process may open only {to} files, and a node may need {OPEN_FILES}: raise the limit (`ulimit -n`)"
		),
		Ok(_) => {}
		Err(error) => log::warn!("cannot raise the limit of open files: {error}"),
	}
}

/// Tells the log that this process ends its tasks from now on. A task may notice the end of another one before its own
/// order to end, and the framework then writes that it failed, although nothing did.
pub(crate) fn begin_to_stop() {
	STOPPING.store(true, Ordering::Relaxed);
}

/// Returns whether a line is about a task that has ended. While the node stops, such a line is no news.
pub fn is_end_of_task(level: Level, target: &str) -> bool {
	level == Level::ERROR && ENDS.contains(&target)
}

/// Drops the lines that the bound holds back, and those about the ends of tasks while the node stops.
struct BoundLayer(Arc<Bound>);

impl<S: Subscriber> Layer<S> for BoundLayer {
	fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
		let normalized = event.normalized_metadata();
		let line = normalized.as_ref().unwrap_or_else(|| event.metadata());
		if STOPPING.load(Ordering::Relaxed) && is_end_of_task(*line.level(), line.target()) {
			return false;
		}
		// More detail than `info` is written only if it is asked for.
		if *line.level() > Level::INFO || !is_bounded(line.target()) {
			return true;
		}
		let key = Key {
			target: line.target(),
			file: line.file().unwrap_or_default(),
			line: line.line().unwrap_or_default(),
		};
		self.0.may_write(key, Instant::now())
	}
}

/// Returns whether the lines of this target are bounded.
pub fn is_bounded(target: &str) -> bool {
	BOUNDED.iter().any(|bounded| {
		target
			.strip_prefix(bounded)
			.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_directive_that_cannot_be_read_is_named() {
		for text in ["sync=dbug", "sync:debug", "sync=debug=trace"] {
			let error = parse_directive(text).unwrap_err().to_string();
			assert!(
				error.contains(&format!("{text:?} cannot be read")),
				"{error}"
			);
		}
		for text in [
			"sync=debug",
			"sync",
			"debug",
			"off",
			"libp2p_mdns::behaviour::iface=off",
		] {
			assert!(parse_directive(text).is_ok(), "{text}");
		}
	}

	#[test]
	fn no_color_asks_for_no_colours_unless_it_is_empty() {
		assert!(is_plain(Some("1".into())));
		assert!(!is_plain(Some("".into())) && !is_plain(None));
	}
}
