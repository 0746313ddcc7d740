// SPDX-License-Identifier: Apache-2.0
//! Checks that the addresses on which the node will listen are free, and that no two of its services have the same one.
//! Substrate itself would take any other RPC port, so that clients talk to the program that has the usual one, and would run
//! on without peers or metrics.

use polkadot_sdk::*;
use sc_cli::RunCmd;
use sc_network::{multiaddr::Protocol, Multiaddr};
use sc_service::Configuration;
use socket2::{Domain, Socket, Type};
use std::{
	io, mem,
	net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
};

/// How many connections may wait at a port that is only tried.
const BACKLOG: i32 = 1;

/// The option for the address of the metrics.
const METRICS: &str = "--prometheus-port";

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
		"{} and {} are both to listen at {address}: give one of them another address with `{}` or `{}`{}",
		.services[0], .services[1], .options[0], .options[1], without_metrics(.options)
	)]
	Shared {
		/// The address.
		address: SocketAddr,
		/// What for.
		services: [&'static str; 2],
		/// The options that give other ones.
		options: [&'static str; 2],
	},
	/// An option names the same address twice.
	#[error(
		"`{option}` is given twice with {address} for {service}: leave one of them out, or give it another port"
	)]
	Twice {
		/// The address.
		address: SocketAddr,
		/// What for.
		service: &'static str,
		/// The option.
		option: &'static str,
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
	let off = without_metrics(&[option]);
	match error.kind() {
		io::ErrorKind::AddrNotAvailable => format!(
			"This machine has no address {}: listen at 0.0.0.0 (or [::]), or at an address that `ip address` shows. A public \
			 address that a router or a provider forwards is for `--public-addr`",
			address.ip()
		),
		io::ErrorKind::PermissionDenied => format!(
			"Ports below 1024 need a right that this user does not have: give another one with `{option}`{off}"
		),
		io::ErrorKind::AddrInUse => format!(
			"Perhaps another node is running; give this one another address with `{option}`{off}"
		),
		_ => format!("Give another address with `{option}`{off}"),
	}
}

/// Returns the end of a sentence about these options: the metrics are also turned off.
fn without_metrics(options: &[&str]) -> &'static str {
	match options.contains(&METRICS) {
		true => ", or turn the metrics off with `--no-prometheus`",
		false => "",
	}
}

/// The options with which the addresses for RPC and for peers were given. Each has two.
#[derive(Clone, Copy)]
pub(crate) struct Given {
	rpc: &'static str,
	peers: &'static str,
}

