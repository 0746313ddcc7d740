// SPDX-License-Identifier: Apache-2.0
//! Runs the node and the commands that use a chain, and ends them on SIGINT, SIGTERM and SIGHUP.
//!
//! The framework's runner catches these signals before the node starts, and obeys them when it has started. It says
//! nothing while a node stops, and a command that was interrupted ends as if it had done its work.

use crate::{
	cli::Cli,
	client::FullClient,
	database::{check_space_left, DatabaseError},
	explain::words,
	files, logging, output,
	progress::Reports,
	service::{Core, Node, Parts},
};
use isthmus_primitives::Block;
use isthmus_streams::minds_hangup;
use polkadot_sdk::*;
use sc_cli::{CliConfiguration, DefaultConfigurationValues, SubstrateCli};
use sc_consensus::DefaultImportQueue;
use sc_service::{Configuration, DatabaseSource, TaskManager, TaskRegistry};
use signal_hook::{
	consts::{SIGHUP, SIGINT, SIGTERM},
	flag,
};
use std::{
	fs,
	future::{pending, Future},
	io::{self, stderr, Write},
	path::Path,
	process::exit,
	sync::{
		atomic::{AtomicBool, AtomicUsize, Ordering},
		mpsc::{self, RecvTimeoutError},
		Arc, Once, OnceLock,
	},
	thread,
	time::Duration,
};
use tokio::{
	runtime::Runtime,
	signal::unix::{signal, Signal, SignalKind},
	task::JoinHandle,
};

/// How long the tasks of a node that stops may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the log says what a node that stops waits for.
const REPORT_EVERY: Duration = Duration::from_secs(3);

/// Why a node has stopped without a signal. It is the last that the program says.
#[derive(Debug, thiserror::Error)]
enum StopError {
	/// The disk is full.
	#[error(transparent)]
	Filled(DatabaseError),
	/// Only the log says why.
	#[error(
		"the node has stopped, because one of its tasks has ended that it cannot do without: the errors in the log name the task, \
		 and say why. Start the node again; if it stops again, report the log"
	)]
	Failed,
}

/// Returns why a task that a node needs has ended. On a full disk none can go on.
fn why_failed(database: &DatabaseSource) -> StopError {
	match check_space_left(database, 0) {
		Err(full) => StopError::Filled(full),
		Ok(()) => StopError::Failed,
	}
}

/// The configuration of the node or of a command, and the threads that run its tasks.
pub(crate) struct Runner {
	config: Configuration,
	runtime: Runtime,
	/// Ends the process on a signal. A running node aborts it, and listens itself.
	guard: JoinHandle<()>,
}

impl Runner {
	/// Reads the configuration and starts the log. From here on a signal ends the process at once.
	///
	/// # Errors
	///
	/// Returns an error if an option is invalid or the chain specification cannot be loaded.
	pub(crate) fn new<T, V>(cli: &Cli, command: &T) -> sc_cli::Result<Self>
	where
		T: CliConfiguration<V>,
		V: DefaultConfigurationValues,
	{
		let runtime = sc_cli::build_runtime()?;
		// It listens first, so that no signal is only remembered.
		let mut signals = runtime.block_on(async { Signals::listen() })?;
		remember_signals()?;
		let guard = runtime.spawn(async move { signals.next().await.end_process() });
		files::check_home(|| command.base_path())?;
		let config = command
			.create_configuration(cli, runtime.handle().clone())
			.inspect_err(|_| end_if_asked())?;
		logging::init::<Cli, T, V>(command)?;
		// The log sets a panic hook of the framework's.
		output::end_without_threads();
		Ok(Self {
			config,
			runtime,
			guard,
		})
	}

	/// Returns the configuration.
	pub(crate) fn config(&self) -> &Configuration {
		&self.config
	}

