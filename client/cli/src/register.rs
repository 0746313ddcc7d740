//! `isthmus register`: joins as a producer.

use crate::{context::Context, error::Error};
use isthmus_sdk::ProducerKind;

/// What the command is given.
#[derive(clap::Args)]
#[command(
	after_help = "Example: isthmus register --kind school \"High School No. 1\" --key school.key"
)]
pub(crate) struct Opts {
	/// What the producer calls itself; everybody can read it.
	#[arg(required_unless_present = "leave")]
	name: Option<String>,

	/// What it is: school, government, business or other.
	#[arg(long, default_value = "other")]
	kind: ProducerKind,

	/// Leave instead; the deposit comes back. All datasets must have been removed.
	#[arg(long)]
	leave: bool,
}

/// Registers, or leaves.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let identity = context.identity().await?;
	let client = &context.client;
	let (call, done) = match opts.leave {
		true => (client.deregister().await?, "left"),
		false => (
			client
				.register(opts.kind, &opts.name.unwrap_or_default())
				.await?,
			"registered",
		),
	};
	let block = context.send(&identity, &call).await?.number();
	context.answer(
		format!("block {block}: {} {done}", identity.id()),
		serde_json::json!({"block": block, "producer": identity.id()}),
	);
	Ok(())
}
