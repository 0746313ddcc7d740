// SPDX-License-Identifier: Apache-2.0
//! Checks that the addresses on which the node will listen are free. Substrate itself would take any other
//! RPC port, so that clients talk to the program that has the usual one, and would run on without peers or
//! metrics.

use polkadot_sdk::*;
use sc_network::{multiaddr::Protocol, Multiaddr};
use sc_service::Configuration;
use std::{
	io, mem,
	net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
};

/// Why the node cannot listen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PortError {
	/// The system refuses the address.
	#[error("cannot listen for {service} at {address}: {error}. {}", advice(.error, *.address, .option))]
	Refused {
		/// What for.
		service: &'static str,
		/// The address.
		address: SocketAddr,
		/// The option that gives another one.
		option: &'static str,
		/// The system's error.
		error: io::Error,
	},
	/// Two services of this node have the same address.
	#[error(
		"{} and {} are both to listen at {address}: give one of them another address with {} or {}",
		.services[0], .services[1], .options[0], .options[1]
	)]
	Twice {
		/// The address.
		address: SocketAddr,
		/// What for.
		services: [&'static str; 2],
		/// The options that give other ones.
		options: [&'static str; 2],
	},
	/// Peers cannot be reached by this protocol.
	#[error(
		"cannot listen for peers at {0}: expected an address of this machine such as /ip4/0.0.0.0/tcp/30333 or \
		 /ip6/::/tcp/30333, also with /ws at its end. The name or the address by which others reach it is for `--public-addr`"
	)]
	Protocol(Multiaddr),
}

/// Says what to do about an address that the system refuses.
fn advice(error: &io::Error, address: SocketAddr, option: &str) -> String {
	match error.kind() {
		io::ErrorKind::AddrNotAvailable => format!(
			"This machine has no address {}: listen at 0.0.0.0 (or [::]), or at an address that `ip address` shows. A public \
			 address that a router or a provider forwards is for `--public-addr`",
			address.ip()
		),
		io::ErrorKind::PermissionDenied => format!(
			"Ports below 1024 need a right that this user does not have: give another one with {option}"
		),
		io::ErrorKind::AddrInUse => format!(
			"Perhaps another node is running; give this one another address with {option}"
		),
		_ => format!("Give another address with {option}"),
	}
}

/// The protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
	Tcp,
	/// Under WebRTC, by which browsers reach a node.
	Udp,
}

/// An address on which the node is to listen.
struct Wanted {
	service: &'static str,
	transport: Transport,
	address: SocketAddr,
	option: &'static str,
}

/// Checks the addresses for RPC, peers and metrics, and forbids to replace a taken RPC port by a random one. Leaves out the
/// addresses for peers that this machine has no protocol for: with some, the network would not start.
///
/// # Errors
///
/// Returns the first address that cannot be used, or that two services have. An RPC address that is optional (IPv6 beside
/// IPv4) may be taken or missing.
pub(crate) fn check(config: &mut Configuration) -> Result<(), PortError> {
	let mut others = Vec::new();
	for endpoint in config.rpc.addr.iter_mut().flatten() {
		endpoint.retry_random_port = false;
		if !endpoint.is_optional {
			others.push(Wanted::tcp("RPC", endpoint.listen_addr, "`--rpc-port`"));
		}
	}
	if let Some(metrics) = &config.prometheus_config {
		let option = "`--prometheus-port`, or turn the metrics off with `--no-prometheus`";
		others.push(Wanted::tcp("Prometheus", metrics.port, option));
	}
	let addresses = &mut config.network.listen_addresses;
	let peers: Vec<_> = addresses.iter().map(for_peers).collect::<Result<_, _>>()?;
	check_distinct(&others, &peers)?;
	others.iter().try_for_each(check_free)?;
	let mut missing = None;
	for (address, wanted) in mem::take(addresses).into_iter().zip(&peers) {
		match check_free(wanted) {
			Ok(()) => addresses.push(address),
			// A machine may lack IPv6 altogether, and the node listens there without being told to.
			Err(error) if wanted.is_any_ipv6() && !error.is_taken() => missing = Some(error),
			Err(error) => return Err(error),
		}
	}
	match missing {
		Some(error) if addresses.is_empty() => Err(error),
		_ => Ok(()),
	}
}

impl Wanted {
	fn tcp(service: &'static str, address: SocketAddr, option: &'static str) -> Self {
		Self {
			service,
			transport: Transport::Tcp,
			address,
			option,
		}
	}

	fn is_any_ipv6(&self) -> bool {
		self.address.is_ipv6() && self.address.ip().is_unspecified()
	}

	/// Returns whether only one program can listen at these addresses. With port 0, the system chooses a free one.
	fn collides_with(&self, other: &Self) -> bool {
		let (a, b) = (self.address.ip(), other.address.ip());
		self.transport == other.transport
			&& self.address.port() != 0
			&& self.address.port() == other.address.port()
			&& a.is_ipv4() == b.is_ipv4()
			&& (a == b || a.is_unspecified() || b.is_unspecified())
	}
}

impl PortError {
	/// Returns whether another program listens there.
	fn is_taken(&self) -> bool {
		matches!(self, Self::Refused { error, .. } if error.kind() == io::ErrorKind::AddrInUse)
	}
}

/// Checks that no two services have the same address. Each of them alone could listen there.
fn check_distinct(others: &[Wanted], peers: &[Wanted]) -> Result<(), PortError> {
	for (index, one) in others.iter().enumerate() {
		let mut rest = others.iter().skip(index + 1).chain(peers);
		if let Some(other) = rest.find(|other| other.collides_with(one)) {
			return Err(PortError::Twice {
				address: one.address,
				services: [one.service, other.service],
				options: [one.option, other.option],
			});
		}
	}
	Ok(())
}

