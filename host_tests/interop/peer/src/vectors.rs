//! `vectors`: golden vectors, written by the crate for every implementation to agree with.
//!
//! For each codec and bump width four files, each a JSON list with one vector per line, so that a
//! small machine can read them line by line. The first element of a list tells what the file is.
//!
//! * `codec`: members and headers with their bytes;
//! * `packets`: whole datagrams that a foca node sent, with their parts;
//! * `limits`: short scripts with the largest packet set to every size of interest;
//! * `malformed`: bytes with the crate's verdict.
//!
//! And one file for all, `config`: the numbers of the three presets, durations in nanoseconds.
//!
//! Nothing here depends on a clock or on chance, so the same crate gives the same bytes.

use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use foca::{Config, Header, Member, Message, PeriodicParams, State};
use serde_json::{json, Map, Value};

use crate::handler::{Item, Key};
use crate::id::{AnyCodec, Bump, Id};
use crate::notation::{self, decode_header, decode_member, encode_header, encode_member};
use crate::script::hex;
use crate::session::{run_line, Draws, Step};

const VERSION: &str = "1.0.0";

/// Where the length of an encoded integer changes, in either codec.
const EDGES: [u64; 27] = [
    0,
    1,
    127,
    128,
    250,
    251,
    255,
    256,
    16_383,
    16_384,
    65_534,
    65_535,
    65_536,
    (1 << 21) - 1,
    1 << 21,
    (1 << 28) - 1,
    1 << 28,
    (1 << 32) - 1,
    1 << 32,
    (1 << 35) - 1,
    1 << 35,
    (1 << 42) - 1,
    1 << 49,
    1 << 56,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX,
];

const V4_HOSTS: [&str; 5] = [
    "127.0.0.1",
    "10.1.2.3",
    "192.168.255.254",
    "0.0.0.0",
    "255.255.255.255",
];
const V6_HOSTS: [&str; 4] = ["[::1]", "[2001:db8::1]", "[fe80::fb:ff]", "[::]"];

type Maker = fn(&mut Kind);

/// One file in the making.
struct Kind {
    codec: AnyCodec,
    width: u64,
    vectors: Vec<Value>,
}

impl Kind {
    fn push(&mut self, vector: Value) {
        self.vectors.push(vector);
    }

    fn about(&self, kind: &str) -> Value {
        json!({
            "about": kind,
            "foca": VERSION,
            "codec": self.codec.name(),
            "bump_width": self.width,
            "count": self.vectors.len(),
        })
    }
}

fn small_edges() -> impl Iterator<Item = u16> {
    EDGES.iter().filter_map(|edge| u16::try_from(*edge).ok())
}

fn bump_edges<B: Bump>() -> Vec<B> {
    EDGES.iter().filter_map(|edge| B::from_u64(*edge)).collect()
}

fn bump<B: Bump>(value: u64) -> B {
    B::from_u64(value).expect("a value that fits either width")
}

fn id<B: Bump>(host: &str, port: u16, bump: B) -> Id<B> {
    Id {
        addr: format!("{host}:{port}").parse().expect("a known address"),
        bump,
    }
}

/// The node under test in scripts, and a peer of it.
fn node_id<B: Bump>() -> Id<B> {
    id("127.0.0.1", 8000, bump(1))
}

fn peer_id<B: Bump>() -> Id<B> {
    id("127.0.0.1", 8001, bump(2))
}

// ---------------------------------------------------------------------------- codec

fn member_vector<B: Bump>(kind: &mut Kind, member: Member<Id<B>>) {
    let bytes = encode_member(kind.codec, &member);
    kind.push(json!({ "member": notation::member(&member), "hex": hex(&bytes) }));
}

fn header_vector<B: Bump>(kind: &mut Kind, header: Header<Id<B>>) {
    let bytes = encode_header(kind.codec, &header);
    kind.push(json!({ "header": notation::header(&header), "hex": hex(&bytes) }));
}

fn every_message<B: Bump>(third: Id<B>, number: u8) -> Vec<Message<Id<B>>> {
    vec![
        Message::Ping(number),
        Message::Ack(number),
        Message::PingReq {
            target: third,
            probe_number: number,
        },
        Message::IndirectPing {
            origin: third,
            probe_number: number,
        },
        Message::IndirectAck {
            target: third,
            probe_number: number,
        },
        Message::ForwardedAck {
            origin: third,
            probe_number: number,
        },
        Message::Announce,
        Message::Feed,
        Message::Gossip,
        Message::Broadcast,
        Message::TurnUndead,
    ]
}

