//! `agent`: one live cluster member over UDP, reporting JSON lines and obeying commands on stdin.
//!
//! One thread reads the socket, one reads standard input; both feed a channel. The main thread
//! owns the node and sleeps on that channel until the next deadline, so an idle agent costs
//! nothing. A paused agent neither reads, answers nor fires timers: what arrives is dropped and
//! counted, what was due fires late.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::{self, BufRead, Write};
use std::net::{SocketAddr, UdpSocket};
use std::num::{NonZeroU32, NonZeroU8, NonZeroUsize};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use foca::{Config, Error, Foca, Notification, PeriodicParams, Runtime, Timer};
use serde_json::{json, Value};

use crate::handler::{Handler, Item, Key};
use crate::id::{set_renewable, AnyCodec, Bump, Id};
use crate::notation;
use crate::session::Draws;

const USAGE: &str = "\
usage: foca-interop-peer agent --bind IP:PORT --codec bincode|postcard --bump-width 16|64
  [--identity IP:PORT] [--announce IP:PORT]... [--bump N] [--no-renew]
  [--config lan|wan|simple] [--size N]
  [--probe-period-ms N] [--probe-rtt-ms N] [--suspect-ms N] [--remove-down-ms N]
  [--indirect-probes N] [--max-transmissions N] [--max-packet-size N]
  [--notify-down true|false] [--periodic-announce-ms N] [--periodic-announce-down-ms N]
  [--periodic-gossip-ms N]      (a periodic frequency of 0 turns it off)
commands on stdin: announce IP:PORT[#BUMP], leave, broadcast TEXT, pause, resume, members,
  stats, quit";

/// The longest wait for the channel: there is nothing to do, only the clock to look at.
const IDLE_WAIT: Duration = Duration::from_secs(60);

struct Options {
    bind: SocketAddr,
    identity: Option<SocketAddr>,
    announce: Vec<SocketAddr>,
    codec: AnyCodec,
    bump_width: u64,
    bump: Option<u64>,
    renew: bool,
    config: Config,
}

fn parsed<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{name} cannot be {value:?}\n{USAGE}"))
}

fn set_periodic(into: &mut Option<PeriodicParams>, ms: u64) {
    let num_members = into.as_ref().map_or(NonZeroUsize::MIN, |p| p.num_members);
    *into = (ms > 0).then(|| PeriodicParams {
        frequency: Duration::from_millis(ms),
        num_members,
    });
}

