//! As much of Python's pickle as CIFAR's files use: dictionaries of lists, texts and one array of
//! bytes.
//!
//! Reference: CPython's `Lib/pickletools.py`, protocols 2 to 4, and the `__reduce__` of NumPy's
//! arrays (`numpy/_core/src/multiarray/methods.c`). Nothing is executed: the only names that may be
//! called are NumPy's `_reconstruct` and `dtype`. The array stays where it is in the file; a value
//! knows its first byte.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::cursor::Cursor;
use crate::terms::Problem;

/// Containers inside of containers.
const DEPTH: u8 = 8;

/// What a pickle holds.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A number or a truth value.
    Int(i64),
    /// A text, or bytes: where it stands in the file.
    Text(Range<usize>),
    /// A list or a tuple, and how deep it goes.
    List(Vec<Self>, u8),
    /// A dictionary, and how deep it goes.
    Dict(Vec<(Self, Self)>, u8),
    /// A table of bytes: its sides, and where it stands in the file.
    Table(Vec<usize>, Range<usize>),
    /// A function: its module and name.
    Name(String),
    /// Something that CIFAR's files have and nobody needs.
    Other,
}

impl Value {
    fn depth(&self) -> u8 {
        match self {
            Self::List(_, depth) | Self::Dict(_, depth) => *depth,
            _ => 0,
        }
    }

    /// Returns the value of a key.
    pub(super) fn get(&self, file: &[u8], key: &str) -> Option<&Self> {
        let Self::Dict(pairs, _) = self else { return None };
        let is_key = |k: &Self| matches!(k, Self::Text(at) if &file[at.clone()] == key.as_bytes());
        pairs.iter().find(|(k, _)| is_key(k)).map(|(_, value)| value)
    }
}

/// Returns the value in a pickle file.
///
/// # Errors
/// If the file is damaged, or holds something that CIFAR's files do not.
pub(super) fn read(name: &str, file: &[u8]) -> Result<Value, Problem> {
    Machine {
        cursor: Cursor::new(name, file),
        file,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
    }
    .run()
}

struct Machine<'a> {
    cursor: Cursor<'a>,
    file: &'a [u8],
    stack: Vec<Value>,
    marks: Vec<usize>,
    /// Containers are not remembered: they may still grow, and CIFAR's files refer to none again.
    memo: BTreeMap<u32, Value>,
}

impl<'a> Machine<'a> {
    fn run(mut self) -> Result<Value, Problem> {
        loop {
            let before = self.cursor.clone();
            let operation = self.cursor.u8("an operation")?;
            if operation == b'.' {
                return self.pop();
            }
            let known =
                self.scalar(operation)? || self.container(operation)? || self.call(operation)?;
            if !known {
                let found = format!("pickle operation 0x{operation:02x}");
                let problem = before.problem(found, "one that CIFAR's files have");
                return Err(problem.hint("take the official archive, `cifar-10-python.tar.gz`"));
            }
        }
    }

    fn wrong(&self, found: &str) -> Problem {
        self.cursor.problem(found, "a pickle as CIFAR's files are")
    }

