//! The custom broadcast of the reference's example agent (spec 8.1), or none at all.
//!
//! item = bincode standard of `{key: {addr: SocketAddr, version: u64}, msg: String}`, whichever
//! codec the packet itself uses. An item is new when its address is unknown or its version is
//! greater than the one seen last; its key invalidates queued items of the same address with a
//! lower version.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use foca::{BroadcastHandler, Invalidates};
use serde::{Deserialize, Serialize};

use crate::id::{Bump, Id};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub addr: SocketAddr,
    pub version: u64,
}

impl Invalidates for Key {
    fn invalidates(&self, other: &Self) -> bool {
        self.addr == other.addr && self.version > other.version
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub key: Key,
    pub msg: String,
}

impl Item {
    pub fn encode(&self) -> Vec<u8> {
        bincode::serde::encode_to_vec(self, bincode::config::standard())
            .expect("an item always encodes")
    }

    /// Decodes one item; bytes behind it are ignored.
    pub fn decode(data: &[u8]) -> Result<Self, String> {
        bincode::serde::decode_from_slice(data, bincode::config::standard())
            .map(|(item, _consumed)| item)
            .map_err(|error| format!("{error:?}"))
    }
}

#[derive(Debug)]
pub struct HandlerError(String);

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HandlerError {}

/// What a received item was, for those who want to print it.
pub type OnNew<B> = Box<dyn FnMut(&Item, Option<&Id<B>>)>;

/// `Off` refuses every item like the crate's own `NoCustomBroadcast`.
pub enum Handler<B> {
    Off,
    Versioned {
        seen: BTreeMap<SocketAddr, u64>,
        /// Members at these addresses are not sent items (`should_add_broadcast_data`).
        refused: Vec<SocketAddr>,
        on_new: OnNew<B>,
    },
}

impl<B: Bump> Handler<B> {
    pub fn versioned(refused: Vec<SocketAddr>, on_new: OnNew<B>) -> Self {
        Self::Versioned {
            seen: BTreeMap::new(),
            refused,
            on_new,
        }
    }
}

impl<B: Bump> BroadcastHandler<Id<B>> for Handler<B> {
    type Key = Key;
    type Error = HandlerError;

    fn receive_item(
        &mut self,
        data: &[u8],
        sender: Option<&Id<B>>,
    ) -> Result<Option<Key>, HandlerError> {
        let Self::Versioned { seen, on_new, .. } = self else {
            return Err(HandlerError("no handler".into()));
        };
        let item = Item::decode(data).map_err(HandlerError)?;
        if seen
            .get(&item.key.addr)
            .is_some_and(|known| item.key.version <= *known)
        {
            return Ok(None);
        }
        seen.insert(item.key.addr, item.key.version);
        on_new(&item, sender);
        Ok(Some(item.key))
    }

    fn should_add_broadcast_data(&self, id: &Id<B>) -> bool {
        match self {
            Self::Off => true,
            Self::Versioned { refused, .. } => !refused.contains(&id.addr),
        }
    }
}
