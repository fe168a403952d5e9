//! One foca node under a virtual clock, driven by script steps and fully observed.

use std::time::Duration;

use foca::{Config, Error, Foca, Notification, Runtime, Timer};
use rand::RngCore;
use serde_json::{json, Map, Value};

use crate::handler::Handler;
use crate::id::{set_renewable, AnyCodec, Bump, Id};
use crate::notation::{self, take_config, take_members, take_packet, Packet};
use crate::script::{hex, Fields, Parsed};

/// splitmix64: the same draws whatever version of `rand` is used.
pub struct Draws(u64);

impl Draws {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next_u64() % limit
    }
}

impl RngCore for Draws {
    fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        for chunk in dest.chunks_mut(8) {
            let bytes = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// Everything the node did, in order.
struct Recorder<B> {
    codec: AnyCodec,
    events: Vec<Value>,
    submitted: Vec<(Timer<Id<B>>, Duration)>,
}

impl<B: Bump> Recorder<B> {
    fn new(codec: AnyCodec) -> Self {
        Self {
            codec,
            events: Vec::new(),
            submitted: Vec::new(),
        }
    }
}

fn as_ms(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

impl<B: Bump> Runtime<Id<B>> for Recorder<B> {
    fn notify(&mut self, notification: Notification<'_, Id<B>>) {
        self.events
            .push(json!({ "notify": notation::notification(&notification) }));
    }

    fn send_to(&mut self, to: Id<B>, data: &[u8]) {
        let mut send = Map::new();
        send.insert("to".into(), to.to_string().into());
        send.insert("hex".into(), hex(data).into());
        if let Some(packet) = Packet::<B>::decode(self.codec, data) {
            packet.insert_into(&mut send);
        }
        self.events.push(json!({ "send": send }));
    }

    fn submit_after(&mut self, timer: Timer<Id<B>>, after: Duration) {
        self.events.push(json!({
            "submit": { "timer": notation::timer(&timer), "after_ms": as_ms(after) }
        }));
        self.submitted.push((timer, after));
    }
}

struct Pending<B> {
    id: u64,
    deadline_ms: u64,
    timer: Timer<Id<B>>,
}

impl<B: Bump> Pending<B> {
    /// (deadline, foca's own order of timers, submission).
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.deadline_ms
            .cmp(&other.deadline_ms)
            .then_with(|| self.timer.cmp(&other.timer))
            .then_with(|| self.id.cmp(&other.id))
    }

    fn render(&self) -> Value {
        json!([self.id, self.deadline_ms, notation::timer(&self.timer)])
    }
}

type Node<B> = Foca<Id<B>, AnyCodec, Draws, Handler<B>>;

/// Drives one node of either bump width.
pub trait Step {
    /// Carries out one step and returns its JSON result.
    fn step(&mut self, fields: Fields) -> Parsed<Value>;
}

pub struct Session<B: Bump> {
    codec: AnyCodec,
    node: Node<B>,
    config: Config,
    now_ms: u64,
    timers: Vec<Pending<B>>,
    submitted_count: u64,
}

type Outcome = Result<Map<String, Value>, Error>;

fn result_name(error: &Error) -> &'static str {
    match error {
        Error::DataTooBig => "DataTooBig",
        Error::NotUndead => "NotUndead",
        Error::SameIdentity => "SameIdentity",
        Error::NotConnected => "NotConnected",
        Error::IncompleteProbeCycle => "IncompleteProbeCycle",
        Error::DataFromOurselves => "DataFromOurselves",
        Error::IndirectForOurselves => "IndirectForOurselves",
        Error::MalformedPacket => "MalformedPacket",
        Error::Encode(_) => "Encode",
        Error::Decode(_) => "Decode",
        Error::CustomBroadcast(_) => "CustomBroadcast",
        Error::InvalidConfig => "InvalidConfig",
    }
}

impl<B: Bump> Session<B> {
    fn new(mut fields: Fields, codec: AnyCodec) -> Parsed<Self> {
        let identity = fields.id("identity")?;
        let mut config = Config::simple();
        if fields.has("config") {
            take_config(fields.object("config")?, &mut config)?;
        }
        let seed = fields.number("seed", u64::MAX)?;
        set_renewable(fields.flag("renew")?);
        let mut refused = Vec::new();
        if fields.has("refuse_to") {
            for value in fields.array("refuse_to")? {
                match value.as_str().and_then(|text| text.parse().ok()) {
                    Some(addr) => refused.push(addr),
                    None => return fields.error("refuse_to", "must be a list of \"IP:PORT\""),
                }
            }
        }
        let handler = match fields.text("handler")?.as_str() {
            "none" => Handler::Off,
            "versioned" => Handler::versioned(refused, Box::new(|_, _| ())),
            _ => return fields.error("handler", "must be \"none\" or \"versioned\""),
        };
        fields.finish()?;
        Ok(Self {
            codec,
            node: Foca::with_custom_broadcast(
                identity,
                config.clone(),
                Draws::new(seed),
                codec,
                handler,
            ),
            config,
            now_ms: 0,
            timers: Vec::new(),
            submitted_count: 0,
        })
    }

