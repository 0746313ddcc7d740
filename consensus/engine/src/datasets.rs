// SPDX-License-Identifier: Apache-2.0
//! Keeps the built-in miner's Ethash datasets. Near the end of an epoch it makes the next one's ahead of time,
//! and for a while after it keeps the last one's, in case of a reorganisation.

use crate::{metrics::MiningMetrics, LOG_TARGET};
use isthmus_ethash::{Cache, Dataset, Error, FileError, Progress, Unfinished};
use isthmus_primitives::BlockNumber;
use parking_lot::Mutex;
use std::{
	fs,
	ops::ControlFlow,
	path::{Path, PathBuf},
	sync::{
		atomic::{AtomicBool, AtomicUsize, Ordering},
		Arc,
	},
	thread::JoinHandle,
	time::{Duration, Instant},
};

/// The next epoch's dataset is made this many blocks before the epoch's first block.
const MADE_AHEAD: BlockNumber = 500;
/// The last epoch's dataset is kept for this many blocks of the next epoch.
const KEPT_AFTER: BlockNumber = 100;
/// How often progress is logged while a dataset is generated.
const PROGRESS_PERIOD: Duration = Duration::from_secs(10);
/// How long a thread waits for a dataset before it checks whether to stop.
const PATIENCE: Duration = Duration::from_millis(500);
/// The start of a dataset file's name, before the epoch's number.
const FILE_PREFIX: &str = "ethash-epoch-";
/// The memory to leave free when a second dataset is made, in bytes.
const RESERVE: u64 = 1 << 30;
/// The lowest priority of a thread.
const LOWEST_PRIORITY: i32 = 19;

/// What a dataset is made for: the epochs and their caches. `Chain` implements it.
pub(crate) trait Epochs: Send + Sync + 'static {
	/// Returns the Ethash epoch of a block with this number.
	fn epoch(&self, number: BlockNumber) -> u64;

	/// Returns the cache of an epoch.
	///
	/// # Errors
	///
	/// Returns Ethash's error if the cache cannot be made.
	fn cache(&self, epoch: u64) -> Result<Arc<Cache>, Error>;
}

/// A dataset, made by the first thread that locks this; the others wait.
type Slot = Arc<Mutex<State>>;

/// How far a dataset is.
#[derive(Default)]
enum State {
	#[default]
	Missing,
	/// The thread that made it was stopped, for example because there are fewer threads now. Another one resumes it.
	Unfinished(Unfinished<Arc<Cache>>),
	Ready(Arc<Dataset>),
}

/// The datasets of the epochs that are mined, or soon will be.
pub(crate) struct Datasets<E> {
	epochs: Arc<E>,
	/// By epoch.
	slots: Mutex<Vec<(u64, Slot)>>,
	/// The number of threads that generate a dataset.
	threads: AtomicUsize,
	/// The folder in which datasets are kept, if there is one.
	folder: Option<PathBuf>,
	/// Returns whether this number of bytes of memory is free.
	has_room: fn(u64) -> bool,
	metrics: MiningMetrics,
	/// Ends the preparation.
	stop: AtomicBool,
	/// The epoch that was prepared last, and its thread.
	prepared: Mutex<Option<(u64, JoinHandle<()>)>>,
}

impl<E: Epochs> Datasets<E> {
	/// Creates an empty store, which generates on one thread.
	pub(crate) fn new(epochs: Arc<E>, folder: Option<PathBuf>, metrics: MiningMetrics) -> Self {
		Self {
			epochs,
			slots: Mutex::default(),
			threads: AtomicUsize::new(1),
			folder,
			has_room,
			metrics,
			stop: AtomicBool::new(false),
			prepared: Mutex::default(),
		}
	}

	/// Sets the number of threads that generate a dataset.
	pub(crate) fn set_threads(&self, threads: usize) {
		self.threads.store(threads.max(1), Ordering::Relaxed);
	}

