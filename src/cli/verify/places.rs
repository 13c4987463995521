//! What decides about a doubt's packet, and where that is written: in the spec, and in the rules.

use serde::Serialize;

use crate::analysis::{Packet, Step, judge};
use crate::cli::trace::view::Viewer;
use crate::cli::trace::{setting, text};
use crate::diagnostic::{FileId, Label, Place, Places, SourceMap, Span};
use crate::policy::{Fleet, words};
use crate::target::{Decider, Does, Doubt, Met, OutputFile, Why};

/// Longest text of a rule that is given beside its place, in characters.
const LONGEST: usize = 400;

/// All that a doubt may speak of.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Texts<'a> {
    /// What the spec means.
    pub(in crate::cli) fleet: &'a Fleet,
    /// Its text.
    pub(in crate::cli) spec: &'a SourceMap,
    /// The rules.
    pub(in crate::cli) rules: Listed<'a>,
}

/// Where rules are.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) enum Listed<'a> {
    /// They were captured.
    There(&'a SourceMap),
    /// They were made just now: of which file a rule is, its host and program tell.
    Made(&'a [OutputFile]),
}

/// What decides about a packet.
#[derive(Debug, Default)]
pub(super) struct Decided {
    /// In the spec.
    pub(super) spec: Option<SpecView>,
    /// In the rules.
    pub(super) rules: Vec<RuleView>,
    /// Where both are written.
    pub(super) drawn: Drawn,
}

/// What decides in the spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SpecView {
    /// The rule, or the option: `accept tcp 443`, `policy_in drop, the default`.
    pub(super) text: String,
    /// Where it is written.
    #[serde(flatten)]
    pub(super) place: Option<Place>,
}

/// A rule that decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct RuleView {
    /// The chain it stands in.
    pub(super) chain: String,
    /// The rule as it is written.
    pub(super) text: String,
    /// Where.
    #[serde(flatten)]
    pub(super) place: Place,
}

/// Places to be shown.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    /// The files that they are in.
    pub(super) sources: SourceMap,
    /// The places.
    pub(super) labels: Vec<Label>,
}

impl Texts<'_> {
    /// Where a rule is.
    pub(super) fn place(&self, doubt: &Doubt, span: Span) -> Option<Place> {
        let mut drawn = Drawn::default();
        let span = self.rules.into_drawn(doubt, span, &mut drawn)?;
        Some(Places(&drawn.sources).of(span))
    }

    /// What decides about the packet of a doubt.
    pub(super) fn decided(&self, doubt: &Doubt) -> Decided {
        let Why::Differs { packet, hook, by, .. } = &doubt.why else { return Decided::default() };
        let mut drawn = Drawn::default();
        let spec = hook.as_ref().and_then(|hook| self.of_spec(doubt, hook, packet, &mut drawn));
        let rules = by.iter().filter_map(|met| self.of_rules(doubt, met, &mut drawn)).collect();
        Decided { spec, rules, drawn }
    }

    fn of_spec(&self, doubt: &Doubt, decider: &Decider, packet: &Packet, drawn: &mut Drawn) -> Option<SpecView> {
        let host = self.fleet.hosts.iter().find(|host| host.name == doubt.host)?;
        let (text, label) = match decider {
            Decider::Hook { name, machine, nic } => {
                let crossing = host.crossing(*name, machine, *nic)?;
                let decision = judge(&crossing, packet);
                let step = Step { crossing, packet: packet.clone(), decision };
                let viewer = Viewer { fleet: self.fleet, places: Places(self.spec) };
                (text::reason(&viewer.step(&step)), setting::decided(self.fleet, &step))
            }
            Decider::Option(name) => {
                let option = words::host_options(&host.options).into_iter().find(|option| option.name == *name)?;
                let label = option.origin.map(|origin| (origin.span, "the spec wants this".to_owned()));
                let default = if option.origin.is_none() { ", the default" } else { "" };
                (format!("{name} {}{default}", option.value), label)
            }
        };
        let place = label.as_ref().map(|(span, _)| Places(self.spec).of(*span));
        if let Some((span, text)) = label {
            let file = drawn.sources.share(self.spec, span.file);
            drawn.labels.push(Label { span: Span { file, ..span }, text });
        }
        Some(SpecView { text, place })
    }

    fn of_rules(&self, doubt: &Doubt, met: &Met, drawn: &mut Drawn) -> Option<RuleView> {
        let span = self.rules.into_drawn(doubt, met.span, drawn)?;
        let text = match &met.does {
            Does::Stops => "stops it here",
            Does::Lets => "lets it pass here",
            Does::Leads(_) => "leads it there",
            Does::Passes => "does this with it",
        };
        drawn.labels.push(Label { span, text: format!("{} {text}", doubt.program) });
        Some(RuleView {
            chain: met.chain.to_string(),
            text: drawn.sources.slice(span).trim().chars().take(LONGEST).collect(),
            place: Places(&drawn.sources).of(span),
        })
    }
}

impl Listed<'_> {
    /// The same span in what is shown, to which its file is added.
    fn into_drawn(self, doubt: &Doubt, span: Span, drawn: &mut Drawn) -> Option<Span> {
        let file = match self {
            Self::There(sources) => drawn.sources.share(sources, span.file),
            Self::Made(files) => {
                let is_wanted =
                    |file: &&OutputFile| file.host.as_ref() == Some(&doubt.host) && file.output.name() == doubt.program;
                let file = files.iter().find(is_wanted)?;
                let known =
                    |(id, path, _): (FileId, &std::path::Path, &str)| (path.as_os_str() == &*file.path).then_some(id);
                let known = drawn.sources.files().find_map(known);
                known.unwrap_or_else(|| drawn.sources.add(&file.path, file.content.as_str()))
            }
        };
        Some(Span { file, ..span })
    }
}
