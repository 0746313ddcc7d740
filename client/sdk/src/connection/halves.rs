// SPDX-License-Identifier: Apache-2.0
//! The sending and the receiving half of a connection, which end together.
//!
//! If packets are dropped on the way, the system keeps a connection for a quarter of an hour. The receiving
//! half ends it sooner, when the node has been silent for too long. The sending half may then be in the middle
//! of a message that the system no longer takes, so it gives that message up.

use std::time::Duration;
use subxt::ext::jsonrpsee::core::{
	async_trait,
	client::{ReceivedMessage, TransportReceiverT, TransportSenderT},
};
use tokio::{sync::watch, time::timeout};

/// How long a message that closes the connection may take to send.
const CLOSING: Duration = Duration::from_secs(1);

/// Why a half of a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended<E> {
	/// The transport failed.
	#[error(transparent)]
	Transport(#[from] E),
	/// The node sent nothing, although it was pinged.
	#[error("the node was silent for {} s", .0.as_secs())]
	Silent(Duration),
	/// The receiving half ended.
	#[error("the connection has ended")]
	Over,
}

/// The half that sends.
pub(super) struct Sending<S> {
	to: S,
	/// Changes when the receiving half is dropped.
	receiving: watch::Receiver<()>,
}

/// The half that receives.
pub(super) struct Receiving<R> {
	from: R,
	silence: Duration,
	_receiving: watch::Sender<()>,
}

/// Joins the two halves of a transport. They end when nothing is received for `silence`.
pub(super) fn join<S, R>(to: S, from: R, silence: Duration) -> (Sending<S>, Receiving<R>) {
	let (sender, receiving) = watch::channel(());
	let receiver = Receiving {
		from,
		silence,
		_receiving: sender,
	};
	(Sending { to, receiving }, receiver)
}

#[async_trait]
impl<S: TransportSenderT + Send> TransportSenderT for Sending<S>
where
	S::Error: 'static,
{
	type Error = Ended<S::Error>;

	async fn send(&mut self, message: String) -> Result<(), Self::Error> {
		tokio::select! {
			sent = self.to.send(message) => Ok(sent?),
			_ = self.receiving.changed() => Err(Ended::Over),
		}
	}

	async fn send_ping(&mut self) -> Result<(), Self::Error> {
		tokio::select! {
			sent = self.to.send_ping() => Ok(sent?),
			_ = self.receiving.changed() => Err(Ended::Over),
		}
	}

	async fn close(&mut self) -> Result<(), Self::Error> {
		match timeout(CLOSING, self.to.close()).await {
			Ok(closed) => Ok(closed?),
			Err(_) => Err(Ended::Over),
		}
	}
}

#[async_trait]
impl<R: TransportReceiverT + Send> TransportReceiverT for Receiving<R>
where
	R::Error: 'static,
{
	type Error = Ended<R::Error>;

	async fn receive(&mut self) -> Result<ReceivedMessage, Self::Error> {
		match timeout(self.silence, self.from.receive()).await {
			Ok(received) => Ok(received?),
			Err(_) => Err(Ended::Silent(self.silence)),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::{convert::Infallible, future::pending};
	use subxt::ext::jsonrpsee::core::client::{
		async_client::PingConfig, Client as RpcConnection, ClientT,
	};

	/// A transport to a machine that has gone: it takes nothing, and gives nothing.
	struct Dead;

	#[async_trait]
	impl TransportSenderT for Dead {
		type Error = Infallible;

		async fn send(&mut self, _: String) -> Result<(), Infallible> {
			pending().await
		}

		async fn close(&mut self) -> Result<(), Infallible> {
			pending().await
		}
	}

	#[async_trait]
	impl TransportReceiverT for Dead {
		type Error = Infallible;

		async fn receive(&mut self) -> Result<ReceivedMessage, Infallible> {
			pending().await
		}
	}

	/// Without the halves, the request waits for ever: the client waits for its message to be taken.
	#[tokio::test]
	async fn a_message_that_is_not_taken_does_not_outlive_the_connection() {
		let silence = Duration::from_millis(20);
		let (sending, receiving) = join(Dead, Dead, silence);
		let ping = PingConfig::new().ping_interval(Duration::from_millis(5));
		let connection = RpcConnection::builder()
			.request_timeout(Duration::from_secs(3_600))
			.enable_ws_ping(ping)
			.build_with_tokio(sending, receiving);
		let params = subxt::rpcs::rpc_params![].build();
		let asked = ClientT::request::<String, _>(&connection, "system_name", Params(params)).await;
		let error = asked.unwrap_err().to_string();
		assert!(error.contains("the node was silent for 0 s"), "{error}");
		assert!(!connection.is_connected());
	}

	struct Params(Option<Box<serde_json::value::RawValue>>);

	impl subxt::ext::jsonrpsee::core::traits::ToRpcParams for Params {
		fn to_rpc_params(
			self,
		) -> Result<Option<Box<serde_json::value::RawValue>>, serde_json::Error> {
			Ok(self.0)
		}
	}
}