	/// Returns the dataset for a block with this number. Makes it if it is missing, or waits if another thread
	/// is making it.
	///
	/// # Errors
	///
	/// Returns the error of the cache or of the memory, or [`Error::Stopped`] once `stop` is set.
	pub(crate) fn get(
		&self,
		number: BlockNumber,
		stop: &AtomicBool,
	) -> Result<Arc<Dataset>, Error> {
		let epoch = self.epochs.epoch(number);
		let slot = self.slot(epoch);
		let mut slot = loop {
			match slot.try_lock_for(PATIENCE) {
				Some(slot) => break slot,
				None if stop.load(Ordering::Relaxed) => return Err(Error::Stopped),
				None => {}
			}
		};
		if let State::Ready(dataset) = &*slot {
			return Ok(dataset.clone());
		}
		let cache = self.epochs.cache(epoch)?;
		if matches!(*slot, State::Missing) && !(self.has_room)(bytes(&cache)) {
			// If they have files, they come back from there.
			self.slots.lock().retain(|(kept, _)| *kept == epoch);
		}
		self.make(&mut slot, cache, epoch, stop)
	}

	/// Forgets the datasets that blocks around this number do not need, and prepares the next one near the
	/// end of an epoch.
	pub(crate) fn follow(self: &Arc<Self>, number: BlockNumber) {
		let epoch = self.epochs.epoch(number);
		let next = self.epochs.epoch(number.saturating_add(MADE_AHEAD));
		let last = self.epochs.epoch(number.saturating_sub(KEPT_AFTER));
		let needed = |kept: u64| (last..=next).contains(&kept);
		self.slots.lock().retain(|(kept, _)| needed(*kept));
		if let Some(folder) = self.folder.as_deref().filter(|_| last == next) {
			if let Err(error) = remove_others(folder, &file(folder, epoch)) {
				log::debug!(target: LOG_TARGET, "cannot remove old datasets: {error}");
			}
		}
		if next != epoch {
			self.prepare(next);
		}
	}

	/// Ends the preparation, and waits for its thread.
	pub(crate) fn stop(&self) {
		self.stop.store(true, Ordering::Relaxed);
		let prepared = self.prepared.lock().take();
		if let Some((_, thread)) = prepared {
			// A thread that panicked has already logged it.
			let _ = thread.join();
		}
	}

	/// Makes the epoch's dataset in the background, once.
	fn prepare(self: &Arc<Self>, epoch: u64) {
		let mut prepared = self.prepared.lock();
		let known = prepared.as_ref().is_some_and(|(known, _)| *known == epoch);
		if known || self.stop.load(Ordering::Relaxed) {
			return;
		}
		let datasets = self.clone();
		let thread = std::thread::Builder::new()
			.name("ethash-dataset".into())
			.spawn(move || match datasets.prepare_here(epoch) {
				Ok(()) | Err(FileError::Stopped | FileError::Memory(Error::Stopped)) => {}
				Err(error) => log::warn!(
					target: LOG_TARGET,
					"cannot make the dataset of epoch {epoch} ahead of time: {error}",
				),
			});
		match thread {
			Ok(thread) => *prepared = Some((epoch, thread)),
			Err(error) => log::warn!(target: LOG_TARGET, "cannot start a thread: {error}"),
		}
	}

	fn prepare_here(&self, epoch: u64) -> Result<(), FileError> {
		// The threads that generate inherit the priority. If it cannot be lowered, mining slows down a little.
		let _ = rustix::process::nice(LOWEST_PRIORITY);
		let cache = self.epochs.cache(epoch).map_err(FileError::Memory)?;
		if (self.has_room)(bytes(&cache)) {
			let slot = self.slot(epoch);
			let mut slot = slot.lock();
			if !matches!(*slot, State::Ready(_)) {
				let made = self.make(&mut slot, cache, epoch, &self.stop);
				made.map_err(FileError::Memory)?;
			}
			return Ok(());
		}
		let Some(folder) = self.folder.as_deref() else {
			log::warn!(
				target: LOG_TARGET,
				"no room for the dataset of epoch {epoch} beside this epoch's: mining will pause when epoch \
				 {epoch} begins; with `--ethash-dir` the dataset is made in a file instead",
			);
			return Ok(());
		};
		let file = file(folder, epoch);
		if !file.exists() {
			fs::create_dir_all(folder)?;
			let progress = self.progress(epoch, &self.stop);
			Dataset::generate_file(&cache, self.threads(), &file, progress)?;
			self.generated(epoch);
		}
		Ok(())
	}

	fn threads(&self) -> usize {
		self.threads.load(Ordering::Relaxed)
	}

