//! The zone graph and its linearisation (DESIGN: zone inheritance).
//!
//! In: what the spec says of `inherits`, hosts and guests. Out: for every zone the order in which its
//! own and its ancestors' rules and options count: C3, so a zone never stands after its ancestor and
//! the order written in `inherits` holds. Where there is no such order, an error that shows every edge.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use petgraph::algo::{astar, tarjan_scc, toposort};
use petgraph::graphmap::DiGraphMap;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, did_you_mean};
use crate::policy::ZoneRef;
use crate::spec::Spec;
use crate::spec::model::{Text, ZoneKind};

/// A node, by its place in the graph.
pub(super) type NodeId = usize;

/// From a zone to one of its parents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    /// The parent.
    pub parent: NodeId,
    /// The name in `inherits`, or the child's own name where nobody wrote the edge.
    pub span: Span,
}

#[derive(Debug)]
struct Node {
    zone: ZoneRef,
    parents: Vec<Edge>,
    /// The ancestors in order, the node itself first.
    linear: Vec<NodeId>,
}

/// What a guest's parents' linearisations merge to, by those parents.
type MergeCache = BTreeMap<Vec<NodeId>, Rc<[NodeId]>>;

/// Every zone that can be inherited, and hosts; guests ask for their own order with [`ZoneGraph::guest`].
#[derive(Debug)]
pub(super) struct ZoneGraph {
    nodes: Vec<Node>,
    index: BTreeMap<ZoneRef, NodeId>,
    merged: RefCell<MergeCache>,
}

impl ZoneGraph {
    /// Reads the edges and linearises; none where the graph has no order (the errors say why).
    pub(super) fn build(spec: &Spec, diagnostics: &mut Diagnostics) -> Option<Self> {
        let mut graph = Self::nodes_of(spec);
        graph.connect(spec, diagnostics);
        graph.linearise(diagnostics)?;
        Some(graph)
    }

    /// The node of a zone.
    pub(super) fn node(&self, zone: &ZoneRef) -> Option<NodeId> {
        self.index.get(zone).copied()
    }

    /// The zone of a node.
    pub(super) fn zone(&self, node: NodeId) -> Option<&ZoneRef> {
        self.nodes.get(node).map(|node| &node.zone)
    }

    /// A node and its ancestors, nearest first.
    pub(super) fn linear(&self, node: NodeId) -> &[NodeId] {
        self.nodes.get(node).map_or(&[], |node| &node.linear)
    }

    /// The edges of what a guest (or anything else that nobody inherits) writes in `inherits`.
    pub(super) fn guest_edges(&self, inherits: &[Text], spec: &Spec, diagnostics: &mut Diagnostics) -> Vec<Edge> {
        inherits.iter().filter_map(|name| self.parent(name, ZoneKind::Guest, spec, diagnostics)).collect()
    }

    /// The ancestors of a guest with these parents, in order, without the guest itself.
    pub(super) fn guest(&self, name: &ZoneRef, edges: &[Edge], diagnostics: &mut Diagnostics) -> Option<Rc<[NodeId]>> {
        let parents: Vec<NodeId> = edges.iter().map(|edge| edge.parent).collect();
        if let Some(known) = self.merged.borrow().get(&parents) {
            return Some(Rc::clone(known));
        }
        match self.merge_parents(&parents) {
            Ok(order) => {
                let order: Rc<[NodeId]> = order.into();
                self.merged.borrow_mut().insert(parents, Rc::clone(&order));
                Some(order)
            }
            Err(stuck) => {
                diagnostics.push(self.no_order(name, edges, &stuck));
                None
            }
        }
    }

    /// The shortest way from a machine (with these parents) to an ancestor, machine first.
    pub(super) fn path(&self, start: &ZoneRef, edges: &[Edge], goal: NodeId) -> Vec<ZoneRef> {
        let mut came_from: BTreeMap<NodeId, Option<NodeId>> = BTreeMap::new();
        let mut queue: VecDeque<NodeId> = VecDeque::new();
        for edge in edges {
            if came_from.insert(edge.parent, None).is_none() {
                queue.push_back(edge.parent);
            }
        }
        while let Some(node) = queue.pop_front() {
            if node == goal {
                break;
            }
            for edge in self.parents(node) {
                if let std::collections::btree_map::Entry::Vacant(slot) = came_from.entry(edge.parent) {
                    slot.insert(Some(node));
                    queue.push_back(edge.parent);
                }
            }
        }
        let mut back = vec![goal];
        let mut at = goal;
        while let Some(Some(before)) = came_from.get(&at) {
            back.push(*before);
            at = *before;
        }
        let mut path = vec![start.clone()];
        path.extend(back.into_iter().rev().filter_map(|node| self.zone(node).cloned()));
        path.dedup();
        path
    }