impl Given {
	/// Returns the options of a command line.
	pub(crate) fn new(run: &RunCmd) -> Self {
		let rpc = match run.rpc_params.experimental_rpc_endpoint.is_empty() {
			true => "--rpc-port",
			false => "--experimental-rpc-endpoint",
		};
		let peers = match run.network_params.listen_addr.is_empty() {
			true => "--port",
			false => "--listen-addr",
		};
		Self { rpc, peers }
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
pub(crate) struct Wanted {
	service: &'static str,
	transport: Transport,
	address: SocketAddr,
	option: &'static str,
	/// Whether the node does without it.
	is_optional: bool,
	/// Whether an IPv6 address is taken without the IPv4 ones. By default most systems give `[::]` both.
	is_ipv6_only: bool,
}

/// Checks the addresses for RPC, peers, metrics and miners, and forbids to replace a taken RPC port by a random one. Leaves out
/// the addresses for peers that this machine has no protocol for: with some, the network would not start.
///
/// # Errors
///
/// Returns the first address that cannot be used, or that two services have. An RPC address that is optional (IPv6 beside
/// IPv4) may be taken by another program, or missing.
pub(crate) fn check(
	config: &mut Configuration,
	given: Given,
	for_miners: Vec<Wanted>,
) -> Result<(), PortError> {
	let mut others = Vec::new();
	for endpoint in config.rpc.addr.iter_mut().flatten() {
		endpoint.retry_random_port = false;
		others.push(Wanted {
			is_optional: endpoint.is_optional,
			..Wanted::tcp("RPC", endpoint.listen_addr, given.rpc)
		});
	}
	if let Some(metrics) = &config.prometheus_config {
		others.push(Wanted::tcp("Prometheus", metrics.port, METRICS));
	}
	others.extend(for_miners);
	let addresses = &mut config.network.listen_addresses;
	let peers: Vec<_> = addresses
		.iter()
		.map(|address| for_peers(address, given.peers))
		.collect::<Result<_, _>>()?;
	let all: Vec<_> = others.iter().chain(&peers).collect();
	check_distinct(&all)?;
	let mut needed = others.iter().filter(|wanted| !wanted.is_optional);
	needed.try_for_each(check_free)?;
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
	/// Returns a TCP address of a service, and the option that gives it.
	pub(crate) fn tcp(service: &'static str, address: SocketAddr, option: &'static str) -> Self {
		Self {
			service,
			transport: Transport::Tcp,
			address,
			option,
			is_optional: false,
			is_ipv6_only: false,
		}
	}

	/// Opens it.
	///
	/// # Errors
	///
	/// Returns [`PortError::Refused`].
	pub(crate) fn open(
		&self,
		open: impl FnOnce(SocketAddr) -> io::Result<TcpListener>,
	) -> Result<TcpListener, PortError> {
		open(self.address).map_err(|error| self.refused(error))
	}

	fn refused(&self, error: io::Error) -> PortError {
		PortError::Refused {
			service: self.service,
			address: self.address,
			option: self.option,
			error,
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
			&& match a.is_ipv4() == b.is_ipv4() {
				true => a == b || a.is_unspecified() || b.is_unspecified(),
				false => self.takes_ipv4_of(other) || other.takes_ipv4_of(self),
			}
	}

	/// Returns whether this address takes an IPv4 one, too. The system says it: one that is free is not free any more.
	fn takes_ipv4_of(&self, other: &Self) -> bool {
		self.is_any_ipv6()
			&& !self.is_ipv6_only
			&& !self.is_optional
			&& !other.is_optional
			&& check_free(other).is_ok()
			&& TcpListener::bind(self.address).is_ok_and(|_held| check_free(other).is_err())
	}
}

impl PortError {
	/// Returns whether another program listens there.
	fn is_taken(&self) -> bool {
		matches!(self, Self::Refused { error, .. } if error.kind() == io::ErrorKind::AddrInUse)
	}
}

/// Checks that no two services have the same address. Each of them alone could listen there.
fn check_distinct(all: &[&Wanted]) -> Result<(), PortError> {
	for (index, one) in all.iter().enumerate() {
		let mut rest = all.iter().skip(index + 1);
		let Some(other) = rest.find(|other| other.collides_with(one)) else {
			continue;
		};
		let address = one.address;
		return Err(match one.service == other.service {
			true => PortError::Twice {
				address,
				service: one.service,
				option: one.option,
			},
			false => PortError::Shared {
				address,
				services: [one.service, other.service],
				options: [one.option, other.option],
			},
		});
	}
	Ok(())
}

fn check_free(wanted: &Wanted) -> Result<(), PortError> {
	let address = wanted.address;
	let listens = match wanted.transport {
		_ if wanted.is_ipv6_only && address.is_ipv6() => {
			listen_ipv6_only(wanted.transport, address)
		}
		Transport::Tcp => TcpListener::bind(address).map(drop),
		Transport::Udp => UdpSocket::bind(address).map(drop),
	};
	listens.map_err(|error| wanted.refused(error))
}

/// Takes an IPv6 address for a moment as the network does, which leaves the IPv4 ones with the same port to other programs.
fn listen_ipv6_only(transport: Transport, address: SocketAddr) -> io::Result<()> {
	let kind = match transport {
		Transport::Tcp => Type::STREAM,
		Transport::Udp => Type::DGRAM,
	};
	let socket = Socket::new(Domain::IPV6, kind, None)?;
	socket.set_only_v6(true)?;
	if transport == Transport::Udp {
		return socket.bind(&address.into());
	}
	socket.set_reuse_address(true)?;
	socket.bind(&address.into())?;
	socket.listen(BACKLOG)
}

/// Returns the port of an address for peers: `/ip4/…/tcp/…` or `/ip6/…/tcp/…`, also with `/ws` after it, or
/// `/ip4/…/udp/…/webrtc-direct`.
///
/// # Errors
///
/// Returns an error for what the network would ignore.
fn for_peers(address: &Multiaddr, option: &'static str) -> Result<Wanted, PortError> {
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
		transport,
		is_ipv6_only: true,
		..Wanted::tcp("peers", SocketAddr::new(ip, port), option)
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	fn wanted(service: &'static str, address: &str, option: &'static str) -> Wanted {
		Wanted::tcp(service, address.parse().unwrap(), option)
	}

	fn peers(address: &str) -> Result<Wanted, PortError> {
		for_peers(&address.parse().unwrap(), "--port")
	}

	fn said(one: &Wanted, other: &Wanted) -> String {
		check_distinct(&[one, other]).map_or_else(|error| error.to_string(), |()| String::new())
	}

	#[test]
	fn two_services_do_not_share_an_address() {
		let distinct = |one, other| {
			let rpc = wanted("RPC", one, "--rpc-port");
			said(&rpc, &peers(other).unwrap()).is_empty()
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
	}

	#[test]
	fn both_services_are_named_with_their_options() {
		let services = [
			("RPC", "--rpc-port"),
			("Prometheus", "--prometheus-port"),
			("getWork", "--miners-listen"),
			("Stratum", "--stratum-listen"),
			("peers", "--port"),
		];
		for (index, (service, option)) in services.into_iter().enumerate() {
			for (other, other_option) in services.into_iter().skip(index + 1) {
				let said = said(
					&wanted(service, "127.0.0.1:9944", option),
					&wanted(other, "0.0.0.0:9944", other_option),
				);
				let expected = format!(
					"{service} and {other} are both to listen at 127.0.0.1:9944: give one of them another address with \
					 `{option}` or `{other_option}`"
				);
				assert!(said.starts_with(&expected), "{said}");
				let has_metrics = [service, other].contains(&"Prometheus");
				assert_eq!(
					said.ends_with("`, or turn the metrics off with `--no-prometheus`"),
					has_metrics,
					"{said}"
				);
			}
		}
	}

	#[test]
	fn an_address_that_is_given_twice_is_no_matter_of_two_services() {
		let address = "127.0.0.1:9944";
		let twice = wanted("RPC", address, "--experimental-rpc-endpoint");
		let other = wanted("RPC", "0.0.0.0:9944", "--experimental-rpc-endpoint");
		let said = said(&twice, &other);
		assert_eq!(
			said,
			"`--experimental-rpc-endpoint` is given twice with 127.0.0.1:9944 for RPC: leave one of them out, or give it \
			 another port"
		);
	}

	#[test]
	fn an_ipv6_address_may_take_the_ipv4_ones() {
		// On a machine without IPv6 there is nothing to take.
		let Ok(both) = TcpListener::bind("[::]:0") else {
			return;
		};
		let port = both.local_addr().unwrap().port();
		let four = wanted("RPC", &format!("127.0.0.1:{port}"), "--rpc-port");
		let takes = check_free(&four).is_err();
		drop(both);
		let six = wanted("Stratum", &format!("[::]:{port}"), "--stratum-listen");
		assert_eq!(!said(&four, &six).is_empty(), takes);
		// As with `--rpc-external`: of RPC's two addresses, one is optional.
		let optional = Wanted {
			is_optional: true,
			..six
		};
		assert_eq!(said(&four, &optional), "");
	}

	#[test]
	fn peers_at_an_ipv6_address_leave_the_ipv4_ones_to_others() {
		// On a machine without IPv6 there is nothing to take.
		if TcpListener::bind("[::]:0").is_err() {
			return;
		}
		let tcp = TcpListener::bind("0.0.0.0:0").unwrap();
		let port = tcp.local_addr().unwrap().port();
		for address in [
			format!("/ip6/::/tcp/{port}"),
			format!("/ip6/::/tcp/{port}/ws"),
		] {
			assert!(check_free(&peers(&address).unwrap()).is_ok(), "{address}");
		}
		let four = peers(&format!("/ip4/0.0.0.0/tcp/{port}")).unwrap();
		assert!(check_free(&four).unwrap_err().is_taken());
		let udp = UdpSocket::bind("0.0.0.0:0").unwrap();
		let port = udp.local_addr().unwrap().port();
		let browsers = peers(&format!("/ip6/::/udp/{port}/webrtc-direct")).unwrap();
		assert!(check_free(&browsers).is_ok());
		// What has both takes IPv6, too.
		let both = TcpListener::bind("[::]:0").unwrap();
		let port = both.local_addr().unwrap().port();
		let six = peers(&format!("/ip6/::/tcp/{port}")).unwrap();
		assert!(check_free(&six).unwrap_err().is_taken());
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
		let taken = check_free(&wanted("RPC", &address, "--rpc-port")).unwrap_err();
		assert!(
			taken.is_taken() && taken.to_string().contains("another node"),
			"{taken}"
		);
		let address = "0.0.0.0:80".parse().unwrap();
		let said = |kind: io::ErrorKind| advice(&kind.into(), address, "--port");
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