    fn pop(&mut self) -> Result<Value, Problem> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.wrong("an operation without its values"));
        }
        Ok(self.stack.pop().expect("above the floor"))
    }

    fn above_mark(&mut self) -> Result<Vec<Value>, Problem> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => Err(self.wrong("an operation without its mark")),
        }
    }

    fn deeper<'v>(&self, items: impl IntoIterator<Item = &'v Value>) -> Result<u8, Problem> {
        let depth = 1 + items.into_iter().map(Value::depth).max().unwrap_or(0);
        if depth > DEPTH { Err(self.wrong("lists in lists in lists")) } else { Ok(depth) }
    }

    fn list(&mut self, items: Vec<Value>) -> Result<(), Problem> {
        let depth = self.deeper(&items)?;
        self.stack.push(Value::List(items, depth));
        Ok(())
    }

    fn text(&mut self, length: usize) -> Result<(), Problem> {
        self.cursor.take(length, "a text")?;
        self.stack.push(Value::Text(self.cursor.at() - length..self.cursor.at()));
        Ok(())
    }

    fn long_text(&mut self) -> Result<(), Problem> {
        let length = u32::from_le_bytes(self.cursor.array("a length")?);
        self.text(length as usize)
    }

    fn line(&mut self) -> Result<String, Problem> {
        let mut line = Vec::new();
        loop {
            match self.cursor.u8("a name")? {
                b'\n' => return Ok(String::from_utf8_lossy(&line).into_owned()),
                _ if line.len() > 100 => return Err(self.wrong("a long name")),
                byte => line.push(byte),
            }
        }
    }

    /// Numbers, texts and what has no value; returns whether it was one of these.
    fn scalar(&mut self, operation: u8) -> Result<bool, Problem> {
        let int = match operation {
            0x80 => {
                let version = self.cursor.u8("the protocol")?;
                if !(2..=5).contains(&version) {
                    return Err(self.wrong(&format!("pickle protocol {version}")));
                }
                return Ok(true);
            }
            0x95 => return self.cursor.take(8, "a frame").map(|_| true),
            b'N' => {
                self.stack.push(Value::Other);
                return Ok(true);
            }
            b'U' | 0x8c | b'C' => {
                let length = self.cursor.u8("a length")?;
                return self.text(usize::from(length)).map(|()| true);
            }
            b'T' | b'X' | b'B' => return self.long_text().map(|()| true),
            0x8e | 0x8d => {
                let length = u64::from_le_bytes(self.cursor.array("a length")?);
                return self.text(usize::try_from(length).unwrap_or(usize::MAX)).map(|()| true);
            }
            b'K' => i64::from(self.cursor.u8("a number")?),
            b'M' => i64::from(u16::from_le_bytes(self.cursor.array("a number")?)),
            b'J' => i64::from(i32::from_le_bytes(self.cursor.array("a number")?)),
            0x88 => 1,
            0x89 => 0,
            _ => return Ok(false),
        };
        self.stack.push(Value::Int(int));
        Ok(true)
    }

    /// Lists, tuples, dictionaries, marks and the memory; returns whether it was one of these.
    fn container(&mut self, operation: u8) -> Result<bool, Problem> {
        match operation {
            b'(' => self.marks.push(self.stack.len()),
            b']' | b')' => self.list(Vec::new())?,
            b'}' => self.stack.push(Value::Dict(Vec::new(), 1)),
            b't' | b'l' => {
                let items = self.above_mark()?;
                self.list(items)?;
            }
            0x85..=0x87 => {
                let mut items = Vec::new();
                for _ in 0x85..=operation {
                    items.push(self.pop()?);
                }
                items.reverse();
                self.list(items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.above_mark()?;
                self.append(items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(vec![key, value])?;
            }
            b'u' => {
                let items = self.above_mark()?;
                self.set(items)?;
            }
            b'q' | b'r' | 0x94 => {
                let key = match operation {
                    b'q' => u32::from(self.cursor.u8("a place")?),
                    b'r' => u32::from_le_bytes(self.cursor.array("a place")?),
                    _ => u32::try_from(self.memo.len()).unwrap_or(u32::MAX),
                };
                let value = match self.stack.last() {
                    Some(Value::List(..) | Value::Dict(..)) | None => Value::Other,
                    Some(value) => value.clone(),
                };
                self.memo.insert(key, value);
            }
            b'h' | b'j' => {
                let key = match operation {
                    b'h' => u32::from(self.cursor.u8("a place")?),
                    _ => u32::from_le_bytes(self.cursor.array("a place")?),
                };
                let known = self.memo.get(&key).cloned();
                self.stack.push(known.ok_or_else(|| self.wrong("a value that was not kept"))?);
            }
            b'0' => drop(self.pop()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn append(&mut self, items: Vec<Value>) -> Result<(), Problem> {
        let deeper = self.deeper(&items)?;
        match self.stack.last_mut() {
            Some(Value::List(list, depth)) => {
                list.extend(items);
                *depth = deeper.max(*depth);
                Ok(())
            }
            _ => Err(self.wrong("items without a list")),
        }
    }

    fn set(&mut self, items: Vec<Value>) -> Result<(), Problem> {
        let deeper = self.deeper(&items)?;
        let mut items = items.into_iter();
        match self.stack.last_mut() {
            Some(Value::Dict(pairs, depth)) => {
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    pairs.push((key, value));
                }
                *depth = deeper.max(*depth);
                Ok(())
            }
            _ => Err(self.wrong("pairs without a dictionary")),
        }
    }

    /// Names, calls and states: how NumPy's arrays are built; returns whether it was one of these.
    fn call(&mut self, operation: u8) -> Result<bool, Problem> {
        match operation {
            b'c' => {
                let name = format!("{}.{}", self.line()?, self.line()?);
                self.stack.push(Value::Name(name));
            }
            0x93 => {
                let (Value::Text(name), Value::Text(module)) = (self.pop()?, self.pop()?) else {
                    return Err(self.wrong("a name that is no text"));
                };
                let text = |at: Range<usize>| String::from_utf8_lossy(&self.file[at]).into_owned();
                let name = format!("{}.{}", text(module), text(name));
                self.stack.push(Value::Name(name));
            }
            b'R' => {
                let (arguments, name) = (self.pop()?, self.pop()?);
                let Value::Name(name) = name else { return Err(self.wrong("a call of no name")) };
                let value = self.called(&name, &arguments)?;
                self.stack.push(value);
            }
            b'b' => {
                let (state, object) = (self.pop()?, self.pop()?);
                let value = match object {
                    Value::Table(..) => self.table(&state)?,
                    _ => Value::Other, // The byte order of a type: bytes have none.
                };
                self.stack.push(value);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Returns what a call gives before its state is known.
    fn called(&self, name: &str, arguments: &Value) -> Result<Value, Problem> {
        match name {
            "numpy.core.multiarray._reconstruct" | "numpy._core.multiarray._reconstruct" => {
                Ok(Value::Table(Vec::new(), 0..0))
            }
            "numpy.dtype" => match arguments {
                Value::List(items, _) => match items.first() {
                    Some(Value::Text(at)) if matches!(&self.file[at.clone()], b"u1" | b"|u1") => {
                        Ok(Value::Other)
                    }
                    _ => Err(self.wrong("an array of another type than bytes")),
                },
                _ => Err(self.wrong("a type without a name")),
            },
            "_codecs.encode" => Err(self
                .wrong("bytes that Python 3 wrote as text")
                .hint("write the pickle with protocol 3 or higher, or take the official archive")),
            other => Err(self.wrong(&format!("a call of `{}`", other.escape_debug()))),
        }
    }

    /// Returns the table of a state: version, sides, type, whether columns come first, bytes.
    fn table(&self, state: &Value) -> Result<Value, Problem> {
        let wrong = || self.wrong("an array whose state is none");
        let Value::List(state, _) = state else { return Err(wrong()) };
        let [_, Value::List(sides, _), _, Value::Int(0), Value::Text(bytes)] = state.as_slice()
        else {
            return Err(wrong());
        };
        let side = |value: &Value| match value {
            Value::Int(side) => usize::try_from(*side).ok(),
            _ => None,
        };
        let sides: Vec<usize> = sides.iter().map(side).collect::<Option<_>>().ok_or_else(wrong)?;
        let size = sides.iter().try_fold(1_usize, |size, side| size.checked_mul(*side));
        if size != Some(bytes.len()) {
            let found = format!("an array of {sides:?} in {} bytes", bytes.len());
            return Err(self.wrong(&found));
        }
        Ok(Value::Table(sides, bytes.clone()))
    }
}