fn codec_members<B: Bump>(kind: &mut Kind) {
    for host in V4_HOSTS.iter().chain(&V6_HOSTS) {
        for state in [State::Alive, State::Suspect, State::Down] {
            member_vector(kind, Member::new(id(host, 8000, bump::<B>(1)), 0, state));
        }
    }
    for host in ["127.0.0.1", "[2001:db8::1]"] {
        for port in small_edges() {
            member_vector(kind, Member::alive(id(host, port, bump::<B>(7))));
        }
        for edge in bump_edges::<B>() {
            member_vector(kind, Member::new(id(host, 7946, edge), 3, State::Suspect));
        }
        for incarnation in small_edges() {
            for state in [State::Alive, State::Suspect, State::Down] {
                let who = id(host, 250, bump::<B>(250));
                member_vector(kind, Member::new(who, incarnation, state));
            }
        }
    }
}

fn codec_headers<B: Bump>(kind: &mut Kind) {
    let v4 = [node_id::<B>(), peer_id(), id("10.0.0.9", 36_220, bump(300))];
    let v6 = [
        id("[::1]", 250, bump(3)),
        id("[2001:db8::1]", 7946, bump(1)),
        id("[2001:db8::2]", 251, bump(65_535)),
    ];
    for [src, dst, third] in [v4, v6, [v4[0], v6[1], v4[2]], [v6[0], v4[1], v6[2]]] {
        for message in every_message(third, 200) {
            header_vector(
                kind,
                Header {
                    src,
                    src_incarnation: 0,
                    dst,
                    message,
                },
            );
        }
    }
    let plain = |message| Header {
        src: node_id::<B>(),
        src_incarnation: 1,
        dst: peer_id(),
        message,
    };
    for number in [0, 1, 127, 128, 250, 251, 254, 255] {
        for message in every_message(v6[0], number).drain(..6) {
            header_vector(kind, plain(message));
        }
    }
    for edge in small_edges() {
        header_vector(
            kind,
            Header {
                src_incarnation: edge,
                ..plain(Message::Gossip)
            },
        );
        header_vector(
            kind,
            Header {
                src: id("127.0.0.1", edge, bump(1)),
                dst: id("[::1]", edge, bump(1)),
                ..plain(Message::Feed)
            },
        );
    }
    for edge in bump_edges::<B>() {
        header_vector(
            kind,
            Header {
                src: id("127.0.0.1", 8000, edge),
                dst: id("[::1]", 8001, edge),
                ..plain(Message::ForwardedAck {
                    origin: id("10.0.0.3", 9, edge),
                    probe_number: 9,
                })
            },
        );
    }
}

// ---------------------------------------------------------------------------- scripts

/// Runs scripts on the crate; a script of ours that is refused is a bug of ours.
struct Script {
    session: Option<Box<dyn Step>>,
}

impl Script {
    fn run(steps: &[Value]) -> Vec<Value> {
        let mut script = Self { session: None };
        steps.iter().map(|step| script.step(step)).collect()
    }

    fn step(&mut self, step: &Value) -> Value {
        run_line(&mut self.session, 0, &step.to_string()).unwrap_or_else(|error| {
            panic!("our own script is wrong: {error}: {step}");
        })
    }
}

fn new_step<B: Bump>(codec: AnyCodec, config: Value) -> Value {
    json!({
        "op": "new",
        "codec": codec.name(),
        "bump_width": B::WIDTH,
        "identity": node_id::<B>().to_string(),
        "config": config,
        "seed": 1,
        "renew": true,
        "handler": "versioned",
    })
}

fn data_step<B: Bump>(codec: AnyCodec, src: Id<B>, message: Message<Id<B>>) -> Value {
    let header = Header {
        src,
        src_incarnation: 0,
        dst: node_id(),
        message,
    };
    let mut bytes = encode_header(codec, &header);
    if !matches!(header.message, Message::Announce | Message::TurnUndead) {
        bytes.extend([0, 0]);
    }
    json!({ "op": "data", "hex": hex(&bytes) })
}

fn members_step<B: Bump>(members: &[Member<Id<B>>], do_broadcast: bool) -> Value {
    json!({
        "op": "apply_many",
        "updates": members.iter().map(notation::member).collect::<Vec<_>>(),
        "do_broadcast": do_broadcast,
    })
}

