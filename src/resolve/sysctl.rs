//! sysctl keys of a host: every zone's profiles and settings, the nearest zone's value for each key.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, did_you_mean};
use crate::policy::{Origin, Setting, SysctlSetting, ZoneRef, profile, profile_names};
use crate::spec::model::{HostPart, Text};

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
        for (key, value) in &part.sysctl_set {
            let Some(dotted) = key_name(key, out) else { continue };
            if !is_value(&value.value) {
                let message = format!("the value of `{}` is not one line of text", key.value);
                let help = "write the value as `sysctl -w` would take it";
                out.push(Diagnostic::error(Code::BadSysctlValue, value.span, message).help(help));
                continue;
            }
            let origin = Origin { zone: (*zone).clone(), identity: dotted.clone(), span: key.span };
            let setting =
                SysctlSetting { key: dotted.clone(), value: value.value.trim().to_owned(), origin, profile: None };
            settings.insert(dotted, setting);
        }
    }
    settings.into_values().collect()
}

/// A key in dotted form: with slashes as separators (`net/ipv4/ip_forward`), dots and slashes change places.
fn key_name(key: &Text, out: &mut Diagnostics) -> Option<String> {
    let text = key.value.as_str();
    let separator = text.find(['.', '/']).and_then(|at| text.as_bytes().get(at).copied());
    let dotted = match separator {
        Some(b'/') => text
            .chars()
            .map(|c| match c {
                '/' => '.',
                '.' => '/',
                other => other,
            })
            .collect(),
        Some(_) | None => text.to_owned(),
    };
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-:@/".contains(&byte))
    };
    if separator.is_some() && dotted.split('.').all(part) && !dotted.contains("//") {
        return Some(dotted);
    }
    out.push(
        Diagnostic::error(Code::BadSysctlKey, key.span, format!("`{text}` is not a sysctl key"))
            .help("write it with dots, such as `net.ipv4.ip_forward`; a dot in an interface's name becomes a slash"),
    );
    None
}

fn is_value(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= 1024 && !text.chars().any(char::is_control)
}

/// The file's name in `sysctl.d`.
pub(super) fn file(parts: &[(&ZoneRef, &HostPart)], out: &mut Diagnostics) -> Setting<String> {
    let nearest = parts.iter().find_map(|(zone, part)| part.sysctl_file.as_ref().map(|text| (*zone, text)));
    let Some((zone, text)) = nearest else { return Setting::default_value(DEFAULT_FILE.to_owned()) };
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let name = text.value.as_str();
    let well_formed = name.len() <= 64 && name.bytes().all(good) && !name.starts_with(['.', '-']);
    if !well_formed || !name.ends_with(".conf") || name == ".conf" {
        let message = format!("`{name}` is not the name of a sysctl.d file");
        let help = "write letters, digits, `_`, `-` and `.`, with `.conf` at the end; other files are not read";
        out.push(Diagnostic::error(Code::BadSysctlFile, text.span, message).help(help));
        return Setting::default_value(DEFAULT_FILE.to_owned());
    }
    let origin = Origin { zone: zone.clone(), identity: "sysctl.file".to_owned(), span: text.span };
    Setting { value: name.to_owned(), origin: Some(origin) }
}