    /// The edges from a node.
    pub(super) fn parents(&self, node: NodeId) -> &[Edge] {
        self.nodes.get(node).map_or(&[], |node| &node.parents)
    }

    fn nodes_of(spec: &Spec) -> Self {
        let mut zones = vec![ZoneRef::Datacenter, guests_of(ZoneRef::Datacenter)];
        for (name, zone) in &spec.zones {
            let zone_ref = ZoneRef::Zone(name.value.clone());
            if zone.kind.value == ZoneKind::Host {
                zones.push(guests_of(zone_ref.clone()));
            }
            zones.push(zone_ref);
        }
        for (name, _) in &spec.hosts {
            let host = ZoneRef::Host(name.value.clone());
            zones.push(guests_of(host.clone()));
            zones.push(host);
        }
        let index = zones.iter().cloned().zip(0..).collect();
        let node = |zone| Node { zone, parents: Vec::new(), linear: Vec::new() };
        Self { nodes: zones.into_iter().map(node).collect(), index, merged: RefCell::default() }
    }

    fn connect(&mut self, spec: &Spec, diagnostics: &mut Diagnostics) {
        for (name, zone) in &spec.zones {
            let this = ZoneRef::Zone(name.value.clone());
            let edges = self.edges(&zone.inherits, zone.kind.value, spec, diagnostics);
            if zone.kind.value == ZoneKind::Host {
                let block = zone.host.guests.as_ref().map_or(&[][..], |block| &block.inherits);
                let mut guest_edges = self.edges(block, ZoneKind::Guest, spec, diagnostics);
                guest_edges.extend(self.guests_blocks(&edges));
                self.set_parents(&guests_of(this.clone()), guest_edges);
            }
            self.set_parents(&this, edges);
        }
        for (name, host) in &spec.hosts {
            let this = ZoneRef::Host(name.value.clone());
            let mut edges = self.edges(&host.inherits, ZoneKind::Host, spec, diagnostics);
            let block = host.host.guests.as_ref();
            let inherits = block.map_or(&[][..], |block| &block.inherits);
            let mut guest_edges = self.edges(inherits, ZoneKind::Guest, spec, diagnostics);
            guest_edges.extend(self.guests_blocks(&edges));
            let last = block.map_or(name.span, |block| block.span);
            guest_edges.extend(self.implicit(&guests_of(ZoneRef::Datacenter), last));
            edges.extend(self.implicit(&ZoneRef::Datacenter, name.span));
            self.set_parents(&guests_of(this.clone()), guest_edges);
            self.set_parents(&this, edges);
        }
        if let Some(block) = &spec.datacenter.host.guests {
            let edges = self.edges(&block.inherits, ZoneKind::Guest, spec, diagnostics);
            self.set_parents(&guests_of(ZoneRef::Datacenter), edges);
        }
    }

    fn set_parents(&mut self, zone: &ZoneRef, parents: Vec<Edge>) {
        if let Some(node) = self.index.get(zone).and_then(|at| self.nodes.get_mut(*at)) {
            node.parents = parents;
        }
    }

    fn implicit(&self, zone: &ZoneRef, span: Span) -> Option<Edge> {
        self.node(zone).map(|parent| Edge { parent, span })
    }

    /// The `guests` blocks of the zones at the ends of these edges, in the same order.
    fn guests_blocks(&self, edges: &[Edge]) -> Vec<Edge> {
        let block = |edge: &Edge| {
            let zone = guests_of(self.zone(edge.parent)?.clone());
            self.implicit(&zone, edge.span)
        };
        edges.iter().filter_map(block).collect()
    }

    fn edges(&self, inherits: &[Text], kind: ZoneKind, spec: &Spec, diagnostics: &mut Diagnostics) -> Vec<Edge> {
        let mut edges: Vec<Edge> = Vec::with_capacity(inherits.len());
        for name in inherits {
            let Some(edge) = self.parent(name, kind, spec, diagnostics) else { continue };
            if let Some(first) = edges.iter().find(|known| known.parent == edge.parent) {
                let message = format!("zone `{}` is inherited twice", name.value);
                diagnostics.push(
                    Diagnostic::error(Code::DuplicateParent, name.span, message)
                        .label(first.span, "first here")
                        .help("remove one of them"),
                );
                continue;
            }
            edges.push(edge);
        }
        edges
    }