/// Members of many shapes; `index` chooses one.
fn assorted<B: Bump>(index: usize, state: State) -> Member<Id<B>> {
    let bumps = bump_edges::<B>();
    let host = match index % 3 {
        0 => format!("10.0.{}.{}", index / 200, index % 200 + 1),
        1 => format!("[2001:db8::{:x}]", index + 1),
        _ => format!("172.16.{}.{}", index / 200, index % 200 + 1),
    };
    let ports: Vec<u16> = small_edges().collect();
    let who = id(
        &host,
        ports[index * 5 % ports.len()],
        bumps[index * 7 % bumps.len()],
    );
    Member::new(who, ports[index * 3 % ports.len()], state)
}

fn item(host: &str, version: u64, msg: &str) -> Vec<u8> {
    Item {
        key: Key {
            addr: host.parse().expect("a known address"),
            version,
        },
        msg: msg.into(),
    }
    .encode()
}

fn items() -> Vec<Vec<u8>> {
    vec![
        item("127.0.0.1:9001", 1_795_423_454, "Hello from somebody"),
        item("[::1]:250", 0, ""),
        item("10.9.8.7:65535", u64::MAX, "\u{fc}nic\u{f6}de"),
    ]
}

/// The parts of every datagram that a step sent.
fn sends(result: &Value) -> Vec<Map<String, Value>> {
    fn of(events: &Value) -> impl Iterator<Item = Map<String, Value>> + '_ {
        events
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|event| event["send"].as_object().cloned())
    }
    let fired = result["fired"].as_array().into_iter().flatten();
    of(&result["events"])
        .chain(fired.flat_map(|timer| of(&timer["events"])))
        .collect()
}

/// Steps that make a node with one or two known peers send each kind of message once.
fn triggers<B: Bump>(codec: AnyCodec) -> Vec<(&'static str, Vec<Value>)> {
    let third: Id<B> = id("[2001:db8::7]", 7, bump(7));
    let data = |message| vec![data_step(codec, peer_id::<B>(), message)];
    let mut all = vec![
        ("Ping", vec![json!({ "op": "advance", "ms": 1500 })]),
        ("PingReq", vec![json!({ "op": "advance", "ms": 2000 })]),
        (
            "Announce",
            vec![json!({ "op": "announce", "to": third.to_string() })],
        ),
        ("Gossip", vec![json!({ "op": "gossip" })]),
        ("Broadcast", vec![json!({ "op": "broadcast" })]),
    ];
    all.push(("Ack", data(Message::Ping(77))));
    all.push(("Feed", data(Message::Announce)));
    all.push((
        "IndirectPing",
        data(Message::PingReq {
            target: third,
            probe_number: 251,
        }),
    ));
    all.push((
        "IndirectAck",
        data(Message::IndirectPing {
            origin: third,
            probe_number: 0,
        }),
    ));
    all.push((
        "ForwardedAck",
        data(Message::IndirectAck {
            target: third,
            probe_number: 255,
        }),
    ));
    let gone = Member::new(peer_id::<B>(), 0, State::Down);
    all.push((
        "TurnUndead",
        vec![
            members_step(&[gone], false),
            data_step(codec, peer_id::<B>(), Message::Gossip),
        ],
    ));
    all
}

fn packets<B: Bump>(kind: &mut Kind) {
    let mut seen = std::collections::BTreeSet::new();
    for (name, steps) in triggers::<B>(kind.codec) {
        let full = matches!(name, "Gossip" | "Feed");
        let sizes: &[usize] = if full {
            &[0, 1, 2, 7, 160]
        } else {
            &[0, 1, 2, 7]
        };
        for update_count in sizes {
            for item_count in [0, 1, 3] {
                let config = json!({ "notify_down_members": true, "max_transmissions": 1 });
                let mut script = vec![new_step::<B>(kind.codec, config)];
                let mut peers = vec![Member::alive(peer_id::<B>())];
                if name == "PingReq" {
                    peers.push(Member::alive(id("127.0.0.1", 8002, bump(3))));
                }
                let state = if name == "Feed" {
                    State::Suspect
                } else {
                    State::Down
                };
                let updates: Vec<_> = (0..*update_count)
                    .map(|index| assorted::<B>(index, state))
                    .collect();
                script.push(members_step(&peers, false));
                script.push(members_step(&updates, true));
                for item in &items()[..item_count] {
                    script.push(json!({ "op": "add_broadcast", "item": hex(item) }));
                }
                script.extend(steps.clone());
                let results = Script::run(&script);
                let last = results.last().expect("a script has steps");
                for mut send in sends(last) {
                    let wanted = send["header"][3][0] == name;
                    let fresh = seen.insert(send["hex"].to_string());
                    if wanted && fresh {
                        send.remove("to");
                        kind.push(send.into());
                    }
                }
            }
        }
    }
}

