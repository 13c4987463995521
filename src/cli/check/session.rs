//! The SSH session that the command runs in.

use std::path::Path;

use crate::analysis::lint::Session;
use crate::cli::{Failure, console, machine};
use crate::policy::Fleet;

/// Where SSH says who is connected to what: the client's address and port, and the server's.
const VARIABLE: &str = "SSH_CONNECTION";

/// The session, and the host of the spec that it is on; none where the environment names none, which is said.
///
/// # Errors
/// Where nothing says which host of the spec this machine is, or the variable cannot be read.
pub(super) fn own(fleet: &Fleet) -> Result<Option<Session>, Failure> {
    let host = machine::host(fleet, None, Path::new("/"))?;
    let Some(text) = std::env::var_os(VARIABLE) else {
        console::say(&format!(
            "`{VARIABLE}` names no SSH session, so none was judged (`sudo` hides it: `sudo --preserve-env={VARIABLE}`)\n"
        ));
        return Ok(None);
    };
    let text = text.to_string_lossy();
    let (client, server, port) = parse(&text).ok_or_else(|| {
        Failure::new(format!("`{VARIABLE}` is not understood: `{text}`"))
            .help("SSH sets it to the addresses and ports of both ends: `203.0.113.5 40000 192.0.2.10 22`")
    })?;
    Ok(Some(Session { host: host.name.clone(), client, server, port }))
}

/// The client's address, the server's, and the server's port.
fn parse(text: &str) -> Option<(std::net::IpAddr, std::net::IpAddr, u16)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [client, _, server, port] = words.as_slice() else { return None };
    // A link-local address comes with its interface.
    let address = |text: &str| text.split('%').next()?.parse().ok();
    Some((address(client)?, address(server)?, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_ssh_says_is_read() {
        let (client, server, port) = parse("203.0.113.5 40000 192.0.2.10 22").unwrap();
        assert_eq!((client.to_string(), server.to_string(), port), ("203.0.113.5".into(), "192.0.2.10".into(), 22));
        let (client, server, _) = parse("fe80::1%eth0 40000 fe80::2%eth0 2222").unwrap();
        assert_eq!((client.to_string(), server.to_string()), ("fe80::1".into(), "fe80::2".into()));
        for text in ["", "203.0.113.5 40000 192.0.2.10", "a b c d", "203.0.113.5 1 192.0.2.10 99999"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