    fn parent(&self, name: &Text, kind: ZoneKind, spec: &Spec, diagnostics: &mut Diagnostics) -> Option<Edge> {
        let Some((defined, zone)) = spec.zones.iter().find(|(known, _)| known.value == name.value) else {
            let same_kind = spec.zones.iter().filter(|(_, zone)| zone.kind.value == kind);
            let help = did_you_mean(&name.value, "zones", same_kind.map(|(name, _)| name.as_str()));
            let message = format!("unknown zone `{}`", name.value);
            diagnostics.push(Diagnostic::error(Code::UnknownZone, name.span, message).help(help));
            return None;
        };
        if zone.kind.value != kind {
            let (is, needed) = match kind {
                ZoneKind::Host => ("guests", "host"),
                ZoneKind::Guest => ("hosts", "guest"),
            };
            let message = format!("zone `{}` is for {is} and cannot be inherited here", name.value);
            diagnostics.push(
                Diagnostic::error(Code::WrongZoneKind, name.span, message)
                    .because(format!("a zone of kind `{needed}` is needed"))
                    .label(zone.kind.span, "its kind is set here")
                    .label(defined.span, "the zone")
                    .help(format!("inherit a zone of `kind: {needed}`, or move what both share into two zones")),
            );
            return None;
        }
        self.implicit(&ZoneRef::Zone(name.value.clone()), name.span)
    }

    fn linearise(&mut self, diagnostics: &mut Diagnostics) -> Option<()> {
        let mut graph: DiGraphMap<NodeId, ()> = DiGraphMap::new();
        for (id, node) in self.nodes.iter().enumerate() {
            graph.add_node(id);
            for edge in &node.parents {
                graph.add_edge(id, edge.parent, ());
            }
        }
        let Ok(order) = toposort(&graph, None) else {
            self.report_cycles(&graph, diagnostics);
            return None;
        };
        let mut stuck: BTreeMap<NodeId, Vec<Vec<NodeId>>> = BTreeMap::new();
        for id in order.into_iter().rev() {
            let parents: Vec<NodeId> = self.parents(id).iter().map(|edge| edge.parent).collect();
            let mut linear = vec![id];
            match self.merge_parents(&parents) {
                Ok(ancestors) => linear.extend(ancestors),
                Err(rest) => {
                    stuck.insert(id, rest);
                }
            }
            if let Some(node) = self.nodes.get_mut(id) {
                node.linear = linear;
            }
        }
        for (id, rest) in &stuck {
            let Some(zone) = self.zone(*id) else { continue };
            let owner_is_stuck = match zone {
                ZoneRef::Guests(owner) => self.node(owner).is_some_and(|owner| stuck.contains_key(&owner)),
                ZoneRef::Datacenter
                | ZoneRef::Zone(_)
                | ZoneRef::Host(_)
                | ZoneRef::Vm(_)
                | ZoneRef::Container(_)
                | ZoneRef::Nic(..)
                | ZoneRef::Group(_)
                | ZoneRef::Vnet(_) => false,
            };
            if !owner_is_stuck {
                diagnostics.push(self.no_order(zone, self.parents(*id), rest));
            }
        }
        stuck.is_empty().then_some(())
    }

    fn merge_parents(&self, parents: &[NodeId]) -> Result<Vec<NodeId>, Vec<Vec<NodeId>>> {
        let mut lists: Vec<&[NodeId]> = parents.iter().map(|parent| self.linear(*parent)).collect();
        lists.push(parents);
        merge(&lists)
    }

    fn report_cycles(&self, graph: &DiGraphMap<NodeId, ()>, diagnostics: &mut Diagnostics) {
        for component in tarjan_scc(graph) {
            let members: BTreeSet<NodeId> = component.into_iter().collect();
            let Some(start) = members.first().copied() else { continue };
            // The `guests` blocks of zones in a circle go in a circle too; the zones' own is the one to mend.
            if members.iter().all(|node| matches!(self.zone(*node), Some(ZoneRef::Guests(_)))) {
                continue;
            }
            let inside = |node: NodeId| self.parents(node).iter().filter(|edge| members.contains(&edge.parent));
            // The shortest cycle through the component's first member.
            let shortest = inside(start)
                .filter_map(|edge| astar(graph, edge.parent, |node| node == start, |_| 1_u32, |_| 0))
                .min_by_key(|(length, _)| *length);
            let Some((_, way)) = shortest else { continue };
            let cycle: Vec<NodeId> = std::iter::once(start).chain(way).collect();
            let names: Vec<String> =
                cycle.iter().filter_map(|node| self.zone(*node)).map(ToString::to_string).collect();
            let mut steps = cycle.iter().zip(cycle.iter().skip(1)).filter_map(|(child, parent)| {
                let edge = self.parents(*child).iter().find(|edge| edge.parent == *parent)?;
                Some((edge.span, format!("`{}` inherits `{}`", self.zone(*child)?, self.zone(*parent)?)))
            });
            let Some((span, text)) = steps.next() else { continue };
            let message = format!("zones inherit each other in a circle: `{}`", names.join("` → `"));
            let first = Diagnostic::error(Code::InheritanceCycle, span, message).because(text);
            let all = steps.fold(first, |diagnostic, (span, text)| diagnostic.label(span, text));
            diagnostics.push(all.help("remove one of these edges"));
        }
    }