	/// Runs a node until a signal comes, its disk is full or a task that it needs ends. Its folder is deleted then if it is
	/// temporary.
	///
	/// # Errors
	///
	/// Returns why the node cannot start, or why it has stopped without a signal.
	pub(crate) fn node(
		self,
		is_temporary: bool,
		start: impl FnOnce(Configuration) -> sc_cli::Result<Node>,
	) -> sc_cli::Result<()> {
		let Self {
			config,
			runtime,
			guard,
		} = self;
		introduce(&config);
		let temporary = is_temporary.then(|| config.base_path.path().to_owned());
		let Node {
			mut tasks,
			database,
			filled,
		} = runtime.block_on(async { start(config) })?;
		// The node listens before the guard ends, so that no signal is lost.
		let mut signals = runtime.block_on(async { Signals::listen() })?;
		guard.abort();
		let ended = runtime.block_on(async {
			tokio::select! {
				signal = signals.next() => {
					log::info!("{}: the node stops", signal.name());
					Ok(())
				}
				full = filled => {
					log::error!("the disk of the database is full: the node stops");
					Err(StopError::Filled(full))
				}
				_ = tasks.future() => Err(why_failed(&database)),
			}
		});
		logging::begin_to_stop();
		end_at_interrupt();
		stop(runtime, tasks);
		if let Some(folder) = temporary {
			delete_temporary(&folder);
		}
		log::info!("the node has stopped");
		ended.map_err(|error| sc_cli::Error::Application(Box::new(error)))
	}

	/// Runs a command that needs only the configuration.
	///
	/// # Errors
	///
	/// Returns the command's error.
	pub(crate) fn with_config(
		self,
		command: impl FnOnce(Configuration) -> sc_cli::Result<()>,
	) -> sc_cli::Result<()> {
		command(self.config)
	}

	/// Opens the chain, and runs a command on it.
	///
	/// # Errors
	///
	/// Returns why the chain cannot be opened, or the command's error.
	pub(crate) fn with_chain<F>(
		self,
		command: impl FnOnce(Arc<FullClient>, DefaultImportQueue<Block>) -> F,
	) -> sc_cli::Result<()>
	where
		F: Future<Output = sc_cli::Result<()>>,
	{
		let Self {
			mut config,
			runtime,
			..
		} = self;
		let Parts {
			core,
			task_manager,
			import_queue,
			..
		} = Parts::new(&mut config)?;
		let done = runtime.block_on(command(core.client.clone(), import_queue));
		if done.is_err() {
			end_if_asked();
		}
		// The tasks use the core, and would report its end as a failure.
		drop(task_manager);
		drop(runtime);
		drop::<Core>(core);
		done
	}
}

/// Says in the log which node starts.
fn introduce(config: &Configuration) {
	log::info!("{}", Cli::impl_name());
	log::info!("✌️  version {}", Cli::impl_version());
	log::info!("❤️  by {}", Cli::author());
	log::info!("📋 Chain specification: {}", config.chain_spec.name());
	log::info!("🏷  Node name: {}", config.network.node_name);
	log::info!("👤 Role: {}", config.display_role());
	say_database(config);
}

/// Says in the log where the database is.
pub(crate) fn say_database(config: &Configuration) {
	let path = config.database.path();
	log::info!(
		"💾 Database: {} at {}",
		config.database,
		path.unwrap_or(Path::new("<unknown>")).display()
	);
}

/// Lets Ctrl-C end the process at once from now on: who presses it again does not want to wait for the tasks. The database is
/// as safe as after a crash.
fn end_at_interrupt() {
	static ALWAYS: AtomicBool = AtomicBool::new(true);
	let code = SIGINT.saturating_add(128);
	if let Err(error) = flag::register_conditional_shutdown(SIGINT, code, &ALWAYS) {
		log::debug!("a second Ctrl-C does not end this process: {error}");
	}
}

/// Ends the tasks of a node, and says in the log what it waits for.
fn stop(runtime: Runtime, tasks: TaskManager) {
	let registry = OnceLock::new();
	let (done, waiting) = mpsc::channel::<()>();
	thread::scope(|scope| {
		let running = &registry;
		let report = move || {
			while waiting.recv_timeout(REPORT_EVERY) == Err(RecvTimeoutError::Timeout) {
				log::info!("still stopping: {}", unfinished(running.get()));
			}
		};
		// The node stops without these lines, too.
		if let Err(error) = thread::Builder::new().spawn_scoped(scope, report) {
			log::debug!("cannot start a thread: {error}");
		}
		// The tasks end when their manager is dropped.
		let registry = registry.get_or_init(|| tasks.into_task_registry());
		runtime.shutdown_timeout(PATIENCE);
		drop(done);
		if !registry.running_tasks().is_empty() {
			log::error!(
				"the node ends although after {} s {}",
				PATIENCE.as_secs(),
				unfinished(Some(registry))
			);
		}
	});
}