// ---------------------------------------------------------------------------- limits

/// Scripts whose last step sends; the backlogs hold items of different lengths only, because the
/// order among equals is not specified.
fn limit_scripts<B: Bump>(codec: AnyCodec) -> Vec<(&'static str, Vec<Value>)> {
    let new = || new_step::<B>(codec, json!({ "notify_down_members": true }));
    let alive = |who| members_step(&[Member::alive(who)], false);
    let peer = || alive(peer_id::<B>());
    let updates = || {
        members_step(
            &[
                Member::new(id("10.0.0.1", 5, bump::<B>(0)), 0, State::Down),
                Member::new(id("10.0.0.2", 65_535, bump::<B>(0)), 1, State::Down),
                Member::new(id("10.0.0.3", 65_535, bump::<B>(65_535)), 2, State::Down),
                Member::new(id("[::9]", 65_535, bump::<B>(65_535)), 65_535, State::Down),
            ],
            true,
        )
    };
    let add = |index: usize| json!({ "op": "add_broadcast", "item": hex(&items()[index]) });
    let data = |message| data_step(codec, peer_id::<B>(), message);
    let gossip = || json!({ "op": "gossip" });
    vec![
        ("gossip, nothing to tell", vec![new(), peer(), gossip()]),
        ("gossip, updates", vec![new(), peer(), updates(), gossip()]),
        (
            "gossip, updates and items",
            vec![new(), peer(), updates(), add(0), add(1), add(2), gossip()],
        ),
        (
            "gossip, items only",
            vec![new(), peer(), add(0), add(1), gossip()],
        ),
        (
            "broadcast, items",
            vec![
                new(),
                peer(),
                add(0),
                add(1),
                add(2),
                json!({ "op": "broadcast" }),
            ],
        ),
        (
            "announce",
            vec![
                new(),
                json!({ "op": "announce", "to": peer_id::<B>().to_string() }),
            ],
        ),
        (
            "answer to a ping",
            vec![new(), peer(), updates(), data(Message::Ping(9))],
        ),
        (
            "feed of one",
            vec![
                new(),
                alive(id("[2001:db8::2]", 7946, bump(65_535))),
                add(1),
                data(Message::Announce),
            ],
        ),
        (
            "turn undead",
            vec![
                new(),
                members_step(&[Member::new(peer_id::<B>(), 0, State::Down)], false),
                data(Message::Gossip),
            ],
        ),
    ]
}

/// What a script did at one packet size, as far as limits are concerned.
fn limit_outcome(steps: &[Value], max_packet_size: usize) -> Value {
    let mut steps = steps.to_vec();
    steps[0]["config"]["max_packet_size"] = max_packet_size.into();
    let results = Script::run(&steps);
    let last = results.last().expect("a script has steps");
    let sent: Vec<Value> = sends(last).iter().map(|send| send["hex"].clone()).collect();
    let state = &last["state"];
    json!({
        "results": results.iter().map(|r| r["result"].clone()).collect::<Vec<_>>(),
        "sent": sent,
        "backlogs": [state["updates_backlog"], state["custom_backlog"]],
    })
}

fn limits<B: Bump>(kind: &mut Kind) {
    for (name, steps) in limit_scripts::<B>(kind.codec) {
        // Runs of equal outcomes are one row: [first size, last size, outcome].
        let mut rows: Vec<(usize, usize, Value)> = Vec::new();
        for size in 1..=260 {
            let outcome = limit_outcome(&steps, size);
            match rows.last_mut() {
                Some((_, last, known)) if *known == outcome => *last = size,
                _ => rows.push((size, size, outcome)),
            }
        }
        kind.push(json!({ "name": name, "steps": steps, "rows": rows }));
    }
}

// ---------------------------------------------------------------------------- malformed