	fn slot(&self, epoch: u64) -> Slot {
		let mut slots = self.slots.lock();
		if let Some((_, slot)) = slots.iter().find(|(kept, _)| *kept == epoch) {
			return slot.clone();
		}
		let slot = Slot::default();
		slots.push((epoch, slot.clone()));
		slot
	}

	/// Reads the dataset from its file, or generates it, or resumes that.
	fn make(
		&self,
		state: &mut State,
		cache: Arc<Cache>,
		epoch: u64,
		stop: &AtomicBool,
	) -> Result<Arc<Dataset>, Error> {
		let unfinished = match std::mem::take(state) {
			State::Ready(dataset) => {
				*state = State::Ready(dataset.clone());
				return Ok(dataset);
			}
			State::Unfinished(unfinished) => unfinished,
			State::Missing => {
				if let Some(dataset) = self.kept(&cache, epoch, stop)? {
					let dataset = Arc::new(dataset);
					*state = State::Ready(dataset.clone());
					return Ok(dataset);
				}
				Unfinished::new(cache)?
			}
		};
		// The number of threads may change meanwhile.
		let made = unfinished.resume(|| self.threads(), self.progress(epoch, stop));
		let dataset = match made {
			Ok(dataset) => Arc::new(dataset),
			Err(unfinished) => {
				*state = State::Unfinished(unfinished);
				return Err(Error::Stopped);
			}
		};
		*state = State::Ready(dataset.clone());
		self.generated(epoch);
		self.keep(&dataset, epoch);
		Ok(dataset)
	}

	fn generated(&self, epoch: u64) {
		self.metrics.datasets_generated.inc();
		log::info!(target: LOG_TARGET, "the dataset of epoch {epoch} is ready");
	}

	/// Returns what to do while the epoch's dataset is generated: report the progress, until `stop` is set.
	fn progress<'a>(
		&'a self,
		epoch: u64,
		stop: &'a AtomicBool,
	) -> impl Fn(Progress) -> ControlFlow<()> + Sync + 'a {
		let report = reporter("generating", epoch);
		self.metrics.dataset_epoch.set(epoch);
		move |progress| {
			self.metrics.dataset_percent.set(report(progress));
			unless(stop)
		}
	}

	/// Reads the epoch's dataset if its file exists and is intact.
	fn kept(&self, cache: &Cache, epoch: u64, stop: &AtomicBool) -> Result<Option<Dataset>, Error> {
		let file = self.folder.as_deref().map(|folder| file(folder, epoch));
		let Some(file) = file.filter(|file| file.exists()) else {
			return Ok(None);
		};
		let report = reporter("reading", epoch);
		let progress = |progress| {
			report(progress);
			unless(stop)
		};
		match Dataset::load(cache, &file, progress) {
			Ok(dataset) => {
				let file = file.display();
				log::info!(target: LOG_TARGET, "read the dataset of epoch {epoch} from {file}");
				Ok(Some(dataset))
			}
			Err(FileError::Stopped) => Err(Error::Stopped),
			Err(FileError::Memory(error)) => Err(error),
			Err(error) => {
				let file = file.display();
				log::warn!(target: LOG_TARGET, "cannot use {file}, generating it again: {error}");
				Ok(None)
			}
		}
	}

	/// Keeps the dataset for the next start. If that fails, the miner continues without the file.
	fn keep(&self, dataset: &Dataset, epoch: u64) {
		let Some(folder) = self.folder.as_deref() else {
			return;
		};
		let file = file(folder, epoch);
		let kept = fs::create_dir_all(folder)
			.map_err(FileError::from)
			.and_then(|()| dataset.save(&file));
		if let Err(error) = kept {
			let file = file.display();
			log::warn!(target: LOG_TARGET, "cannot keep the dataset of epoch {epoch} in {file}: {error}");
		}
	}
}

/// Returns what logs now and then how much of some work on an epoch's dataset is done. It returns that in percent.
fn reporter(work: &'static str, epoch: u64) -> impl Fn(Progress) -> u64 + Sync {
	let logged = Mutex::new(Instant::now());
	move |Progress { done, total }| {
		let percent = u64::from(done) * 100 / u64::from(total.max(1));
		// If the lock is taken, another thread is logging.
		if let Some(mut logged) = logged.try_lock() {
			if logged.elapsed() >= PROGRESS_PERIOD {
				*logged = Instant::now();
				log::info!(target: LOG_TARGET, "{work} the dataset of epoch {epoch}: {percent} %");
			}
		}
		percent
	}
}

