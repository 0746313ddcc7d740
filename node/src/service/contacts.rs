// SPDX-License-Identifier: Apache-2.0
//! Looks why a node that the operator named is not a peer. The network dials bootnodes and reserved nodes again and again, and
//! says nothing if that fails.

use futures::{channel::oneshot, future::join_all};
use polkadot_sdk::*;
use sc_network::{
	config::{MultiaddrWithPeerId, NetworkConfiguration},
	multiaddr::Protocol,
	Multiaddr,
};
use std::{
	io,
	net::{SocketAddr, ToSocketAddrs},
	thread,
	time::Duration,
};
use tokio::{net::TcpStream, time::timeout};

/// How long a name or an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The greatest number of nodes that are looked at.
const MOST: usize = 16;

/// The nodes that the command line and the chain's specification name.
pub(super) struct Contacts(Vec<Multiaddr>);

/// What there is at a node's address.
#[derive(Debug)]
enum Found {
	/// Its name does not resolve.
	NoName(io::Error),
	/// Nothing answers.
	Silence(io::Error),
	/// A program answers.
	Answer,
}

impl Contacts {
	pub(super) fn new(network: &NetworkConfiguration) -> Self {
		let reserved = &network.default_peers_set.reserved_nodes;
		// A bootnode may find itself in the specification.
		let own = network.node_key.clone().into_keypair();
		let own = own.ok().map(|key| key.public().to_peer_id());
		let mut addresses: Vec<_> = reserved
			.iter()
			.chain(&network.boot_nodes)
			.filter(|node| Some(node.peer_id) != own)
			.map(MultiaddrWithPeerId::concat)
			.collect();
		addresses.truncate(MOST);
		Self(addresses)
	}

	/// Returns a line about each node that cannot be a peer; if this node has peers, only about names that do not resolve,
	/// because the others need not have a place for it.
	pub(super) async fn look(&self, is_alone: bool) -> Vec<String> {
		let found = join_all(self.0.iter().map(find)).await;
		self.0
			.iter()
			.zip(found)
			.filter_map(|(address, found)| line(address, &found?, is_alone))
			.collect()
	}
}

/// Returns a line about a node, if there is something to say.
fn line(address: &Multiaddr, found: &Found, is_alone: bool) -> Option<String> {
	Some(match found {
		Found::NoName(error) => format!(
			"the node {address} cannot be found: its name does not resolve ({error}). Check the name, and this machine's DNS"
		),
		_ if !is_alone => return None,
		Found::Silence(error) => format!(
			"the node {address} cannot be reached: {error}. Check the address and the port, and whether that node runs and \
			 a firewall lets this one in"
		),
		Found::Answer => format!(
			"the node {address} can be reached, but is not a peer: perhaps its peer id is another one (its log names it, as \
			 the local node identity), its chain is another one, or it has no place for this node"
		),
	})
}

/// Looks what there is at an address. `None` if it has no port of TCP.
async fn find(address: &Multiaddr) -> Option<Found> {
	let mut parts = address.iter();
	let host = match parts.next()? {
		Protocol::Dns(host) | Protocol::Dns4(host) | Protocol::Dns6(host) => host.into_owned(),
		Protocol::Ip4(ip) => ip.to_string(),
		Protocol::Ip6(ip) => ip.to_string(),
		_ => return None,
	};
	let Protocol::Tcp(port) = parts.next()? else {
		return None;
	};
	let addresses = match resolve(host, port).await {
		Ok(addresses) => addresses,
		Err(error) => return Some(Found::NoName(error)),
	};
	let connected = timeout(PATIENCE, TcpStream::connect(&addresses[..])).await;
	Some(match connected.unwrap_or_else(|_| Err(late())) {
		Ok(_) => Found::Answer,
		Err(error) => Found::Silence(error),
	})
}

/// Asks the system for a host's addresses. It may wait long for an answer, so a thread of its own asks: the node would wait
/// for one of the runtime's when it stops.
async fn resolve(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
	let (tell, answer) = oneshot::channel();
	thread::Builder::new()
		.name("resolve".into())
		.spawn(move || {
			let found = (host, port).to_socket_addrs();
			// If the answer comes too late, no one waits for it.
			let _ = tell.send(found.map(Iterator::collect));
		})?;
	match timeout(PATIENCE, answer).await {
		Ok(Ok(found)) => found,
		_ => Err(late()),
	}
}

fn late() -> io::Error {
	io::ErrorKind::TimedOut.into()
}

#[cfg(test)]
mod tests {
	use super::*;

	const PEER: &str = "p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";

	async fn lines(address: &str, is_alone: bool) -> Vec<String> {
		let contacts = Contacts(vec![address.parse().unwrap()]);
		contacts.look(is_alone).await
	}

	#[tokio::test]
	async fn a_name_that_does_not_resolve_is_named() {
		// No name has so long a part, so no one is asked for it.
		let name = format!("/dns/{}.example/tcp/30333/{PEER}", "a".repeat(64));
		for is_alone in [false, true] {
			let said = lines(&name, is_alone).await;
			assert!(
				said[0].contains(&name) && said[0].contains("does not resolve"),
				"{said:?}"
			);
		}
	}

	#[tokio::test]
	async fn a_node_that_is_no_peer_is_named_if_there_are_no_others() {
		let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
		let number = port.local_addr().unwrap().port();
		let address = format!("/ip4/127.0.0.1/tcp/{number}/ws/{PEER}");
		assert!(lines(&address, false).await.is_empty());
		let said = lines(&address, true).await;
		assert!(
			said[0].contains("can be reached, but is not a peer"),
			"{said:?}"
		);
		drop(port);
		let said = lines(&address, true).await;
		assert!(said[0].contains("cannot be reached"), "{said:?}");
		let webrtc = format!("/ip4/127.0.0.1/udp/{number}/webrtc-direct");
		assert!(lines(&webrtc, true).await.is_empty());
	}
}
