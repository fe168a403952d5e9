//! How headers, members, packets, timers and notifications look in JSON, both ways.
//!
//! member = `[id, incarnation, state]`, header = `[src, incarnation, dst, message]`,
//! message = `[name, fields...]`, timer = `[name, fields...]`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::{Buf, BufMut};
use foca::{Codec, Config, Header, Member, Message, Notification, PeriodicParams, State, Timer};
use serde_json::{json, Value};

use crate::handler::{Item, Key};
use crate::id::{AnyCodec, Bump, Id};
use crate::script::{hex, unhex, Fields, Parsed};

pub fn state_name(state: State) -> &'static str {
    match state {
        State::Alive => "Alive",
        State::Suspect => "Suspect",
        State::Down => "Down",
    }
}

pub fn member<B: Bump>(member: &Member<Id<B>>) -> Value {
    json!([
        member.id().to_string(),
        member.incarnation(),
        state_name(member.state())
    ])
}

pub fn message<B: Bump>(message: &Message<Id<B>>) -> Value {
    match message {
        Message::Ping(n) => json!(["Ping", n]),
        Message::Ack(n) => json!(["Ack", n]),
        Message::PingReq {
            target,
            probe_number,
        } => json!(["PingReq", target.to_string(), probe_number]),
        Message::IndirectPing {
            origin,
            probe_number,
        } => json!(["IndirectPing", origin.to_string(), probe_number]),
        Message::IndirectAck {
            target,
            probe_number,
        } => json!(["IndirectAck", target.to_string(), probe_number]),
        Message::ForwardedAck {
            origin,
            probe_number,
        } => json!(["ForwardedAck", origin.to_string(), probe_number]),
        Message::Announce => json!(["Announce"]),
        Message::Feed => json!(["Feed"]),
        Message::Gossip => json!(["Gossip"]),
        Message::Broadcast => json!(["Broadcast"]),
        Message::TurnUndead => json!(["TurnUndead"]),
    }
}

pub fn header<B: Bump>(header: &Header<Id<B>>) -> Value {
    json!([
        header.src.to_string(),
        header.src_incarnation,
        header.dst.to_string(),
        message(&header.message)
    ])
}

pub fn timer<B: Bump>(timer: &Timer<Id<B>>) -> Value {
    match timer {
        Timer::ProbeRandomMember(token) => json!(["ProbeRandomMember", token]),
        Timer::SendIndirectProbe { probed_id, token } => {
            json!(["SendIndirectProbe", probed_id.to_string(), token])
        }
        Timer::ChangeSuspectToDown {
            member_id,
            incarnation,
            token,
        } => json!([
            "ChangeSuspectToDown",
            member_id.to_string(),
            incarnation,
            token
        ]),
        Timer::PeriodicAnnounce(token) => json!(["PeriodicAnnounce", token]),
        Timer::PeriodicAnnounceDown(token) => json!(["PeriodicAnnounceDown", token]),
        Timer::PeriodicGossip(token) => json!(["PeriodicGossip", token]),
        Timer::RemoveDown(id) => json!(["RemoveDown", id.to_string()]),
    }
}

pub fn notification<B: Bump>(notification: &Notification<'_, Id<B>>) -> Value {
    match notification {
        Notification::MemberUp(id) => json!(["MemberUp", id.to_string()]),
        Notification::MemberDown(id) => json!(["MemberDown", id.to_string()]),
        Notification::Rename(old, new) => json!(["Rename", old.to_string(), new.to_string()]),
        Notification::Active => json!(["Active"]),
        Notification::Idle => json!(["Idle"]),
        Notification::Defunct => json!(["Defunct"]),
        Notification::Rejoin(id) => json!(["Rejoin", id.to_string()]),
        Notification::DataReceived(head) => json!(["DataReceived", header(head)]),
        Notification::DataSent(head) => json!(["DataSent", header(head)]),
        Notification::ProbeFailed(number, id) => json!(["ProbeFailed", number, id.to_string()]),
    }
}

/// Decodes a header with the crate's codec; also tells how many bytes it took.
pub fn decode_header<B: Bump>(
    mut codec: AnyCodec,
    data: &[u8],
) -> Result<(Header<Id<B>>, usize), String> {
    let mut rest = data;
    let decoded: Header<Id<B>> = codec.decode_header(&mut rest).map_err(|e| e.to_string())?;
    Ok((decoded, data.len() - rest.remaining()))
}

/// Decodes a member with the crate's codec; also tells how many bytes it took.
pub fn decode_member<B: Bump>(
    mut codec: AnyCodec,
    data: &[u8],
) -> Result<(Member<Id<B>>, usize), String> {
    let mut rest = data;
    let decoded: Member<Id<B>> = codec.decode_member(&mut rest).map_err(|e| e.to_string())?;
    Ok((decoded, data.len() - rest.remaining()))
}

pub fn encode_header<B: Bump>(mut codec: AnyCodec, header: &Header<Id<B>>) -> Vec<u8> {
    let mut out = Vec::new();
    codec
        .encode_header(header, &mut out)
        .expect("an unbounded buffer takes every header");
    out
}

