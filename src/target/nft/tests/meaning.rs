//! The conditions of every clause, written, read back and understood, hold for the packets that the clause is about.

use crate::analysis::loaded::nft::Words;
use crate::analysis::loaded::tests::samples::{self, Random};
use crate::diagnostic::FileId;
use crate::net::Family;
use crate::policy::{Clause, Direction, Verdict};

use super::super::clause::{Place, alternatives};
use super::super::set::{IpsetNames, Pool};
use super::super::table::{Action, Chain, Item, Rule, Side, Table, TableFamily};

/// The table with the rules of a clause in its chain `c`.
fn table(family: TableFamily, clause: &Clause) -> String {
    let names = IpsetNames::default();
    let mut pool = Pool::new(&names);
    let place = Place { family, loopback: Side::Source, nic: None, sources: None };
    let rows = alternatives(&mut pool, place, clause);
    let rules = rows.into_iter().map(|row| Rule::new(row, Action::Drop)).collect();
    let mut items: Vec<Item> = pool.into_sets().map(Item::Set).collect();
    items.push(Item::Chain(Chain { name: "c".into(), base: None, rules }));
    let name = match family {
        TableFamily::Inet => "inet",
        TableFamily::Bridge => "bridge",
    };
    format!("table {name} fwc {{\n{}}}\n", super::super::write::table(&Table { family, items }))
}

fn check(family: TableFamily, seed: u64) {
    let mut random = Random(seed);
    let bridge = family == TableFamily::Bridge;
    let (mut held, mut all) = (0, 0);
    for _ in 0..400 {
        let clause = Clause::new(samples::clause(bridge, &mut random), Verdict::Drop);
        let text = table(family, &clause);
        let ruleset = crate::state::nft::read(FileId(0), &text);
        assert_eq!(ruleset.unread, [], "{text}");
        let (name, table) = ruleset.tables.first_key_value().unwrap();
        let mut words = Words::new(&name.family, table);
        let asked: Vec<_> = table.chains["c"].rules.iter().map(|rule| words.asked(rule)).collect();
        for at in 0..100 {
            let packet = samples::packet(bridge, Family::BOTH[at % 2], &mut random);
            let meant = clause.matches.iter().all(|one| crate::analysis::holds(one, &packet, Direction::In));
            let found = asked.iter().any(|asked| samples::holds(asked, &packet));
            assert_eq!(found, meant, "{packet:?}\n{:?}\n{text}\n{asked:#?}", clause.matches);
            (held, all) = (held + usize::from(meant), all + 1);
        }
    }
    assert!(held * 50 > all, "few packets fit: {held} of {all}");
}

#[test]
fn rules_in_the_table_of_the_host_mean_their_clauses() {
    check(TableFamily::Inet, 0x9e37_79b9_7f4a_7c15);
}

#[test]
fn rules_in_the_table_of_bridges_mean_their_clauses() {
    check(TableFamily::Bridge, 0xd1b5_4a32_d192_ed03);
}
