//! Identities `{addr, bump}` and the two codecs, chosen at run time.
//!
//! The text form of an identity is `ADDR#BUMP`, e.g. `127.0.0.1:8000#5` or `[::1]:8000#5`. It is
//! the only form used in scripts, vectors and agent output.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use bincode::config::Configuration;
use bytes::{Buf, BufMut};
use foca::{BincodeCodec, Codec, Header, Identity, Member, PostcardCodec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Whether `renew()` gives a new identity. Not part of the identity: it never goes on the wire.
static RENEWABLE: AtomicBool = AtomicBool::new(true);

/// Lets every identity of this process renew itself, or none.
pub fn set_renewable(yes: bool) {
    RENEWABLE.store(yes, Ordering::Relaxed);
}

/// The integer that tells two lives of one address apart.
pub trait Bump:
    Copy + Eq + Ord + fmt::Debug + fmt::Display + FromStr + Serialize + DeserializeOwned + 'static
{
    /// Bits of the type: 16 or 64.
    const WIDTH: u64;
    fn next(self) -> Self;
    /// None when the value does not fit.
    fn from_u64(value: u64) -> Option<Self>;
}

impl Bump for u16 {
    const WIDTH: u64 = 16;
    fn next(self) -> Self {
        self.wrapping_add(1)
    }
    fn from_u64(value: u64) -> Option<Self> {
        value.try_into().ok()
    }
}

impl Bump for u64 {
    const WIDTH: u64 = 64;
    fn next(self) -> Self {
        self.wrapping_add(1)
    }
    fn from_u64(value: u64) -> Option<Self> {
        Some(value)
    }
}

/// One life of one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Id<B> {
    pub addr: SocketAddr,
    pub bump: B,
}

impl<B: Bump> Id<B> {
    /// Reads `ADDR#BUMP`; the bump is mandatory.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (addr, bump) = text
            .rsplit_once('#')
            .ok_or_else(|| format!("identity {text:?} has no '#': write ADDR#BUMP"))?;
        Ok(Self {
            addr: addr
                .parse()
                .map_err(|_| format!("{addr:?} is not IP:PORT"))?,
            bump: bump
                .parse()
                .map_err(|_| format!("bump {bump:?} is not a {}-bit number", B::WIDTH))?,
        })
    }
}

impl<B: Bump> fmt::Display for Id<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.addr, self.bump)
    }
}

impl<B: Bump> Identity for Id<B> {
    type Addr = SocketAddr;

    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn renew(&self) -> Option<Self> {
        RENEWABLE.load(Ordering::Relaxed).then(|| Self {
            addr: self.addr,
            bump: self.bump.next(),
        })
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.bump > adversary.bump
    }
}

/// Either codec behind one type, so that everything else is generic over the bump only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnyCodec {
    Bincode,
    Postcard,
}

impl AnyCodec {
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "bincode" => Ok(Self::Bincode),
            "postcard" => Ok(Self::Postcard),
            _ => Err(format!("codec {text:?} is neither bincode nor postcard")),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Bincode => "bincode",
            Self::Postcard => "postcard",
        }
    }
}

/// The text of whichever codec's error.
#[derive(Debug)]
pub struct CodecError(String);

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CodecError {}

fn bincode_codec() -> BincodeCodec<Configuration> {
    BincodeCodec(bincode::config::standard())
}

fn text(error: impl fmt::Debug) -> CodecError {
    CodecError(format!("{error:?}"))
}

impl<B: Bump> Codec<Id<B>> for AnyCodec {
    type Error = CodecError;

    fn encode_header(
        &mut self,
        header: &Header<Id<B>>,
        buf: impl BufMut,
    ) -> Result<(), CodecError> {
        match self {
            Self::Bincode => bincode_codec().encode_header(header, buf).map_err(text),
            Self::Postcard => PostcardCodec.encode_header(header, buf).map_err(text),
        }
    }

    fn decode_header(&mut self, buf: impl Buf) -> Result<Header<Id<B>>, CodecError> {
        match self {
            Self::Bincode => bincode_codec().decode_header(buf).map_err(text),
            Self::Postcard => PostcardCodec.decode_header(buf).map_err(text),
        }
    }

    fn encode_member(
        &mut self,
        member: &Member<Id<B>>,
        buf: impl BufMut,
    ) -> Result<(), CodecError> {
        match self {
            Self::Bincode => bincode_codec().encode_member(member, buf).map_err(text),
            Self::Postcard => PostcardCodec.encode_member(member, buf).map_err(text),
        }
    }

    fn decode_member(&mut self, buf: impl Buf) -> Result<Member<Id<B>>, CodecError> {
        match self {
            Self::Bincode => bincode_codec().decode_member(buf).map_err(text),
            Self::Postcard => PostcardCodec.decode_member(buf).map_err(text),
        }
    }
}