pub fn encode_member<B: Bump>(mut codec: AnyCodec, member: &Member<Id<B>>) -> Vec<u8> {
    let mut out = Vec::new();
    codec
        .encode_member(member, &mut out)
        .expect("an unbounded buffer takes every member");
    out
}

/// A whole datagram in its parts. `updates` is None when the packet has no count field.
pub struct Packet<B> {
    pub header: Header<Id<B>>,
    pub updates: Option<Vec<Member<Id<B>>>>,
    pub items: Vec<Vec<u8>>,
}

impl<B: Bump> Packet<B> {
    /// Splits a datagram; None when its header or an update cannot be decoded. Items behind a
    /// malformed one are left out.
    pub fn decode(codec: AnyCodec, data: &[u8]) -> Option<Self> {
        let (header, consumed) = decode_header::<B>(codec, data).ok()?;
        let mut rest = &data[consumed..];
        let mut updates = None;
        if !matches!(header.message, Message::Broadcast) && rest.remaining() >= 2 {
            let mut members = Vec::new();
            for _ in 0..rest.get_u16() {
                let (member, consumed) = decode_member(codec, rest).ok()?;
                rest.advance(consumed);
                members.push(member);
            }
            updates = Some(members);
        }
        let mut items = Vec::new();
        while rest.remaining() > 2 {
            let bytes = rest.get_u16() as usize;
            if bytes == 0 || bytes > rest.remaining() {
                break;
            }
            items.push(rest[..bytes].to_vec());
            rest.advance(bytes);
        }
        Some(Self {
            header,
            updates,
            items,
        })
    }

    pub fn encode(&self, codec: AnyCodec) -> Vec<u8> {
        let mut out = encode_header(codec, &self.header);
        if let Some(updates) = &self.updates {
            out.put_u16(updates.len() as u16);
            for member in updates {
                out.extend(encode_member(codec, member));
            }
        }
        for item in &self.items {
            out.put_u16(item.len() as u16);
            out.extend(item);
        }
        out
    }

    /// The fields `header`, `updates` (a list or null) and `items` (hex) of this packet.
    pub fn insert_into(&self, object: &mut serde_json::Map<String, Value>) {
        object.insert("header".into(), header(&self.header));
        object.insert(
            "updates".into(),
            match &self.updates {
                Some(updates) => updates.iter().map(member).collect(),
                None => Value::Null,
            },
        );
        object.insert(
            "items".into(),
            self.items.iter().map(|item| hex(item)).collect(),
        );
    }
}

fn small<T: TryFrom<u64>>(value: &Value) -> Option<T> {
    value.as_u64()?.try_into().ok()
}

fn read_id<B: Bump>(value: &Value) -> Option<Id<B>> {
    Id::parse(value.as_str()?).ok()
}

fn read_state(value: &Value) -> Option<State> {
    Some(match value.as_str()? {
        "Alive" => State::Alive,
        "Suspect" => State::Suspect,
        "Down" => State::Down,
        _ => return None,
    })
}

fn read_member<B: Bump>(value: &Value) -> Option<Member<Id<B>>> {
    let [id, incarnation, state] = value.as_array()?.as_slice() else {
        return None;
    };
    Some(Member::new(
        read_id(id)?,
        small(incarnation)?,
        read_state(state)?,
    ))
}

fn read_message<B: Bump>(value: &Value) -> Option<Message<Id<B>>> {
    let parts = value.as_array()?;
    Some(match (parts.first()?.as_str()?, &parts[1..]) {
        ("Ping", [n]) => Message::Ping(small(n)?),
        ("Ack", [n]) => Message::Ack(small(n)?),
        ("PingReq", [id, n]) => Message::PingReq {
            target: read_id(id)?,
            probe_number: small(n)?,
        },
        ("IndirectPing", [id, n]) => Message::IndirectPing {
            origin: read_id(id)?,
            probe_number: small(n)?,
        },
        ("IndirectAck", [id, n]) => Message::IndirectAck {
            target: read_id(id)?,
            probe_number: small(n)?,
        },
        ("ForwardedAck", [id, n]) => Message::ForwardedAck {
            origin: read_id(id)?,
            probe_number: small(n)?,
        },
        ("Announce", []) => Message::Announce,
        ("Feed", []) => Message::Feed,
        ("Gossip", []) => Message::Gossip,
        ("Broadcast", []) => Message::Broadcast,
        ("TurnUndead", []) => Message::TurnUndead,
        _ => return None,
    })
}

fn read_header<B: Bump>(value: &Value) -> Option<Header<Id<B>>> {
    let [src, incarnation, dst, message] = value.as_array()?.as_slice() else {
        return None;
    };
    Some(Header {
        src: read_id(src)?,
        src_incarnation: small(incarnation)?,
        dst: read_id(dst)?,
        message: read_message(message)?,
    })
}