/// Deletes the folder of a node that was only tried out. The framework would do it after the last line of the log, and without a
/// word if that fails.
fn delete_temporary(folder: &Path) {
	let shown = folder.display().to_string();
	log::info!("deleting the temporary folder {shown}");
	let deleting = shown.clone();
	let reports = Reports::start(move |since| {
		log::info!("still deleting {deleting}, for {} s", since.as_secs());
	});
	let deleted = fs::remove_dir_all(folder);
	drop(reports);
	match deleted {
		Err(error) if error.kind() != io::ErrorKind::NotFound => log::warn!(
			"the temporary folder {shown} cannot be deleted: {}. Delete it yourself",
			words(error)
		),
		_ => {}
	}
}

/// Says what a node that stops waits for.
fn unfinished(registry: Option<&TaskRegistry>) -> String {
	let tasks = registry
		.map(TaskRegistry::running_tasks)
		.unwrap_or_default();
	if tasks.is_empty() {
		return "connections of the RPC are open, or the database is being written".into();
	}
	let mut names: Vec<_> = tasks.keys().map(|task| task.name).collect();
	names.sort_unstable();
	format!("these tasks have not ended: {}", names.join(", "))
}

/// The number of the last signal that asked this process to end, or 0.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// Remembers from now on which signal has come.
fn remember_signals() -> io::Result<()> {
	for signal in [SIGINT, SIGTERM, SIGHUP] {
		// To catch SIGHUP is to mind it.
		if signal != SIGHUP || minds_hangup() {
			flag::register_usize(signal, &ASKED, signal as usize)?;
		}
	}
	Ok(())
}

/// Ends this process if a signal has asked for that. A command that failed looks here first: Ctrl-C in a terminal ends the
/// program that writes to a pipe, too, and who reads it must not take its end for the end of the input.
fn end_if_asked() {
	match i32::try_from(ASKED.load(Ordering::SeqCst)) {
		Ok(0) | Err(_) => {}
		Ok(signal) => Caught(SignalKind::from_raw(signal)).end_process(),
	}
}

/// The signals that ask a process to end.
struct Signals {
	interrupt: Signal,
	terminate: Signal,
	/// Comes when the terminal closes. `None` if this process was started to ignore that.
	hangup: Option<Signal>,
}

impl Signals {
	/// Catches the signals from now on. It needs the context of a Tokio runtime.
	fn listen() -> io::Result<Self> {
		Ok(Self {
			interrupt: signal(SignalKind::interrupt())?,
			terminate: signal(SignalKind::terminate())?,
			hangup: minds_hangup()
				.then(|| signal(SignalKind::hangup()))
				.transpose()?,
		})
	}

	async fn next(&mut self) -> Caught {
		let hangup = async {
			match &mut self.hangup {
				Some(hangup) => hangup.recv().await,
				None => pending().await,
			}
		};
		tokio::select! {
			_ = self.interrupt.recv() => Caught(SignalKind::interrupt()),
			_ = self.terminate.recv() => Caught(SignalKind::terminate()),
			_ = hangup => Caught(SignalKind::hangup()),
		}
	}
}

/// A signal that came.
struct Caught(SignalKind);

impl Caught {
	fn name(&self) -> &'static str {
		match self.0 {
			signal if signal == SignalKind::interrupt() => "SIGINT",
			signal if signal == SignalKind::hangup() => "SIGHUP",
			_ => "SIGTERM",
		}
	}

	/// Ends this process with the exit code that shells use for a signal. A database is as safe as after a crash.
	fn end_process(&self) {
		// Two threads may get here, and one says it.
		static ENDS: Once = Once::new();
		ENDS.call_once(|| {
			files::remove_unfinished();
			// If nothing can be written, the exit code says it, too.
			let _ = writeln!(
				stderr(),
				"error: ended by {} before the work was done",
				self.name()
			);
			exit(self.0.as_raw_value().saturating_add(128))
		});
	}
}