    fn state(&self) -> Value {
        json!({
            "identity": self.node.identity().to_string(),
            "now_ms": self.now_ms,
            "members": self.node.iter_membership_state().map(notation::member)
                .collect::<Vec<_>>(),
            "num_members": self.node.num_members(),
            "updates_backlog": self.node.updates_backlog(),
            "custom_backlog": self.node.custom_broadcast_backlog(),
            "timers": self.timers.iter().map(Pending::render).collect::<Vec<_>>(),
        })
    }

    /// Runs one call into the node, and files the timers that it submitted.
    fn call(
        &mut self,
        act: impl FnOnce(&mut Node<B>, &mut Recorder<B>) -> Outcome,
    ) -> Map<String, Value> {
        let mut recorder = Recorder::new(self.codec);
        let outcome = act(&mut self.node, &mut recorder);
        for (timer, after) in recorder.submitted {
            self.timers.push(Pending {
                id: self.submitted_count,
                deadline_ms: self.now_ms.saturating_add(as_ms(after)),
                timer,
            });
            self.submitted_count += 1;
        }
        self.timers.sort_by(Pending::order);
        let mut result = match outcome {
            Ok(mut extra) => {
                extra.insert("result".into(), "Ok".into());
                extra
            }
            Err(error) => {
                let mut failed = Map::new();
                failed.insert("result".into(), result_name(&error).into());
                failed
            }
        };
        result.insert("events".into(), recorder.events.into());
        result
    }

    fn simple_call(
        &mut self,
        act: impl FnOnce(&mut Node<B>, &mut Recorder<B>) -> Result<(), Error>,
    ) -> Map<String, Value> {
        self.call(|node, recorder| act(node, recorder).map(|()| Map::new()))
    }

    /// Fires the timer at `index` of the sorted list; the clock moves to its deadline.
    fn fire(&mut self, index: usize) -> Map<String, Value> {
        let due = self.timers.remove(index);
        self.now_ms = self.now_ms.max(due.deadline_ms);
        let rendered = due.render();
        let mut result = self.simple_call(|node, recorder| node.handle_timer(due.timer, recorder));
        result.insert("timer".into(), rendered);
        result
    }

    fn advance(&mut self, by_ms: u64) -> Map<String, Value> {
        let until_ms = self.now_ms.saturating_add(by_ms);
        let mut fired = Vec::new();
        while self
            .timers
            .first()
            .is_some_and(|next| next.deadline_ms <= until_ms)
        {
            fired.push(Value::Object(self.fire(0)));
        }
        self.now_ms = until_ms;
        let mut result = Map::new();
        result.insert("result".into(), "Ok".into());
        result.insert("events".into(), json!([]));
        result.insert("fired".into(), fired.into());
        result
    }

    /// `encode` and `decode` touch no state: they lend the crate's codec to the script's author.
    fn stateless(&mut self, op: &str, fields: &mut Fields) -> Parsed<Option<Map<String, Value>>> {
        let mut result = Map::new();
        match op {
            "encode" => {
                let packet: Packet<B> = take_packet(fields)?;
                result.insert("hex".into(), hex(&packet.encode(self.codec)).into());
            }
            "decode" => {
                let data = fields.hex("hex")?;
                match Packet::<B>::decode(self.codec, &data) {
                    Some(packet) => packet.insert_into(&mut result),
                    None => {
                        result.insert("header".into(), Value::Null);
                    }
                }
            }
            _ => return Ok(None),
        }
        Ok(Some(result))
    }

