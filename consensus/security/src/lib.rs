// SPDX-License-Identifier: Apache-2.0
//! Computes the odds of the forged-block attack on a proof-of-work chain (section IV.B of the paper): how
//! likely it is that an attacker overtakes the honest chain from z blocks behind, and which depth z a given
//! risk requires.
//!
//! ```
//! use isthmus_security::{depth, exact, Confidence, Model, Race, Risk, Share};
//!
//! // An attacker with a tenth of the hash power reverts a block that is 6 deep with these odds:
//! let attacker = Share::new(0.1)?;
//! assert!((exact(attacker, 6) - 0.000_591).abs() < 1e-6);
//!
//! // A risk below one in a thousand requires 6 blocks on top.
//! assert_eq!(depth(Model::Exact, attacker, Risk::new(0.001)?)?, 6);
//!
//! // Ten thousand simulated attacks from 2 blocks behind agree with the formula.
//! let outcome = Race::new(Model::Exact, attacker, 2, 10_000)?.run(2017, |_| ());
//! assert!(outcome.interval(Confidence::P999).contains(exact(attacker, 2)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | item | meaning |
//! |---|---|
//! | [`algorithm_3`] | algorithm 3 as printed in the paper, line by line |
//! | [`equation_3`] | Eq. 3, the same number without the rounding errors |
//! | [`exact`] | the probability that both approximate |
//! | [`depth`](fn@depth) | the minimum z at which the odds are below a risk |
//! | [`Race`] | a simulation of the attack as a random walk |
//!
//! # The model
//!
//! The attacker has a share q of the network's hash power, and the honest miners have p = 1 − q. While the
//! honest miners find z blocks, the attacker finds k. From z − k blocks behind, the probability that it
//! ever catches up is (q/p)^(z−k), as in a random walk. The paper, like Bitcoin's, assumes that k is
//! Poisson distributed, as if the z honest blocks took exactly the expected time. They do not: k is
//! negative binomial ([`exact`]), and the attacker's odds are better than the paper's, 2.4 times better at
//! q = 0.1 and z = 6.
//!
//! # Out of scope
//!
//! The numbers apply only to private forks on proof of work. A finalized block cannot be reverted by such a
//! fork, whatever its odds. The plot of Fig. 5 is drawn by the command `isthmus risk`, and `scripts/attack`
//! runs the attack against real nodes.
//!
//! # Errata of the paper
//!
//! - Eq. 3 prints λ = Z·q/p; Z is z.
//! - Algorithm 3 is Bitcoin's and holds only for q < p. For q ≥ p the attacker always catches up, but the
//!   printed lines return more than 1; [`equation_3`] and [`exact`] return 1.
//! - Line 9 subtracts nearly equal numbers, so the printed lines return noise, even negative, if P_z is
//!   below about 10^−15; and line 6 underflows to 0 for λ above 745, so that the result is 1.
//! - "The value of z exponentially declines" refers to P_z.

#![forbid(unsafe_code)]

mod depth;
mod interval;
mod odds;
mod race;
mod share;

pub use depth::{depth, DepthError, Model, MAX_DEPTH};
pub use interval::{Confidence, Interval};
pub use odds::{algorithm_3, equation_3, exact};
pub use race::{Outcome, Race, RaceError, MAX_BEHIND, MISSED};
pub use share::{Risk, RiskError, Share, ShareError};