/// The crate's verdict on one datagram, given to a node that knows nobody.
fn packet_verdict<B: Bump>(kind: &mut Kind, why: &str, bytes: &[u8]) {
    let mut vector = Map::new();
    vector.insert("why".into(), why.into());
    vector.insert("hex".into(), hex(bytes).into());
    let (header, consumed) = match decode_header::<B>(kind.codec, bytes) {
        Ok((header, consumed)) => (notation::header(&header), consumed.into()),
        Err(_) => (Value::Null, Value::Null),
    };
    vector.insert("header".into(), header);
    vector.insert("consumed".into(), consumed);
    let steps = malformed_steps::<B>(kind.codec, bytes);
    let results = Script::run(&steps);
    let result = &results[1];
    let mut sent: Vec<String> = sends(result)
        .iter()
        .map(|send| send["hex"].as_str().unwrap_or_default().to_string())
        .collect();
    sent.sort();
    let state = &result["state"];
    vector.insert("verdict".into(), result["result"].clone());
    vector.insert("sent".into(), sent.into());
    vector.insert("members".into(), sorted(&state["members"]));
    vector.insert(
        "backlogs".into(),
        json!([state["updates_backlog"], state["custom_backlog"]]),
    );
    kind.push(vector.into());
}

fn sorted(list: &Value) -> Value {
    let mut rows: Vec<Value> = list.as_array().cloned().unwrap_or_default();
    rows.sort_by_key(Value::to_string);
    rows.into()
}

fn malformed_steps<B: Bump>(codec: AnyCodec, bytes: &[u8]) -> Vec<Value> {
    let config = json!({ "max_packet_size": 200, "notify_down_members": true });
    vec![
        new_step::<B>(codec, config),
        json!({ "op": "data", "hex": hex(bytes) }),
    ]
}

fn member_verdict<B: Bump>(kind: &mut Kind, why: &str, bytes: &[u8]) {
    let (member, consumed) = match decode_member::<B>(kind.codec, bytes) {
        Ok((member, consumed)) => (notation::member(&member), consumed.into()),
        Err(_) => (Value::Null, Value::Null),
    };
    kind.push(json!({
        "why": why,
        "hex": hex(bytes),
        "member": member,
        "consumed": consumed,
    }));
}

/// Every spelling of an integer that a decoder must accept or refuse, as (what, bytes).
fn integer_spellings(codec: AnyCodec) -> Vec<(&'static str, Vec<u8>)> {
    match codec {
        AnyCodec::Bincode => vec![
            ("one byte", vec![5]),
            ("u16 marker, small value", vec![0xfb, 5, 0]),
            ("u16 marker, full", vec![0xfb, 0xff, 0xff]),
            ("u16 marker, cut", vec![0xfb, 5]),
            ("u32 marker, small value", vec![0xfc, 5, 0, 0, 0]),
            ("u32 marker, full", vec![0xfc, 0xff, 0xff, 0xff, 0xff]),
            (
                "u64 marker, small value",
                vec![0xfd, 5, 0, 0, 0, 0, 0, 0, 0],
            ),
            ("u64 marker, full", [&[0xfd][..], &[0xff; 8]].concat()),
            ("u128 marker", [&[0xfe, 5][..], &[0; 15]].concat()),
            ("reserved marker", vec![0xff, 5, 0, 0, 0]),
        ],
        AnyCodec::Postcard => vec![
            ("one byte", vec![5]),
            ("two bytes for a small value", vec![0x85, 0]),
            ("three bytes for a small value", vec![0x85, 0x80, 0]),
            ("three bytes, largest u16", vec![0xff, 0xff, 0x03]),
            ("three bytes, one above u16", vec![0x80, 0x80, 0x04]),
            ("three bytes, last too large", vec![0xff, 0xff, 0x7f]),
            ("four bytes for a small value", vec![0x85, 0x80, 0x80, 0]),
            (
                "five bytes for a small value",
                vec![0x85, 0x80, 0x80, 0x80, 0],
            ),
            (
                "five bytes, largest u32",
                vec![0xff, 0xff, 0xff, 0xff, 0x0f],
            ),
            (
                "five bytes, one above u32",
                vec![0x80, 0x80, 0x80, 0x80, 0x10],
            ),
            (
                "six bytes for a small value",
                vec![0x85, 0x80, 0x80, 0x80, 0x80, 0],
            ),
            (
                "ten bytes for a small value",
                [&[0x85][..], &[0x80; 8], &[0]].concat(),
            ),
            ("ten bytes, largest u64", [&[0xff; 9][..], &[1]].concat()),
            ("ten bytes, one above u64", [&[0x80; 9][..], &[2]].concat()),
            ("eleven bytes", [&[0x80; 10][..], &[0]].concat()),
            ("never ending", vec![0xff; 12]),
        ],
    }
}

