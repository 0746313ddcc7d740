// SPDX-License-Identifier: Apache-2.0
//! Names the concrete types that make up a node: client, pool, database, fork choice and block import.
//!
//! All other modules take these types from here. The modules of `service` create the values.

use isthmus_engine::{Chain, HeaviestChain, PowBlockImport, Sealer};
use isthmus_primitives::Block;
use isthmus_runtime::RuntimeApi;
use polkadot_sdk::*;
use sc_consensus_grandpa::{GrandpaBlockImport, LinkHalf};

/// The client: blocks, state and the runtime.
pub type FullClient = sc_service::TFullClient<Block, RuntimeApi, crate::genesis::Executor>;
/// The database.
pub type FullBackend = sc_service::TFullBackend<Block>;
/// The chain's parameters, and the checks of headers and blocks.
pub type FullChain = Chain<FullClient>;
/// Fork choice: the heaviest chain that contains the finalized block.
pub type FullSelectChain = HeaviestChain<FullBackend, FullClient>;
/// GRANDPA's part of block import.
pub type FullGrandpaImport = GrandpaBlockImport<FullBackend, Block, FullClient, FullSelectChain>;
/// Block import. Before a block gets here, the verifier has checked its header and seal.
pub type FullImport = PowBlockImport<FullGrandpaImport, FullBackend, FullClient>;
/// Turns sealed templates into blocks.
pub type FullSealer = Sealer<FullImport, FullClient>;
/// The part of block import that GRANDPA's voter needs.
pub(crate) type FullGrandpaLink = LinkHalf<Block, FullClient, FullSelectChain>;
