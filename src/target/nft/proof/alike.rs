//! NICs that nothing tells apart but their guests' rules and their addresses.
//!
//! Where a guest's rules decide the same as the policy's, all that stands around them is proved for any rules in their place, and
//! for any addresses of the NIC (see [`stand`](crate::analysis::sets::stand)): once for all NICs on the same bridge whose hooks
//! have the same around the rules, and whose ports all other rules see alike.

use std::sync::Arc;

use crate::analysis::loaded::{Context, Port, PortValue, Said, View, says_same};
use crate::analysis::sets::{Memo, OverBudget, label_of};
use crate::policy::{Carriage, Crossing, End, GuestPolicy, HookName, Log, Nic, Verdict};

use super::Proof;

/// What tells apart the ways from or to NICs, besides the rules of their guests and their addresses.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    side: Side,
    view: View,
    bridge: Option<Arc<str>>,
    /// The hooks on each way, with what they say around the rules.
    hooks: Vec<Around>,
}

/// The hooks on a way: where they are, or what a guest's says around its rules.
type Around = Vec<(usize, Option<Said>)>;

/// Whether what comes from or to a NIC of a kind is proved for any rules of its guest.
pub(super) type Kinds = Memo<Kind, bool>;

/// Whether packets come from a NIC or go to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Side {
    From,
    To,
}

impl Side {
    /// The hook of guests that judges there.
    const fn hook(self) -> HookName {
        match self {
            Self::From => HookName::GuestOut,
            Self::To => HookName::GuestIn,
        }
    }
}

impl<'a> Proof<'_, 'a, '_> {
    /// Whether all that comes from or to a NIC is proved by what is known of those alike, or comes to be so here. Nothing is
    /// told where it is not.
    pub(super) fn is_alike(
        &mut self,
        side: Side,
        (guest, nic): (&'a GuestPolicy, &'a Nic),
    ) -> Result<bool, OverBudget> {
        let Some(standing) = &self.standing else { return Ok(false) };
        let port = PortValue::Is(nic.device.as_str().into());
        let (asked, context) = match side {
            Side::From => {
                let (own_mac, own_sources) = (nic.mac, nic.sources.clone());
                (Port::In, Context { in_interface: port, own_mac, own_sources, ..Context::default() })
            }
            Side::To => (Port::Out, Context { out_interface: port, ..Context::default() }),
        };
        // What stands for an own address must be in no rule by itself.
        let asks_mac = [&self.inet, standing].iter().any(|loaded| loaded.chains().asks_mac());
        if context.own_mac.is_some() && asks_mac {
            return Ok(false);
        }
        let Some((view, chain)) = standing.chains().view(asked, &context) else { return Ok(false) };
        let Some((hooks, own)) = self.around(side, (guest, nic))? else { return Ok(false) };
        if !self.has_these_rules(&own, chain, &context)? {
            return Ok(false);
        }
        let kind = Kind { side, view, bridge: nic.bridge.as_deref().map(Arc::from), hooks };
        if let Some(known) = self.kinds.get(&kind) {
            return Ok(*known);
        }
        let prover = &mut self.prover;
        let before = (std::mem::take(&mut prover.doubts), std::mem::take(&mut prover.unknown));
        self.stands = true;
        let done = match side {
            Side::From => self.ways_from(guest, nic),
            Side::To => self.ways_to(guest, nic),
        };
        self.stands = false;
        let is_proved = done.is_ok() && self.prover.doubts.is_empty();
        // Whoever looks at it with the rules that are there tells what is wrong.
        (self.prover.doubts, self.prover.unknown) = before;
        self.kinds.insert(kind, is_proved);
        Ok(is_proved)
    }