/// Spells every integer of a member and of a header in every way.
fn spelling_vectors<B: Bump>(kind: &mut Kind) {
    let host = [0_u8, 127, 0, 0, 1];
    for (what, spelled) in integer_spellings(kind.codec) {
        let port = [&host[..], &spelled, &[1, 0, 0]].concat();
        member_verdict::<B>(kind, &format!("port: {what}"), &port);
        let bump = [&host[..], &[9], &spelled, &[0, 0]].concat();
        member_verdict::<B>(kind, &format!("bump: {what}"), &bump);
        let incarnation = [&host[..], &[9, 1], &spelled, &[0]].concat();
        member_verdict::<B>(kind, &format!("incarnation: {what}"), &incarnation);
        let family = [&spelled[..], &host[1..], &[9, 1, 0, 0]].concat();
        member_verdict::<B>(kind, &format!("family: {what}"), &family);
        let state = [&host[..], &[9, 1, 0], &spelled].concat();
        member_verdict::<B>(kind, &format!("state: {what}"), &state);
        let header = encode_header(kind.codec, &to_node::<B>(Message::Gossip));
        let bare = &header[..header.len() - 1];
        let message = [bare, &spelled, &[7, 0, 0]].concat();
        packet_verdict::<B>(kind, &format!("message: {what}"), &message);
    }
    for (family, length) in [(0_u8, 4), (1, 16), (2, 4), (3, 16), (250, 4)] {
        let bytes = [&[family][..], &vec![1; length], &[9, 1, 0, 0]].concat();
        member_verdict::<B>(kind, &format!("family {family}"), &bytes);
    }
    for state in [0, 1, 2, 3, 4, 127, 250] {
        let bytes = [&host[..], &[9, 1, 0, state]].concat();
        member_verdict::<B>(kind, &format!("state {state}"), &bytes);
    }
}

fn to_node<B: Bump>(message: Message<Id<B>>) -> Header<Id<B>> {
    Header {
        src: peer_id(),
        src_incarnation: 0,
        dst: node_id(),
        message,
    }
}

fn truncation_vectors<B: Bump>(kind: &mut Kind) {
    let member = Member::new(
        id("[2001:db8::1]", 65_535, bump::<B>(65_535)),
        300,
        State::Down,
    );
    let bytes = encode_member(kind.codec, &member);
    for length in 0..bytes.len() {
        let why = format!("member cut to {length} of {}", bytes.len());
        member_verdict::<B>(kind, &why, &bytes[..length]);
    }
    let header = to_node::<B>(Message::PingReq {
        target: member.id().to_owned(),
        probe_number: 9,
    });
    let mut packet = encode_header(kind.codec, &header);
    packet.extend([0, 1]);
    packet.extend(&bytes);
    let item = &items()[1];
    packet.extend((item.len() as u16).to_be_bytes());
    packet.extend(item);
    for length in 0..packet.len() {
        let why = format!("packet cut to {length} of {}", packet.len());
        packet_verdict::<B>(kind, &why, &packet[..length]);
    }
}