fn check_free(wanted: &Wanted) -> Result<(), PortError> {
	let Wanted {
		service,
		transport,
		address,
		option,
	} = *wanted;
	let listens = match transport {
		Transport::Tcp => TcpListener::bind(address).map(drop),
		Transport::Udp => UdpSocket::bind(address).map(drop),
	};
	listens.map_err(|error| PortError::Refused {
		service,
		address,
		option,
		error,
	})
}

/// Returns the port of an address for peers: `/ip4/…/tcp/…` or `/ip6/…/tcp/…`, also with `/ws` after it, or
/// `/ip4/…/udp/…/webrtc-direct`.
///
/// # Errors
///
/// Returns an error for what the network would ignore.
fn for_peers(address: &Multiaddr) -> Result<Wanted, PortError> {
	let parts: Vec<_> = address.iter().take(3).collect();
	let ip: Option<IpAddr> = match parts.first() {
		Some(Protocol::Ip4(ip)) => Some((*ip).into()),
		Some(Protocol::Ip6(ip)) => Some((*ip).into()),
		_ => None,
	};
	let (ip, transport, port) = match (ip, parts.get(1..).unwrap_or_default()) {
		(
			Some(ip),
			[Protocol::Tcp(port)]
			| [Protocol::Tcp(port), Protocol::Ws(_) | Protocol::Wss(_) | Protocol::P2p(_)],
		) => (ip, Transport::Tcp, *port),
		(Some(ip), [Protocol::Udp(port), Protocol::WebRTCDirect]) => (ip, Transport::Udp, *port),
		_ => return Err(PortError::Protocol(address.clone())),
	};
	Ok(Wanted {
		service: "peers",
		transport,
		address: SocketAddr::new(ip, port),
		option: "`--port`",
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	fn wanted(service: &'static str, address: &str) -> Wanted {
		Wanted::tcp(service, address.parse().unwrap(), "`--port`")
	}

	fn peers(address: &str) -> Result<Wanted, PortError> {
		for_peers(&address.parse().unwrap())
	}

	#[test]
	fn two_services_do_not_share_an_address() {
		let distinct = |one, other| {
			let peers = peers(other).unwrap();
			check_distinct(&[wanted("RPC", one)], &[peers]).is_ok()
		};
		assert!(!distinct("127.0.0.1:9944", "/ip4/127.0.0.1/tcp/9944"));
		assert!(!distinct("127.0.0.1:9944", "/ip4/0.0.0.0/tcp/9944/ws"));
		assert!(distinct("127.0.0.1:9944", "/ip4/127.0.0.1/tcp/9945"));
		assert!(distinct("127.0.0.1:9944", "/ip6/::/tcp/9944"));
		assert!(distinct(
			"127.0.0.1:9944",
			"/ip4/0.0.0.0/udp/9944/webrtc-direct"
		));
		assert!(distinct("127.0.0.1:0", "/ip4/127.0.0.1/tcp/0"));
		let services = ["RPC", "Prometheus"].map(|service| wanted(service, "127.0.0.1:9944"));
		let twice = check_distinct(&services, &[]).unwrap_err().to_string();
		assert!(
			twice.starts_with("RPC and Prometheus are both to listen at 127.0.0.1:9944"),
			"{twice}"
		);
	}

	#[test]
	fn a_refused_address_says_what_is_wrong_with_it() {
		// Addresses for documents, which no machine has (RFC 5737, RFC 3849).
		for address in [
			"/ip4/192.0.2.1/tcp/30333",
			"/ip6/2001:db8::1/tcp/30333",
			"/ip4/192.0.2.1/udp/30333/webrtc-direct",
		] {
			let refused = check_free(&peers(address).unwrap()).unwrap_err();
			assert!(
				!refused.is_taken() && !refused.to_string().contains("another node"),
				"{refused}"
			);
		}
		let port = TcpListener::bind("127.0.0.1:0").unwrap();
		let address = port.local_addr().unwrap().to_string();
		let taken = check_free(&wanted("RPC", &address)).unwrap_err();
		assert!(
			taken.is_taken() && taken.to_string().contains("another node"),
			"{taken}"
		);
		let address = "0.0.0.0:80".parse().unwrap();
		let said = |kind: io::ErrorKind| advice(&kind.into(), address, "`--port`");
		assert!(said(io::ErrorKind::PermissionDenied).starts_with("Ports below 1024"));
		assert!(said(io::ErrorKind::AddrNotAvailable).contains("`--public-addr`"));
	}

	#[test]
	fn peers_are_reached_by_tcp_or_webrtc() {
		for (text, transport) in [
			("/ip4/0.0.0.0/tcp/30333", Transport::Tcp),
			("/ip6/::/tcp/30333/ws", Transport::Tcp),
			("/ip6/::/udp/30333/webrtc-direct", Transport::Udp),
		] {
			assert_eq!(
				peers(text).map(|found| found.transport).ok(),
				Some(transport),
				"{text}"
			);
		}
		for text in [
			"/dns/node.example.org/tcp/30333",
			"/ip4/0.0.0.0/udp/30333/quic-v1",
			"/ip4/0.0.0.0/tcp/30333/http",
			"/ip4/0.0.0.0",
		] {
			assert!(peers(text).is_err(), "{text}");
		}
	}
}
