//! sysctl keys of a host: every zone's profiles and settings, the nearest zone's value for each key.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, did_you_mean};
use crate::net::sysctl_key;
use crate::policy::{Origin, Setting, SysctlSetting, ZoneRef, profile, profile_names};
use crate::spec::model::HostPart;

/// The name of the file unless the spec says otherwise; it sorts behind Proxmox VE's own files.
const DEFAULT_FILE: &str = "zz-fwc.conf";

/// Every key once, sorted. Within a zone, `set` wins over profiles, and a later profile over an earlier one.
pub(super) fn settings(parts: &[(&ZoneRef, &HostPart)], out: &mut Diagnostics) -> Vec<SysctlSetting> {
    let mut settings: BTreeMap<String, SysctlSetting> = BTreeMap::new();
    for (zone, part) in parts.iter().rev() {
        for name in &part.sysctl_profiles {
            let Some(keys) = profile(&name.value) else {
                let help = did_you_mean(&name.value, "profiles", profile_names());
                let message = format!("unknown sysctl profile `{}`", name.value);
                out.push(Diagnostic::error(Code::UnknownProfile, name.span, message).help(help));
                continue;
            };
            for (key, value) in keys {
                let origin = Origin { zone: (*zone).clone(), identity: name.value.clone(), span: name.span };
                let (key, value) = ((*key).to_owned(), (*value).to_owned());
                let known = profile_names().find(|known| *known == name.value);
                settings.insert(key.clone(), SysctlSetting { key, value, origin, profile: known });
            }
        }
        let mut written = BTreeMap::new();
        for (key, value) in &part.sysctl_set {
            if value.value.trim().is_empty() {
                let message = format!("the value of `{}` is empty", key.value);
                let help = "write the value as `sysctl -w` would take it";
                out.push(Diagnostic::error(Code::BadSysctlValue, value.span, message).help(help));
                continue;
            }
            let dotted = sysctl_key(&key.value);
            let origin = Origin { zone: (*zone).clone(), identity: dotted.clone(), span: key.span };
            if let Some(first) = written.insert(dotted.clone(), key.span) {
                let message = format!("`{}` is set twice, in two spellings", key.value);
                out.push(
                    Diagnostic::error(Code::RepeatedSysctlKey, key.span, message)
                        .label(first, "first here")
                        .help("set each key once"),
                );
            }
            let value = value.value.trim().to_owned();
            settings.insert(dotted.clone(), SysctlSetting { key: dotted, value, origin, profile: None });
        }
    }
    settings.into_values().collect()
}

/// The file's name in `sysctl.d`; the reader has checked it.
pub(super) fn file(parts: &[(&ZoneRef, &HostPart)]) -> Setting<String> {
    let nearest = parts.iter().find_map(|(zone, part)| part.sysctl_file.as_ref().map(|text| (*zone, text)));
    let Some((zone, text)) = nearest else { return Setting::default_value(DEFAULT_FILE.to_owned()) };
    let origin = Origin { zone: zone.clone(), identity: "sysctl.file".to_owned(), span: text.span };
    Setting { value: text.value.clone(), origin: Some(origin) }
}