/// Packets whose header is fine and whose rest is not, for a message of each shape.
fn section_vectors<B: Bump>(kind: &mut Kind) {
    let good = encode_member(kind.codec, &Member::alive(id::<B>("10.0.0.1", 9, bump(1))));
    let mut bad = good.clone();
    *bad.last_mut().expect("a member has bytes") = 3;
    let item = |index: usize| {
        let bytes = &items()[index];
        [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
    };
    let rests: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("one byte", vec![0]),
        ("one byte, not zero", vec![1]),
        ("no updates", vec![0, 0]),
        ("no updates, one byte more", vec![0, 0, 0]),
        ("no updates, two bytes more", vec![0, 0, 0, 0]),
        ("no updates, an empty item", vec![0, 0, 0, 0, 0]),
        ("one update missing", vec![0, 1]),
        ("one update", [&[0, 1][..], &good].concat()),
        (
            "one update, announced as two",
            [&[0, 2][..], &good].concat(),
        ),
        (
            "two updates, announced as one",
            [&[0, 1][..], &good, &good].concat(),
        ),
        (
            "one update, announced as none",
            [&[0, 0][..], &good].concat(),
        ),
        ("65535 updates announced", [&[255, 255][..], &good].concat()),
        ("second update bad", [&[0, 2][..], &good, &bad].concat()),
        ("first update bad", [&[0, 2][..], &bad, &good].concat()),
        ("little endian count", [&[1, 0][..], &good].concat()),
        ("an item", [&[0, 0][..], &item(0)].concat()),
        ("two items", [&[0, 0][..], &item(0), &item(1)].concat()),
        (
            "the same item twice",
            [&[0, 0][..], &item(0), &item(0)].concat(),
        ),
        (
            "an item, one byte more",
            [&[0, 0][..], &item(0), &[7]].concat(),
        ),
        (
            "an item, two bytes more",
            [&[0, 0][..], &item(0), &[0, 7]].concat(),
        ),
        (
            "an item longer than the rest",
            vec![0, 0, 0, 9, 0, 127, 0, 0, 1],
        ),
        ("an item the handler refuses", vec![0, 0, 0, 2, 9, 9]),
        (
            "refused, then a good one",
            [&[0, 0, 0, 2, 9, 9][..], &item(1)].concat(),
        ),
        (
            "good, then refused",
            [&[0, 0][..], &item(1), &[0, 2, 9, 9]].concat(),
        ),
        (
            "item of length zero, then a good one",
            [&[0, 0, 0, 0][..], &item(1)].concat(),
        ),
        ("an item without a count", item(0)),
        (
            "two items without a count",
            [&item(0)[..], &item(1)].concat(),
        ),
        ("update and item", [&[0, 1][..], &good, &item(2)].concat()),
        ("200 bytes too many", vec![0; 200]),
    ];
    let third = id("10.0.0.3", 7, bump(3));
    for (name, message) in [
        ("Ping", Message::Ping(1)),
        ("Announce", Message::Announce),
        ("Broadcast", Message::Broadcast),
        ("TurnUndead", Message::TurnUndead),
        (
            "IndirectAck",
            Message::IndirectAck {
                target: third,
                probe_number: 1,
            },
        ),
    ] {
        let header = encode_header(kind.codec, &to_node::<B>(message));
        for (what, rest) in &rests {
            packet_verdict::<B>(
                kind,
                &format!("{name}: {what}"),
                &[&header[..], rest].concat(),
            );
        }
    }
}

/// Packets for somebody else, from ourselves, and about ourselves.
fn address_vectors<B: Bump>(kind: &mut Kind) {
    let us = node_id::<B>();
    let same_addr = id("127.0.0.1", 8000, bump(9));
    for (index, message) in every_message(us, 3).into_iter().enumerate() {
        let rest: &[u8] = if message == Message::Announce {
            &[]
        } else {
            &[0, 0]
        };
        for (why, src, dst) in [
            ("third party is us", peer_id(), us),
            ("from us", us, us),
            ("from our address", same_addr, us),
            ("to our address, other bump", peer_id(), same_addr),
            (
                "to somebody else",
                peer_id(),
                id("127.0.0.1", 8009, bump(1)),
            ),
        ] {
            let header = Header {
                src,
                src_incarnation: 0,
                dst,
                message: message.clone(),
            };
            let bytes = [&encode_header(kind.codec, &header)[..], rest].concat();
            packet_verdict::<B>(kind, &format!("message {index}: {why}"), &bytes);
        }
    }
}

/// One byte of a good packet changed, seeded.
fn flipped_vectors<B: Bump>(kind: &mut Kind) {
    let mut draws = Draws::new(B::WIDTH + kind.codec.name().len() as u64);
    let mut packet = encode_header(
        kind.codec,
        &to_node::<B>(Message::IndirectPing {
            origin: id("[2001:db8::5]", 300, bump(300)),
            probe_number: 4,
        }),
    );
    packet.extend([0, 2]);
    for index in 0..2 {
        packet.extend(encode_member(
            kind.codec,
            &assorted::<B>(index, State::Down),
        ));
    }
    packet.extend((items()[0].len() as u16).to_be_bytes());
    packet.extend(&items()[0]);
    for _ in 0..120 {
        let at = draws.below(packet.len() as u64) as usize;
        let mask = 1 + draws.below(255) as u8;
        let mut bytes = packet.clone();
        bytes[at] ^= mask;
        packet_verdict::<B>(kind, &format!("byte {at} xor {mask:02x}"), &bytes);
    }
    for length in 1..40 {
        let bytes: Vec<u8> = (0..length).map(|_| draws.below(256) as u8).collect();
        packet_verdict::<B>(kind, &format!("{length} random bytes"), &bytes);
    }
}