    /// The hooks on each way from or to a NIC, and its guest's, which must be the one that judges on all of them.
    fn around(
        &mut self,
        side: Side,
        (guest, nic): (&'a GuestPolicy, &'a Nic),
    ) -> Result<Option<(Vec<Around>, Crossing<'a>)>, OverBudget> {
        let host = self.prover.host;
        let end = End::Guest(guest, nic);
        let (mut hooks, mut own): (Vec<_>, Option<(Crossing<'a>, Said)>) = (Vec::with_capacity(3), None);
        for (other, carriage) in [
            (End::Unknown(nic.bridge.as_deref()), Carriage::Bridged),
            (End::Host, Carriage::Bridged),
            (End::Unknown(None), Carriage::Routed),
        ] {
            let way = match side {
                Side::From => host.way(end, other, carriage),
                Side::To => host.way(other, end, carriage),
            };
            let mut of_way = Vec::with_capacity(way.len());
            let mut owns = 0;
            for crossing in way {
                if crossing.hook.name != side.hook() {
                    of_way.push((std::ptr::from_ref(crossing.hook) as usize, None));
                    continue;
                }
                let said = match own.as_ref() {
                    Some((known, said)) if std::ptr::eq(known.hook, crossing.hook) => *said,
                    Some(_) => return Ok(None),
                    None => {
                        let Some(said) = self.prover.standing(&crossing)? else { return Ok(None) };
                        own = Some((crossing, said));
                        said
                    }
                };
                of_way.push((0, Some(said)));
                owns += 1;
            }
            if owns != 1 {
                return Ok(None);
            }
            hooks.push(of_way);
        }
        Ok(own.map(|(own, _)| (hooks, own)))
    }

    /// Whether the rules of a chain that any may stand for decide the same as the policy's.
    fn has_these_rules(
        &mut self,
        crossing: &Crossing<'a>,
        chain: usize,
        context: &Context,
    ) -> Result<bool, OverBudget> {
        let meant = self.prover.rules_of(crossing)?;
        let meant = self.silenced(crossing, meant)?;
        let Some(standing) = &mut self.standing else { return Ok(false) };
        let ground = &mut self.prover.ground;
        let Some(found) = standing.own_rules(ground, chain, context)? else { return Ok(false) };
        let simple = [Verdict::Accept, Verdict::Drop].map(|verdict| label_of(verdict, Log::None));
        let is_simple = |said| ground.labels(said).iter().all(|label| simple.contains(label));
        Ok(is_simple(found) && is_simple(meant) && says_same(ground, found, meant)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Among, Proof};
    use crate::diagnostic::SourceMap;
    use crate::policy::Fleet;
    use crate::state::ruleset::Program;
    use crate::target::proof::{Prover, Share, Translated};
    use crate::target::{Nft, OutputFile, Rules, Selection, Target, Templates};

    fn compiled(guests: &str) -> (Fleet, Vec<OutputFile>) {
        let mut sources = SourceMap::default();
        let head = "version: 1\nhosts: { pm1: { addresses: 10.0.0.11/24, targets: nft } }\n";
        sources.add("fwc.yaml", format!("{head}vms:\n{guests}"));
        let (spec, found) = crate::spec::load(&sources);
        assert!(!found.has_errors(), "{found:#?}");
        let (fleet, found) = crate::resolve::resolve(&spec.unwrap());
        assert!(!found.has_errors(), "{found:#?}");
        let fleet = fleet.unwrap();
        let templates = Templates::new(BTreeMap::new()).unwrap();
        let files = Nft.compile(&fleet, &Selection::default(), &templates).unwrap().files;
        (fleet, files)
    }

    /// How many kinds of ways there are, and of how many of them all is proved for any rules.
    fn kinds(guests: &str) -> (usize, usize) {
        let (fleet, files) = compiled(guests);
        let files = files.iter().map(|file| (file.path.rsplit('/').next().unwrap(), &*file.content));
        let rules = Rules::read(files);
        let rules = Translated::new(&rules.of[&Program::Nft]);
        let table = |family: &str| rules.table(|table| &*table.family == family).map(|(_, chains)| chains);
        let mut prover = Prover::new(&fleet.hosts[0], None, 100);
        let share = Share::new(0, 1_000_000);
        let mut proof = Proof::new(&mut prover, (table("inet").unwrap(), table("bridge")), share).unwrap();
        assert!(proof.keeps_invalid().unwrap());
        proof.leaving = Among::Valid;
        for (guest, nic) in proof.nics.clone() {
            proof.nic(guest, nic).unwrap();
        }
        let found = (proof.kinds.len(), proof.kinds.values().filter(|proved| **proved).count());
        assert_eq!(prover.doubts, []);
        found
    }

    fn guest(id: usize, bridge: &str, more: &str) -> String {
        let nic = format!("bridge: {bridge}, mac: 'BC:24:11:00:00:{id:X}', ip: 10.0.1.{id}/24");
        format!("  {id}: {{ host: pm1, nics: {{ net0: {{ {nic} }} }}, {more} }}\n")
    }

    #[test]
    fn guests_are_alike_but_for_their_rules_and_addresses() {
        let filter = "options: { ipfilter: true }";
        let rules = |rules: &str| format!("{filter}, rules: [ {rules} ]");
        let three = [
            guest(100, "vmbr0", &rules("{ in: accept, proto: tcp, dport: 22, source: 10.7.0.0/16 }")),
            guest(101, "vmbr0", &rules("{ in: drop, source: 10.8.0.9 }, { out: drop, proto: udp }, { in: accept }")),
            guest(102, "vmbr0", filter),
        ]
        .concat();
        // What comes from a NIC, and what goes to it.
        assert_eq!(kinds(&three), (2, 2));
        assert_eq!(kinds(&(three.clone() + &guest(103, "vmbr1", filter))), (4, 4));
        // Another option is another kind, on the side that it is about.
        assert_eq!(kinds(&(three.clone() + &guest(103, "vmbr0", "options: { ipfilter: true, dhcp: false }"))), (4, 4));
        assert_eq!(
            kinds(&(three.clone() + &guest(103, "vmbr0", "options: { policy_out: drop, ipfilter: true }"))),
            (3, 3)
        );
        // Rules that do more than to accept or to drop are looked at by themselves.
        let logs = rules("{ in: accept, proto: tcp, dport: 22, log: info }");
        assert_eq!(kinds(&(three + &guest(103, "vmbr0", &logs))), (2, 2));
    }
}
