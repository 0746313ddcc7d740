// SPDX-License-Identifier: Apache-2.0
//! Checks that the addresses on which the node will listen are free. Substrate itself would take any other
//! RPC port, so that clients talk to the program that has the usual one, and would run on without peers or
//! metrics.

use polkadot_sdk::*;
use sc_network::{multiaddr::Protocol, Multiaddr};
use sc_service::Configuration;
use std::{
	io,
	net::{IpAddr, SocketAddr, TcpListener},
};

/// An address on which the node cannot listen.
#[derive(Debug, thiserror::Error)]
#[error(
	"cannot listen for {service} at {address}: {error}. Perhaps another node is running; give this one another \
	 address with {option}"
)]
pub(crate) struct PortError {
	service: &'static str,
	address: SocketAddr,
	option: &'static str,
	error: io::Error,
}

/// Checks the addresses for RPC, peers and metrics, and forbids to replace a taken RPC port by a random one.
///
/// # Errors
///
/// Returns the first address that cannot be used. An RPC address that is optional (IPv6 beside IPv4) may be
/// taken or missing.
pub(crate) fn check(config: &mut Configuration) -> Result<(), PortError> {
	for endpoint in config.rpc.addr.iter_mut().flatten() {
		endpoint.retry_random_port = false;
		if !endpoint.is_optional {
			check_free("RPC", endpoint.listen_addr, "`--rpc-port`")?;
		}
	}
	let peers = &config.network.listen_addresses;
	for address in peers.iter().filter_map(tcp_address) {
		check_free("peers", address, "`--port`")?;
	}
	if let Some(metrics) = &config.prometheus_config {
		let option = "`--prometheus-port`, or turn the metrics off with `--no-prometheus`";
		check_free("Prometheus", metrics.port, option)?;
	}
	Ok(())
}

fn check_free(
	service: &'static str,
	address: SocketAddr,
	option: &'static str,
) -> Result<(), PortError> {
	match TcpListener::bind(address) {
		Ok(_) => Ok(()),
		// A machine may lack IPv6 altogether.
		Err(error) if address.is_ipv6() && error.kind() != io::ErrorKind::AddrInUse => Ok(()),
		Err(error) => Err(PortError {
			service,
			address,
			option,
			error,
		}),
	}
}

/// Returns the socket address of `/ip4/…/tcp/…` or `/ip6/…/tcp/…`.
fn tcp_address(address: &Multiaddr) -> Option<SocketAddr> {
	let mut parts = address.iter();
	let ip: IpAddr = match parts.next()? {
		Protocol::Ip4(ip) => ip.into(),
		Protocol::Ip6(ip) => ip.into(),
		_ => return None,
	};
	match parts.next()? {
		Protocol::Tcp(port) => Some(SocketAddr::new(ip, port)),
		_ => None,
	}
}