// ---------------------------------------------------------------------------- config

fn periodic(params: &Option<PeriodicParams>) -> Value {
    match params {
        None => Value::Null,
        Some(params) => json!([nanoseconds(params.frequency), params.num_members]),
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

fn config_vector(preset: &str, size: u32, config: &Config) -> Value {
    json!({
        "preset": preset,
        "size": size,
        "probe_period": nanoseconds(config.probe_period),
        "probe_rtt": nanoseconds(config.probe_rtt),
        "num_indirect_probes": config.num_indirect_probes,
        "max_transmissions": config.max_transmissions,
        "suspect_to_down_after": nanoseconds(config.suspect_to_down_after),
        "remove_down_after": nanoseconds(config.remove_down_after),
        "max_packet_size": config.max_packet_size,
        "notify_down_members": config.notify_down_members,
        "periodic_announce": periodic(&config.periodic_announce),
        "periodic_announce_to_down_members": periodic(&config.periodic_announce_to_down_members),
        "periodic_gossip": periodic(&config.periodic_gossip),
    })
}

/// Cluster sizes around every place where a preset's number changes, and some others.
fn cluster_sizes() -> Vec<u32> {
    let mut sizes: Vec<u32> = (1..=120).collect();
    for power in 2..10 {
        let ten = 10_u32.pow(power);
        sizes.extend([ten - 2, ten - 1, ten, ten + 1, 3 * (ten / 10) + 7]);
    }
    for quarter in 8..38 {
        // MT(n) = trunc(4 log10(n + 1)) steps where n + 1 passes 10 ** (quarter / 4).
        let edge = 10_f64.powf(f64::from(quarter) / 4.0) as u32;
        sizes.extend([edge - 2, edge - 1, edge, edge + 1]);
    }
    sizes.extend([u32::MAX - 1, u32::MAX]);
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

fn write_config(out: &Path) -> Result<(), String> {
    let mut vectors = vec![config_vector("simple", 0, &Config::simple())];
    for size in cluster_sizes() {
        let n = NonZeroU32::new(size).expect("sizes start at 1");
        vectors.push(config_vector("lan", size, &Config::new_lan(n)));
        vectors.push(config_vector("wan", size, &Config::new_wan(n)));
    }
    println!("config.json: {} vectors", vectors.len());
    let about = json!({ "about": "config", "foca": VERSION, "count": vectors.len() });
    vectors.insert(0, about);
    write_file(out, "config.json", &vectors)
}

// ---------------------------------------------------------------------------- files

fn write_file(out: &Path, name: &str, vectors: &[Value]) -> Result<(), String> {
    let lines: Vec<String> = vectors.iter().map(Value::to_string).collect();
    let path = out.join(name);
    fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n")))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn write_width<B: Bump>(out: &Path, codec: AnyCodec) -> Result<(), String> {
    let makers: [(&str, &[Maker]); 4] = [
        ("codec", &[codec_members::<B>, codec_headers::<B>]),
        ("packets", &[packets::<B>]),
        ("limits", &[limits::<B>]),
        (
            "malformed",
            &[
                spelling_vectors::<B>,
                truncation_vectors::<B>,
                section_vectors::<B>,
                address_vectors::<B>,
                flipped_vectors::<B>,
            ],
        ),
    ];
    for (name, makers) in makers {
        let mut kind = Kind {
            codec,
            width: B::WIDTH,
            vectors: Vec::new(),
        };
        for maker in makers {
            maker(&mut kind);
        }
        let mut about = kind.about(name);
        if name == "malformed" {
            about["new"] = malformed_steps::<B>(codec, &[])[0].clone();
        }
        let file = format!("{}-{}-{name}.json", codec.name(), B::WIDTH);
        println!("{file}: {} vectors", kind.vectors.len());
        kind.vectors.insert(0, about);
        write_file(out, &file, &kind.vectors)?;
    }
    Ok(())
}

/// `vectors DIR` writes every file into DIR, which must exist.
pub fn run(arguments: &[String]) -> Result<i32, String> {
    let [out] = arguments else {
        return Err("usage: foca-interop-peer vectors DIR".into());
    };
    let out = Path::new(out);
    write_config(out)?;
    for codec in [AnyCodec::Bincode, AnyCodec::Postcard] {
        write_width::<u16>(out, codec)?;
        write_width::<u64>(out, codec)?;
    }
    Ok(0)
}