/// Takes a list of members out of a script line.
pub fn take_members<B: Bump>(fields: &mut Fields, name: &str) -> Parsed<Vec<Member<Id<B>>>> {
    let mut members = Vec::new();
    for (index, value) in fields.array(name)?.iter().enumerate() {
        match read_member(value) {
            Some(member) => members.push(member),
            None => {
                return fields.error(
                    &format!("{name}[{index}]"),
                    "must be [\"ADDR#BUMP\", incarnation, \"Alive|Suspect|Down\"]",
                )
            }
        }
    }
    Ok(members)
}

/// Takes `header`, `updates` (a list or null) and `items` out of a script line.
/// An item is hex, or `[addr, version, msg]`.
pub fn take_packet<B: Bump>(fields: &mut Fields) -> Parsed<Packet<B>> {
    let head = fields.value("header")?;
    let Some(header) = read_header(&head) else {
        return fields.error("header", "must be [src, incarnation, dst, [message, ...]]");
    };
    let updates = match fields.take("updates") {
        None | Some(Value::Null) => None,
        Some(list) => {
            let mut inner = Fields::from_value(fields.line, "", json!({ "updates": list }))?;
            Some(take_members(&mut inner, "updates")?)
        }
    };
    let mut items = Vec::new();
    if fields.has("items") {
        for (index, value) in fields.array("items")?.iter().enumerate() {
            match read_item(value) {
                Some(bytes) => items.push(bytes),
                None => {
                    return fields.error(
                        &format!("items[{index}]"),
                        "must be hex or [\"ADDR\", version, \"msg\"]",
                    )
                }
            }
        }
    }
    Ok(Packet {
        header,
        updates,
        items,
    })
}

/// Reads an item given as hex or as `[addr, version, msg]`.
pub fn read_item(value: &Value) -> Option<Vec<u8>> {
    if let Some(text) = value.as_str() {
        return unhex(text);
    }
    let [addr, version, msg] = value.as_array()?.as_slice() else {
        return None;
    };
    Some(
        Item {
            key: Key {
                addr: addr.as_str()?.parse::<SocketAddr>().ok()?,
                version: version.as_u64()?,
            },
            msg: msg.as_str()?.into(),
        }
        .encode(),
    )
}

fn take_ms(fields: &mut Fields, name: &str, into: &mut Duration) -> Parsed<()> {
    if fields.has(name) {
        *into = Duration::from_millis(fields.number(name, u64::MAX)?);
    }
    Ok(())
}

fn take_periodic(fields: &mut Fields, name: &str, into: &mut Option<PeriodicParams>) -> Parsed<()> {
    let Some(value) = fields.take(name) else {
        return Ok(());
    };
    if value.is_null() {
        *into = None;
        return Ok(());
    }
    let parts = value.as_array().map(Vec::as_slice).unwrap_or_default();
    if let [frequency, count] = parts {
        let count = small(count).and_then(NonZeroUsize::new);
        if let (Some(ms), Some(num_members)) = (frequency.as_u64(), count) {
            *into = Some(PeriodicParams {
                frequency: Duration::from_millis(ms),
                num_members,
            });
            return Ok(());
        }
    }
    fields.error(name, "must be null or [frequency_ms, num_members >= 1]")
}

/// Takes every config field that is present out of an object, and changes `config` accordingly.
pub fn take_config(mut fields: Fields, config: &mut Config) -> Parsed<()> {
    take_ms(&mut fields, "probe_period_ms", &mut config.probe_period)?;
    take_ms(&mut fields, "probe_rtt_ms", &mut config.probe_rtt)?;
    take_ms(
        &mut fields,
        "suspect_to_down_after_ms",
        &mut config.suspect_to_down_after,
    )?;
    take_ms(
        &mut fields,
        "remove_down_after_ms",
        &mut config.remove_down_after,
    )?;
    for name in [
        "num_indirect_probes",
        "max_transmissions",
        "max_packet_size",
    ] {
        if !fields.has(name) {
            continue;
        }
        let number = fields.number(name, u32::MAX.into())?;
        let fits = match name {
            "num_indirect_probes" => NonZeroUsize::new(number as usize)
                .map(|n| config.num_indirect_probes = n)
                .is_some(),
            "max_packet_size" => NonZeroUsize::new(number as usize)
                .map(|n| config.max_packet_size = n)
                .is_some(),
            _ => u8::try_from(number)
                .ok()
                .and_then(|n| n.try_into().ok())
                .map(|n| config.max_transmissions = n)
                .is_some(),
        };
        if !fits {
            return fields.error(name, "must be at least 1 (max_transmissions: at most 255)");
        }
    }
    if fields.has("notify_down_members") {
        config.notify_down_members = fields.flag("notify_down_members")?;
    }
    take_periodic(
        &mut fields,
        "periodic_announce",
        &mut config.periodic_announce,
    )?;
    take_periodic(
        &mut fields,
        "periodic_announce_to_down_members",
        &mut config.periodic_announce_to_down_members,
    )?;
    take_periodic(&mut fields, "periodic_gossip", &mut config.periodic_gossip)?;
    fields.finish()
}
