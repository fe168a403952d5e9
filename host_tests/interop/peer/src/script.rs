//! Reading one JSON object of a script so that every refusal names the line and the field.

use std::fmt;

use serde_json::{Map, Value};

use crate::id::{Bump, Id};

/// Why a script line was refused.
#[derive(Debug)]
pub struct ScriptError {
    pub line: usize,
    pub field: String,
    pub reason: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, field {:?}: {}",
            self.line, self.field, self.reason
        )
    }
}

pub type Parsed<T> = Result<T, ScriptError>;

/// The fields of one object, each to be taken once; what is left over at the end is an error.
pub struct Fields {
    pub line: usize,
    prefix: String,
    map: Map<String, Value>,
}

impl Fields {
    pub fn parse(line: usize, text: &str) -> Parsed<Self> {
        let value: Value = serde_json::from_str(text).map_err(|error| ScriptError {
            line,
            field: String::new(),
            reason: format!("not JSON: {error}"),
        })?;
        Self::from_value(line, "", value)
    }

    pub fn from_value(line: usize, name: &str, value: Value) -> Parsed<Self> {
        match value {
            Value::Object(map) => Ok(Self {
                line,
                prefix: if name.is_empty() {
                    String::new()
                } else {
                    format!("{name}.")
                },
                map,
            }),
            _ => Err(ScriptError {
                line,
                field: name.into(),
                reason: "must be an object".into(),
            }),
        }
    }

    pub fn error<T>(&self, field: &str, reason: impl Into<String>) -> Parsed<T> {
        Err(ScriptError {
            line: self.line,
            field: format!("{}{field}", self.prefix),
            reason: reason.into(),
        })
    }

    pub fn has(&self, field: &str) -> bool {
        self.map.contains_key(field)
    }

    pub fn peek_text(&self, field: &str) -> Option<&str> {
        self.map.get(field)?.as_str()
    }

    pub fn take(&mut self, field: &str) -> Option<Value> {
        self.map.remove(field)
    }

    pub fn value(&mut self, field: &str) -> Parsed<Value> {
        match self.take(field) {
            Some(value) => Ok(value),
            None => self.error(field, "is missing"),
        }
    }

    pub fn object(&mut self, field: &str) -> Parsed<Fields> {
        let value = self.value(field)?;
        Fields::from_value(self.line, field, value)
    }

    pub fn text(&mut self, field: &str) -> Parsed<String> {
        match self.value(field)? {
            Value::String(text) => Ok(text),
            _ => self.error(field, "must be a string"),
        }
    }

    pub fn flag(&mut self, field: &str) -> Parsed<bool> {
        match self.value(field)? {
            Value::Bool(flag) => Ok(flag),
            _ => self.error(field, "must be true or false"),
        }
    }

    pub fn number(&mut self, field: &str, max: u64) -> Parsed<u64> {
        let value = self.value(field)?;
        match value.as_u64() {
            Some(number) if number <= max => Ok(number),
            _ => self.error(field, format!("must be a whole number from 0 to {max}")),
        }
    }

    pub fn array(&mut self, field: &str) -> Parsed<Vec<Value>> {
        match self.value(field)? {
            Value::Array(values) => Ok(values),
            _ => self.error(field, "must be a list"),
        }
    }

    pub fn hex(&mut self, field: &str) -> Parsed<Vec<u8>> {
        let text = self.text(field)?;
        match unhex(&text) {
            Some(bytes) => Ok(bytes),
            None => self.error(field, "must be pairs of hex digits"),
        }
    }

    pub fn id<B: Bump>(&mut self, field: &str) -> Parsed<Id<B>> {
        let text = self.text(field)?;
        Id::parse(&text).or_else(|reason| self.error(field, reason))
    }

    /// Refuses the line when it holds a field that nobody asked for.
    pub fn finish(self) -> Parsed<()> {
        match self.map.keys().next() {
            Some(field) => self.error(field, "is not known here"),
            None => Ok(()),
        }
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || text.len() % 2 == 1 {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}