/// Applies one `--name value` that changes the config. Returns false when the name is another's.
fn set_config_option(config: &mut Config, name: &str, value: &str) -> Result<bool, String> {
    let ms = || parsed::<u64>(name, value).map(Duration::from_millis);
    match name {
        "--probe-period-ms" => config.probe_period = ms()?,
        "--probe-rtt-ms" => config.probe_rtt = ms()?,
        "--suspect-ms" => config.suspect_to_down_after = ms()?,
        "--remove-down-ms" => config.remove_down_after = ms()?,
        "--indirect-probes" => {
            config.num_indirect_probes = parsed::<NonZeroUsize>(name, value)?;
        }
        "--max-transmissions" => config.max_transmissions = parsed::<NonZeroU8>(name, value)?,
        "--max-packet-size" => config.max_packet_size = parsed::<NonZeroUsize>(name, value)?,
        "--notify-down" => config.notify_down_members = parsed(name, value)?,
        "--periodic-announce-ms" => {
            set_periodic(&mut config.periodic_announce, parsed(name, value)?);
        }
        "--periodic-announce-down-ms" => set_periodic(
            &mut config.periodic_announce_to_down_members,
            parsed(name, value)?,
        ),
        "--periodic-gossip-ms" => set_periodic(&mut config.periodic_gossip, parsed(name, value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn base_config(name: &str, size: NonZeroU32) -> Result<Config, String> {
    match name {
        "lan" => Ok(Config::new_lan(size)),
        "wan" => Ok(Config::new_wan(size)),
        "simple" => Ok(Config::simple()),
        _ => Err(format!("--config cannot be {name:?}\n{USAGE}")),
    }
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut given: Vec<(&str, &str)> = Vec::new();
        let mut renew = true;
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            if name == "--no-renew" {
                renew = false;
                continue;
            }
            match rest.next() {
                Some(value) => given.push((name, value)),
                None => return Err(format!("{name} needs a value\n{USAGE}")),
            }
        }
        let last = |wanted: &str| given.iter().rev().find(|(name, _)| *name == wanted);
        let needed = |wanted: &str| {
            last(wanted)
                .map(|(_, value)| *value)
                .ok_or_else(|| format!("{wanted} is missing\n{USAGE}"))
        };
        let size = last("--size").map_or(Ok(NonZeroU32::new(10).expect("10 is not 0")), |o| {
            parsed("--size", o.1)
        })?;
        let mut options = Options {
            bind: parsed("--bind", needed("--bind")?)?,
            identity: None,
            announce: Vec::new(),
            codec: AnyCodec::parse(needed("--codec")?)?,
            bump_width: parsed("--bump-width", needed("--bump-width")?)?,
            bump: None,
            renew,
            config: base_config(last("--config").map_or("lan", |o| o.1), size)?,
        };
        for (name, value) in &given {
            match *name {
                "--bind" | "--codec" | "--bump-width" | "--config" | "--size" => {}
                "--identity" => options.identity = Some(parsed(name, value)?),
                "--announce" => options.announce.push(parsed(name, value)?),
                "--bump" => options.bump = Some(parsed(name, value)?),
                _ => {
                    if !set_config_option(&mut options.config, name, value)? {
                        return Err(format!("{name} is not an option\n{USAGE}"));
                    }
                }
            }
        }
        Ok(options)
    }
}

/// One JSON line on standard output. Whoever started the agent reads it; if nobody does, the
/// agent has no reason to live on.
fn report(value: Value) {
    let mut out = io::stdout().lock();
    if writeln!(out, "{value}").and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

#[derive(Default)]
struct Stats {
    sent: u64,
    sent_bytes: u64,
    send_errors: u64,
    received: u64,
    received_bytes: u64,
    dropped_while_paused: u64,
    errors: BTreeMap<String, u64>,
}

/// Owns what a call into the node may touch: the socket, the clock and the deadlines.
struct Shell<B> {
    socket: UdpSocket,
    stats: Stats,
    timers: BinaryHeap<Reverse<(Instant, Timer<Id<B>>)>>,
}

impl<B: Bump> Runtime<Id<B>> for Shell<B> {
    fn notify(&mut self, notification: Notification<'_, Id<B>>) {
        if matches!(
            notification,
            Notification::DataReceived(_) | Notification::DataSent(_)
        ) {
            return;
        }
        report(json!({ "notify": notation::notification(&notification) }));
    }

    fn send_to(&mut self, to: Id<B>, data: &[u8]) {
        match self.socket.send_to(data, to.addr) {
            Ok(_) => {
                self.stats.sent += 1;
                self.stats.sent_bytes += data.len() as u64;
            }
            Err(_) => self.stats.send_errors += 1,
        }
    }

    fn submit_after(&mut self, timer: Timer<Id<B>>, after: Duration) {
        // A deadline beyond what the clock can hold never comes.
        if let Some(deadline) = Instant::now().checked_add(after) {
            self.timers.push(Reverse((deadline, timer)));
        }
    }
}

enum Input {
    Datagram(Vec<u8>),
    Command(String),
    StdinClosed,
}

fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

struct Agent<B: Bump> {
    node: Foca<Id<B>, AnyCodec, Draws, Handler<B>>,
    shell: Shell<B>,
    paused: bool,
    /// Version of our last broadcast.
    version: u64,
}

impl<B: Bump> Agent<B> {
    fn note(&mut self, outcome: Result<(), Error>) {
        if let Err(error) = outcome {
            *self
                .shell
                .stats
                .errors
                .entry(error.to_string())
                .or_default() += 1;
        }
    }

    fn announce(&mut self, text: &str) {
        let with_bump = if text.contains('#') {
            text.to_string()
        } else {
            format!("{text}#0")
        };
        match Id::parse(&with_bump) {
            Ok(id) => {
                let outcome = self.node.announce(id, &mut self.shell);
                self.note(outcome);
            }
            Err(reason) => report(json!({ "error": reason })),
        }
    }

    fn broadcast(&mut self, text: &str) {
        self.version = unix_seconds().max(self.version + 1);
        let item = Item {
            key: Key {
                addr: self.node.identity().addr,
                version: self.version,
            },
            msg: text.into(),
        };
        let outcome = self
            .node
            .add_broadcast(&item.encode())
            .and_then(|_new| self.node.broadcast(&mut self.shell));
        self.note(outcome);
    }

    fn report_members(&self) {
        let members: Vec<Value> = self
            .node
            .iter_membership_state()
            .map(notation::member)
            .collect();
        report(json!({
            "identity": self.node.identity().to_string(),
            "members": members,
            "num_members": self.node.num_members(),
        }));
    }

    fn report_stats(&self) {
        let stats = &self.shell.stats;
        report(json!({ "stats": {
            "sent": stats.sent,
            "sent_bytes": stats.sent_bytes,
            "send_errors": stats.send_errors,
            "received": stats.received,
            "received_bytes": stats.received_bytes,
            "dropped_while_paused": stats.dropped_while_paused,
            "errors": stats.errors,
        }}));
    }

    /// Carries out one command line. Returns false when the agent is to end.
    fn command(&mut self, line: &str) -> bool {
        let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "announce" => self.announce(argument.trim()),
            "leave" => {
                let outcome = self.node.leave_cluster(&mut self.shell);
                self.note(outcome);
                report(json!({ "done": "leave" }));
            }
            "broadcast" => self.broadcast(argument),
            "pause" | "resume" => {
                self.paused = word == "pause";
                report(json!({ "done": word }));
            }
            "members" => self.report_members(),
            "stats" => self.report_stats(),
            "quit" => return false,
            "" => {}
            _ => report(json!({ "error": format!("{word:?} is not a command") })),
        }
        true
    }

    fn datagram(&mut self, data: &[u8]) {
        if self.paused {
            self.shell.stats.dropped_while_paused += 1;
            return;
        }
        self.shell.stats.received += 1;
        self.shell.stats.received_bytes += data.len() as u64;
        let outcome = self.node.handle_data(data, &mut self.shell);
        self.note(outcome);
    }

    /// Fires every timer that is due; returns how long to sleep.
    fn fire_due(&mut self) -> Duration {
        if self.paused {
            return IDLE_WAIT;
        }
        loop {
            let now = Instant::now();
            match self.shell.timers.peek() {
                None => return IDLE_WAIT,
                Some(Reverse((deadline, _))) if *deadline > now => {
                    return (*deadline - now).min(IDLE_WAIT);
                }
                Some(_) => {
                    let Some(Reverse((_, timer))) = self.shell.timers.pop() else {
                        return IDLE_WAIT;
                    };
                    let outcome = self.node.handle_timer(timer, &mut self.shell);
                    self.note(outcome);
                }
            }
        }
    }

    fn run(&mut self, inputs: &Receiver<Input>) {
        loop {
            let wait = self.fire_due();
            match inputs.recv_timeout(wait) {
                Ok(Input::Datagram(data)) => self.datagram(&data),
                Ok(Input::Command(line)) => {
                    if !self.command(&line) {
                        return;
                    }
                }
                Ok(Input::StdinClosed) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

fn read_socket(socket: &UdpSocket, inputs: &Sender<Input>) {
    let mut buf = vec![0; 65536];
    loop {
        // An error here is an ICMP answer to something we sent earlier: nothing was received.
        if let Ok((bytes, _from)) = socket.recv_from(&mut buf) {
            if inputs.send(Input::Datagram(buf[..bytes].to_vec())).is_err() {
                return;
            }
        }
    }
}

fn read_commands(inputs: &Sender<Input>) {
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        if inputs.send(Input::Command(line.trim_end().into())).is_err() {
            return;
        }
    }
    let _ = inputs.send(Input::StdinClosed);
}

fn run_with<B: Bump>(options: Options) -> Result<i32, String> {
    set_renewable(options.renew);
    let socket = UdpSocket::bind(options.bind)
        .map_err(|error| format!("cannot bind {}: {error}", options.bind))?;
    let bound = socket.local_addr().map_err(|error| error.to_string())?;
    let bump = options.bump.unwrap_or_else(unix_seconds);
    let bump =
        B::from_u64(bump).ok_or_else(|| format!("--bump {bump} does not fit {} bits", B::WIDTH))?;
    let identity = Id {
        addr: options.identity.unwrap_or(bound),
        bump,
    };
    let on_new = Box::new(|item: &Item, sender: Option<&Id<B>>| {
        if let Some(sender) = sender {
            report(json!({ "broadcast": {
                "addr": item.key.addr.to_string(),
                "version": item.key.version,
                "msg": item.msg,
                "relay": sender.to_string(),
            }}));
        }
    });
    let seed = unix_seconds() ^ (u64::from(std::process::id()) << 32);
    let mut agent = Agent {
        node: Foca::with_custom_broadcast(
            identity,
            options.config,
            Draws::new(seed),
            options.codec,
            Handler::versioned(Vec::new(), on_new),
        ),
        shell: Shell {
            socket: socket.try_clone().map_err(|error| error.to_string())?,
            stats: Stats::default(),
            timers: BinaryHeap::new(),
        },
        paused: false,
        version: 0,
    };
    report(json!({ "started": identity.to_string() }));
    let (sender, inputs) = channel();
    let from_socket = sender.clone();
    thread::spawn(move || read_socket(&socket, &from_socket));
    thread::spawn(move || read_commands(&sender));
    for seed in options.announce {
        agent.announce(&seed.to_string());
    }
    agent.run(&inputs);
    Ok(0)
}

/// Runs until `quit`, or until standard input ends.
pub fn run(arguments: &[String]) -> Result<i32, String> {
    let options = Options::parse(arguments)?;
    match options.bump_width {
        16 => run_with::<u16>(options),
        64 => run_with::<u64>(options),
        other => Err(format!("--bump-width {other} must be 16 or 64\n{USAGE}")),
    }
}