/// Returns the size of the cache's dataset.
fn bytes(cache: &Cache) -> u64 {
	u64::from(cache.dataset_pages()) * 128
}

fn file(folder: &Path, epoch: u64) -> PathBuf {
	folder.join(format!("{FILE_PREFIX}{epoch}"))
}

/// Returns `Continue` until `stop` is set.
fn unless(stop: &AtomicBool) -> ControlFlow<()> {
	if stop.load(Ordering::Relaxed) {
		ControlFlow::Break(())
	} else {
		ControlFlow::Continue(())
	}
}

/// Removes the datasets of other epochs, complete or not.
fn remove_others(folder: &Path, file: &Path) -> std::io::Result<()> {
	if !folder.exists() {
		return Ok(());
	}
	for entry in fs::read_dir(folder)? {
		let entry = entry?;
		let name = entry.file_name();
		let is_dataset = name.to_string_lossy().starts_with(FILE_PREFIX);
		let is_kept = entry.path() == file || entry.path() == file.with_added_extension("partial");
		if is_dataset && !is_kept {
			fs::remove_file(entry.path())?;
		}
	}
	Ok(())
}

/// Returns whether this machine, and this process's control group, have room for this number of bytes.
/// If that cannot be found out, they have not.
fn has_room(bytes: u64) -> bool {
	let needed = bytes.saturating_add(RESERVE);
	let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
	let available = meminfo.lines().find_map(|line| {
		let kib = line
			.strip_prefix("MemAvailable:")?
			.trim()
			.strip_suffix("kB")?;
		kib.trim().parse::<u64>().ok()?.checked_mul(1024)
	});
	let number = |file: &str| -> Option<u64> {
		let text = fs::read_to_string(format!("/sys/fs/cgroup/{file}")).ok()?;
		text.trim().parse().ok()
	};
	let group = match (number("memory.max"), number("memory.current")) {
		(Some(most), Some(used)) => most.saturating_sub(used),
		_ => u64::MAX,
	};
	available.is_some_and(|available| available.min(group) >= needed)
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_ethash::Sizes;

	static NEVER: AtomicBool = AtomicBool::new(false);

	struct Development;

	impl Epochs for Development {
		fn epoch(&self, number: BlockNumber) -> u64 {
			Sizes::DEVELOPMENT.epoch(number.into())
		}

		fn cache(&self, epoch: u64) -> Result<Arc<Cache>, Error> {
			Cache::new(Sizes::DEVELOPMENT, epoch).map(Arc::new)
		}
	}

	fn datasets(folder: Option<&Path>, has_room: fn(u64) -> bool) -> Arc<Datasets<Development>> {
		let metrics = MiningMetrics::new(None).unwrap();
		Arc::new(Datasets {
			has_room,
			..Datasets::new(
				Arc::new(Development),
				folder.map(Path::to_path_buf),
				metrics,
			)
		})
	}

	impl Datasets<Development> {
		/// Mines a block of this number, in as far as datasets are concerned, and returns its epoch.
		fn mine(self: &Arc<Self>, number: BlockNumber) -> u64 {
			self.follow(number);
			self.get(number, &NEVER).unwrap().epoch()
		}

		/// Waits for the preparation, and returns how many datasets were generated by then.
		fn when_prepared(&self) -> u64 {
			let prepared = self.prepared.lock().take();
			let (epoch, thread) = prepared.unwrap();
			thread.join().unwrap();
			*self.prepared.lock() = Some((epoch, std::thread::spawn(|| ())));
			self.metrics.datasets_generated.get()
		}

		fn in_memory(&self) -> Vec<u64> {
			self.slots.lock().iter().map(|(epoch, _)| *epoch).collect()
		}
	}

	fn files(folder: &Path) -> Vec<String> {
		let entries = fs::read_dir(folder).unwrap();
		let mut names: Vec<_> = entries
			.map(|entry| entry.unwrap().file_name().into_string().unwrap())
			.collect();
		names.sort();
		names
	}

	#[test]
	fn the_next_dataset_is_made_ahead_and_the_last_one_is_kept_for_a_reorganisation() {
		let datasets = datasets(None, |_| true);
		assert_eq!(datasets.mine(29_499), 0);
		assert!(datasets.prepared.lock().is_none());
		assert_eq!(datasets.mine(29_500), 0);
		assert_eq!(datasets.when_prepared(), 2);
		// A reorganisation over the border, back and forth, makes nothing again.
		for number in [29_999, 30_000, 29_998, 30_001, 30_099] {
			assert_eq!(datasets.mine(number), u64::from(number >= 30_000));
		}
		assert_eq!(datasets.metrics.datasets_generated.get(), 2);
		assert_eq!(datasets.in_memory(), [0, 1]);
		assert_eq!(datasets.mine(30_100), 1);
		assert_eq!(datasets.in_memory(), [1]);
		datasets.stop();
	}

	#[test]
	fn without_room_for_two_the_next_dataset_is_made_in_a_file() {
		let folder = tempfile::tempdir().unwrap();
		let datasets = datasets(Some(folder.path()), |_| false);
		assert_eq!(datasets.mine(29_500), 0);
		assert_eq!(datasets.when_prepared(), 2);
		assert_eq!(datasets.in_memory(), [0]);
		assert_eq!(files(folder.path()), ["ethash-epoch-0", "ethash-epoch-1"]);
		for number in [30_000, 29_999, 30_000] {
			let epoch = u64::from(number >= 30_000);
			assert_eq!(datasets.mine(number), epoch);
			assert_eq!(datasets.in_memory(), [epoch]);
		}
		assert_eq!(datasets.metrics.datasets_generated.get(), 2);
		assert_eq!(datasets.mine(30_100), 1);
		assert_eq!(files(folder.path()), ["ethash-epoch-1"]);
		datasets.stop();
	}

	#[test]
	fn without_room_and_without_a_folder_the_next_dataset_is_made_when_it_is_needed() {
		let datasets = datasets(None, |_| false);
		assert_eq!(datasets.mine(29_999), 0);
		assert_eq!(datasets.when_prepared(), 1);
		assert_eq!(datasets.mine(30_000), 1);
		assert_eq!(datasets.in_memory(), [1]);
		datasets.stop();
	}

	#[test]
	fn a_dataset_is_made_once_for_all_threads() {
		let datasets = datasets(None, |_| true);
		std::thread::scope(|scope| {
			for _ in 0..4 {
				scope.spawn(|| datasets.mine(1));
			}
		});
		assert_eq!(datasets.metrics.datasets_generated.get(), 1);
	}

	#[test]
	fn a_dataset_that_a_stopped_thread_began_is_resumed() {
		let datasets = datasets(None, |_| true);
		let cache = Development.cache(0).unwrap();
		// The thread was stopped in the third part.
		let progress = |progress: Progress| {
			if progress.done > 2048 {
				ControlFlow::Break(())
			} else {
				ControlFlow::Continue(())
			}
		};
		let unfinished = Unfinished::new(cache).unwrap().resume(|| 1, progress);
		*datasets.slot(0).lock() = State::Unfinished(unfinished.unwrap_err());
		// Another one that is stopped, too, loses nothing.
		let stopped = AtomicBool::new(true);
		assert_eq!(datasets.get(1, &stopped).err(), Some(Error::Stopped));
		assert!(
			matches!(&*datasets.slot(0).lock(), State::Unfinished(rest) if rest.done() == 2048)
		);
		// And the next one completes it.
		assert_eq!(datasets.mine(1), 0);
		assert_eq!(datasets.metrics.dataset_percent.get(), 100);
		assert_eq!(datasets.metrics.datasets_generated.get(), 1);
	}

	#[test]
	fn a_miner_that_stops_does_not_wait_for_its_dataset() {
		let datasets = datasets(None, |_| true);
		let stopped = AtomicBool::new(true);
		assert_eq!(datasets.get(1, &stopped).err(), Some(Error::Stopped));
		datasets.stop();
		datasets.follow(29_999);
		assert!(datasets.prepared.lock().is_none());
	}

	#[test]
	fn this_machine_has_room_for_nothing_but_not_for_everything() {
		assert!(!has_room(u64::MAX));
	}
}
