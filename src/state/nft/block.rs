//! The blocks of a script or a listing: tables, and what is in them.
//!
//! In: tokens. Out: the tables with their chains, sets, maps and other objects. Promise: what cannot be read, or is not
//! closed where the text ends, is named with its place, and all the rest is read.

use std::sync::Arc;

use super::object::{Chains, Definition};
use super::rule::{self, Room};
use super::token::{Cursor, Token, join, span, span_of};
use crate::diagnostic::FileId;
use crate::state::Unread;
use crate::state::ruleset::{Program, Rule, Ruleset, Table, TableName};

/// Reads all tables of a text.
pub(super) fn read(file: FileId, tokens: &[Token<'_>], unread: Vec<Unread>) -> Ruleset {
    let mut reader = Reader {
        file,
        ruleset: Ruleset::new(Program::Nft),
        cursor: Cursor::new(tokens),
        room: Room::default(),
        rules: Vec::new(),
    };
    reader.ruleset.unread = unread;
    reader.all();
    reader.ruleset.unread.sort_by_key(|one| one.span);
    super::object::finish(&mut reader.ruleset);
    reader.ruleset
}

struct Reader<'a, 't> {
    file: FileId,
    ruleset: Ruleset,
    cursor: Cursor<'a, 't>,
    /// What is kept from one rule to the next.
    room: Room,
    /// Room for the rules of a chain while it is read.
    rules: Vec<Rule>,
}

/// Whether a word begins an object of a table; its name follows, or (`ct helper`) a second word and the name.
fn begins_object(word: &str) -> bool {
    matches!(
        word,
        "chain" | "set" | "map" | "flowtable" | "counter" | "quota" | "limit" | "ct" | "synproxy" | "secmark" | "meter"
    )
}

impl<'a, 't> Reader<'a, 't> {
    fn all(&mut self) {
        while let Some(first) = self.cursor.peek() {
            if first.is_end() {
                self.cursor.skip(1);
            } else if first.is("table") && self.header().is_some() {
                self.table();
            } else {
                self.command();
            }
        }
    }

    fn unread(&mut self, tokens: &[Token<'_>], reason: &str) {
        let span = span_of(self.file, tokens);
        self.ruleset.unread.push(Unread { span, reason: reason.to_owned() });
    }

    /// The number of tokens up to the brace that opens a block on this line, if one does.
    fn header(&self) -> Option<usize> {
        let line = self.cursor.rest().iter().take_while(|token| !token.is_end()).take(6);
        line.enumerate().find(|(_, token)| token.is("{")).map(|(at, _)| at)
    }

    /// What stands before the block, which is entered.
    fn enter(&mut self) -> &'a [Token<'t>] {
        let head = self.cursor.until(|token| token.is("{"));
        self.cursor.skip(1);
        head
    }

    /// A command outside of tables.
    fn command(&mut self) {
        let line = self.cursor.until(Token::is_end);
        let words: Vec<&str> = line.iter().map(|token| &*token.text).collect();
        match words.as_slice() {
            ["flush", "ruleset"] => self.ruleset.tables.clear(),
            ["table" | "add", .., family, name] if words.len() == 3 + usize::from(words.first() == Some(&"add")) => {
                if words.first() == Some(&"add") && words.get(1) != Some(&"table") {
                    return self.unread(line, COMMAND);
                }
                self.entry(family, name);
            }
            [verb @ ("delete" | "destroy"), "table", family, name] => {
                let gone = self.ruleset.tables.remove(&table_name(family, name));
                if gone.is_none() && *verb == "delete" {
                    self.unread(line, "there is no such table before this line");
                }
            }
            _ => self.unread(line, COMMAND),
        }
    }

    fn entry(&mut self, family: &str, name: &str) -> &mut Table {
        self.ruleset.tables.entry(table_name(family, name)).or_default()
    }

    fn table(&mut self) {
        let head = self.enter();
        let words: Vec<&str> = head.iter().skip(1).map(|token| &*token.text).collect();
        let (family, name) = match words.as_slice() {
            [name] => ("ip", *name),
            [family, name] => (*family, *name),
            _ => {
                self.unread(head, "a table has a family and a name");
                ("", "")
            }
        };
        self.entry(family, name);
        loop {
            let Some(first) = self.cursor.peek() else { return self.unread(head, UNCLOSED) };
            if first.is_end() {
                self.cursor.skip(1);
            } else if first.is("}") {
                self.cursor.skip(1);
                return;
            } else if first.is("table") && self.header().is_some() {
                return self.unread(head, UNCLOSED);
            } else if begins_object(first.bare()) && self.header().is_some() {
                self.object(family, name);
            } else {
                self.attribute(family, name);
            }
        }
    }

    /// `flags dormant`; a comment says nothing here.
    fn attribute(&mut self, family: &str, name: &str) {
        let (line, _) = self.statement();
        match line {
            [first, _] if first.is("comment") => {}
            [first, flags @ ..] if first.is("flags") => {
                let mut flags: Vec<String> =
                    flags.iter().filter(|flag| !flag.is(",")).map(|flag| flag.text.to_string()).collect();
                flags.sort();
                self.entry(family, name).others.insert("flags".into(), flags);
            }
            _ => self.unread(line, "this is no part of a table"),
        }
    }

    fn object(&mut self, family: &str, table: &str) {
        let head = self.enter();
        match head {
            [kind, name] if kind.is("chain") => self.chain(family, table, head, name),
            [kind, name] if kind.is("set") || kind.is("map") => {
                let mut definition = Definition::new(kind.is("map"), span_of(self.file, head));
                self.body(head, |line, _| definition.line(line));
                definition.add(self.entry(family, table), &name.text);
            }
            _ => {
                let mut lines = Vec::new();
                self.body(head, |line, _| lines.extend(super::object::other(family, head, line)));
                lines.sort();
                self.entry(family, table).others.insert(join(head).replace('"', ""), lines);
            }
        }
    }

    fn chain(&mut self, family: &str, table: &str, head: &[Token<'_>], name: &Token<'_>) {
        let file = self.file;
        let mut chain = Chains::new(span_of(file, head));
        let mut cut = None;
        let mut room = std::mem::take(&mut self.room);
        let mut rules = std::mem::take(&mut self.rules);
        self.body(head, |line, end| {
            if chain.line(family, line) {
                return;
            }
            match end {
                End::Here => rules.push(rule::read(family, line, span_of(file, line), &mut room)),
                End::Text => cut = Some(span_of(file, line)),
                // Said already.
                End::Brace => {}
            }
        });
        // At once, so that chains hold no more room than they need.
        chain.rules.reserve_exact(rules.len());
        chain.rules.append(&mut rules);
        (self.room, self.rules) = (room, rules);
        self.ruleset.unread.extend(cut.map(|span| Unread { span, reason: CUT.into() }));
        chain.add(self.entry(family, table), Arc::from(&*name.text));
    }

    /// Gives each statement of a block, and how it ends.
    fn body(&mut self, head: &[Token<'_>], mut each: impl FnMut(&'a [Token<'t>], End)) {
        loop {
            let Some(first) = self.cursor.peek() else { return self.unread(head, UNCLOSED) };
            if first.is_end() {
                self.cursor.skip(1);
            } else if first.is("}") {
                self.cursor.skip(1);
                return;
            } else if matches!(first.bare(), "table" | "chain" | "set" | "map") && self.header().is_some() {
                return self.unread(head, UNCLOSED);
            } else {
                let (line, ends) = self.statement();
                each(line, ends);
            }
        }
    }

    /// The tokens up to the end of a line or of the block, those in braces included, and how they end.
    fn statement(&mut self) -> (&'a [Token<'t>], End) {
        let rest = self.cursor.rest();
        let mut depth = 0_usize;
        let mut end = (rest.len(), End::Text);
        for (at, token) in rest.iter().enumerate() {
            match token.bare() {
                "{" => depth += 1,
                "}" if depth > 0 => depth -= 1,
                "}" => {
                    end = (at, End::Here);
                    break;
                }
                _ if !token.is_end() => {}
                _ if depth == 0 => {
                    end = (at, End::Here);
                    break;
                }
                _ if !goes_on(rest, at) => {
                    end = (at, End::Brace);
                    break;
                }
                _ => {}
            }
        }
        let (count, mut how) = end;
        if how == End::Text && depth > 0 {
            how = End::Brace;
        }
        let (line, _) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        self.cursor.skip(count);
        if how == End::Brace {
            self.unread(line, "a brace is not closed");
        }
        (line, how)
    }
}

/// How a statement ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// As it should.
    Here,
    /// The text ends first.
    Text,
    /// A brace is not closed.
    Brace,
}

/// Whether what stands in braces goes on behind the end of a line: nft allows that beside commas and braces alone.
fn goes_on(tokens: &[Token<'_>], end: usize) -> bool {
    let (before, after) = tokens.split_at_checked(end).unwrap_or((tokens, &[]));
    let (before, after) = (before.iter().rfind(|token| !token.is_end()), after.iter().find(|token| !token.is_end()));
    before.is_some_and(|token| matches!(token.bare(), "{" | ","))
        || after.is_some_and(|token| matches!(token.bare(), "}" | ","))
}

const UNCLOSED: &str = "this block is not closed";
const CUT: &str = "the text ends in this rule";
const COMMAND: &str = "only whole tables are read";

pub(super) fn table_name(family: &str, name: &str) -> TableName {
    TableName { family: family.into(), name: name.into() }
}

/// For messages about what a file lacks at its end.
pub(super) fn end(file: FileId, text: &str, from: usize) -> Unread {
    Unread { span: span(file, from, text.len()), reason: "the text ends here".into() }
}