    fn stateful(&mut self, op: &str, fields: &mut Fields) -> Parsed<Map<String, Value>> {
        Ok(match op {
            "data" => {
                let data = fields.hex("hex")?;
                self.simple_call(|node, rt| node.handle_data(&data, rt))
            }
            "advance" => {
                let by_ms = fields.number("ms", u32::MAX.into())?;
                self.advance(by_ms)
            }
            "sleep" => {
                let by_ms = fields.number("ms", u32::MAX.into())?;
                self.now_ms = self.now_ms.saturating_add(by_ms);
                self.simple_call(|_node, _rt| Ok(()))
            }
            "fire" => {
                let id = fields.number("timer_id", u64::MAX)?;
                match self.timers.iter().position(|timer| timer.id == id) {
                    Some(index) => self.fire(index),
                    None => return fields.error("timer_id", "no such timer is pending"),
                }
            }
            "announce" => {
                let to = fields.id("to")?;
                self.simple_call(|node, rt| node.announce(to, rt))
            }
            "gossip" => self.simple_call(|node, rt| node.gossip(rt)),
            "broadcast" => self.simple_call(|node, rt| node.broadcast(rt)),
            "add_broadcast" => {
                let value = fields.value("item")?;
                let Some(item) = notation::read_item(&value) else {
                    return fields.error("item", "must be hex or [\"ADDR\", version, \"msg\"]");
                };
                self.call(|node, _rt| {
                    let added = node.add_broadcast(&item)?;
                    Ok(Map::from_iter([("added".to_string(), added.into())]))
                })
            }
            "leave" => self.simple_call(|node, rt| node.leave_cluster(rt)),
            "change_identity" => {
                let identity = fields.id("identity")?;
                self.simple_call(|node, rt| node.change_identity(identity, rt))
            }
            "reuse_down_identity" => self.simple_call(|node, _rt| node.reuse_down_identity()),
            "apply_many" => {
                let updates = take_members(fields, "updates")?;
                let do_broadcast = fields.flag("do_broadcast")?;
                self.simple_call(|node, rt| node.apply_many(updates.into_iter(), do_broadcast, rt))
            }
            "set_config" => {
                let mut config = self.config.clone();
                take_config(fields.object("config")?, &mut config)?;
                let outcome = self.simple_call(|node, _rt| node.set_config(config.clone()));
                if outcome["result"] == "Ok" {
                    self.config = config;
                }
                outcome
            }
            _ => return fields.error("op", format!("{op:?} is not an operation")),
        })
    }
}

impl<B: Bump> Step for Session<B> {
    fn step(&mut self, mut fields: Fields) -> Parsed<Value> {
        let op = fields.text("op")?;
        if let Some(result) = self.stateless(&op, &mut fields)? {
            fields.finish()?;
            return Ok(result.into());
        }
        let mut result = self.stateful(&op, &mut fields)?;
        fields.finish()?;
        result.insert("state".into(), self.state());
        Ok(result.into())
    }
}

/// Starts a session from a `new` step (its `op` already taken).
pub fn start(mut fields: Fields) -> Parsed<(Box<dyn Step>, Value)> {
    fn boxed<B: Bump>(fields: Fields, codec: AnyCodec) -> Parsed<(Box<dyn Step>, Value)> {
        let session = Session::<B>::new(fields, codec)?;
        let result = json!({ "result": "Ok", "events": [], "state": session.state() });
        Ok((Box::new(session), result))
    }
    let name = fields.text("codec")?;
    let codec = AnyCodec::parse(&name).or_else(|reason| fields.error("codec", reason))?;
    match fields.number("bump_width", 64)? {
        16 => boxed::<u16>(fields, codec),
        64 => boxed::<u64>(fields, codec),
        _ => fields.error("bump_width", "must be 16 or 64"),
    }
}

/// Runs a script line on the current session, or starts one.
pub fn run_line(session: &mut Option<Box<dyn Step>>, line: usize, text: &str) -> Parsed<Value> {
    let mut fields = Fields::parse(line, text)?;
    if fields.peek_text("op") == Some("new") {
        fields.take("op");
        let (started, result) = start(fields)?;
        *session = Some(started);
        return Ok(result);
    }
    match session {
        Some(session) => session.step(fields),
        None => fields.error("op", "the first step must be \"new\""),
    }
}
