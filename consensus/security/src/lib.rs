//! Section IV.B of the paper, the forged block attack: the odds that an attacker overtakes the honest
//! chain from z blocks behind, and the depth z that a given risk calls for.
//!
//! | here | what it is |
//! |---|---|
//! | [`algorithm_3`] | algorithm 3 as printed, line by line |
//! | [`equation_3`] | the same number, Eq. 3, without its rounding errors |
//! | [`exact`] | the probability that both approximate |
//! | [`depth`] | the least z at which the odds are under a risk |
//! | [`Race`] | the attack simulated, by the toss of a coin, and counted |
//!
//! The attacker has the share q of the network's hash power, the honest miners p = 1 − q. While the
//! honest miners find z blocks, the attacker finds k; from z − k behind, it ever catches up with the
//! probability (q/p)^(z−k), a random walk's. The paper, after Bitcoin's, takes k as Poisson distributed,
//! as if the honest miners' z blocks took exactly the expected time. They do not, and k is negative
//! binomial ([`exact`]): the attacker's odds are better than the paper's, at q = 0.1 and z = 6 by 2.4
//! times.
//!
//! # Errata of the paper
//!
//! - Eq. 3 prints λ = Z·q/p; Z is z.
//! - Algorithm 3 is Bitcoin's and holds for q < p only. From q = p on the attacker always catches up,
//!   but the printed lines give more than one; [`equation_3`] and [`exact`] give one.
//! - Line 9 takes nearly equal numbers from each other, so the printed lines give noise, even negative,
//!   where P_z is under about 10^−15; and line 6 is zero where λ passes 745, so that the result is one.
//! - "The value of z exponentially declines" speaks of P_z.
//!
//! Not here: the plot of Fig. 5 (the `isthmus risk` command), attacks on real nodes (`scripts/attack`), and
//! finality, which a private fork does not pass whatever its odds.

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