    /// Says why `zone` has no order: the pairs that contradict each other, with the edges behind them.
    fn no_order(&self, zone: &ZoneRef, edges: &[Edge], stuck: &[Vec<NodeId>]) -> Diagnostic {
        let mut before: DiGraphMap<NodeId, ()> = DiGraphMap::new();
        for list in stuck {
            for (first, second) in list.iter().zip(list.iter().skip(1)) {
                before.add_edge(*first, *second, ());
            }
        }
        let circle: Vec<NodeId> = tarjan_scc(&before).into_iter().max_by_key(Vec::len).unwrap_or_default();
        let names: Vec<String> =
            circle.iter().filter_map(|id| self.zone(*id)).map(|zone| format!("`{zone}`")).collect();
        let message = format!("`{zone}` inherits {} in orders that contradict each other", names.join(" and "));
        let span = edges.first().map_or(Span::default(), |edge| edge.span);
        let mut diagnostic = Diagnostic::error(Code::InheritanceOrder, span, message);
        let mut seen = BTreeSet::from([span]);
        for edge in edges.iter().skip(1).copied().chain(self.edges_among(&circle)) {
            if seen.insert(edge.span) {
                let text = self.zone(edge.parent).map(|parent| format!("then `{parent}`")).unwrap_or_default();
                diagnostic = diagnostic.label(edge.span, text);
            }
        }
        if let Some(first) = edges.first().and_then(|edge| self.zone(edge.parent)) {
            diagnostic = diagnostic.because(format!("first `{first}`"));
        }
        diagnostic.help("write the same order everywhere: a zone stands before what it inherits")
    }

    /// Every edge between, or into, these nodes whose child orders at least two of them.
    fn edges_among(&self, circle: &[NodeId]) -> Vec<Edge> {
        let within = |id: &NodeId| circle.contains(id);
        let mut found = Vec::new();
        for (id, node) in self.nodes.iter().enumerate() {
            let into: Vec<Edge> = node.parents.iter().filter(|edge| within(&edge.parent)).copied().collect();
            if into.len() > 1 || (within(&id) && !into.is_empty()) {
                found.extend(into);
            }
        }
        found
    }
}

/// The `guests` block of a zone.
pub(super) fn guests_of(owner: ZoneRef) -> ZoneRef {
    ZoneRef::Guests(Box::new(owner))
}

/// C3's merge: takes the first head that stands in no other list's tail, until nothing is left.
/// The error is what was left.
fn merge(lists: &[&[NodeId]]) -> Result<Vec<NodeId>, Vec<Vec<NodeId>>> {
    let mut rest: Vec<VecDeque<NodeId>> = lists.iter().map(|list| list.iter().copied().collect()).collect();
    let mut merged = Vec::new();
    loop {
        rest.retain(|list| !list.is_empty());
        if rest.is_empty() {
            return Ok(merged);
        }
        let in_a_tail = |head: NodeId| rest.iter().any(|list| list.iter().skip(1).any(|node| *node == head));
        let Some(next) = rest.iter().filter_map(|list| list.front().copied()).find(|head| !in_a_tail(*head)) else {
            return Err(rest.into_iter().map(Vec::from).collect());
        };
        merged.push(next);
        for list in &mut rest {
            if list.front() == Some(&next) {
                list.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::merge;

    #[test]
    fn merge_keeps_local_order_and_puts_children_first() {
        // 1 and 2 both inherit 3; the child writes 2 before 1.
        let merged = merge(&[&[2, 3], &[1, 3], &[2, 1]]);
        assert_eq!(merged, Ok(vec![2, 1, 3]));
    }

    #[test]
    fn merge_refuses_contradicting_orders() {
        let merged = merge(&[&[5, 1, 2], &[6, 2, 1], &[5, 6]]);
        assert_eq!(merged, Err(vec![vec![1, 2], vec![2, 1]]));
    }
}
