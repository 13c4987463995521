//! Files of hosts without guests.

use super::*;

#[test]
fn a_host_that_bridges_nothing_gets_its_own_table_and_loses_an_older_one_of_guests() {
    let text = file(&HOST.replace("targets", "platform: linux, targets"));
    let start =
        "\ntable inet fwc\ndelete table inet fwc\ntable bridge fwc\ndelete table bridge fwc\n\ntable inet fwc {\n";
    assert!(text.contains(start), "{text}");
    assert!(!text.contains("table bridge fwc {"), "{text}");
    let input = chain(&text, "inet", "input");
    assert_eq!(chain(&text, "inet", "hook-input")[0], "type filter hook input priority 0; policy accept;");
    assert_eq!(input[0], "iifname \"lo\" accept");
    assert_eq!(input.last().unwrap(), "drop");
    assert_eq!(chain(&text, "inet", "output").last().unwrap(), "accept");
    assert_eq!(chain(&text, "inet", "forward").last().unwrap(), "accept");
}

#[test]
fn a_host_that_is_off_gets_a_file_that_removes_both_tables() {
    let text = file(&HOST.replace("targets", "options: { enable: false }, targets"));
    assert!(text.contains("delete table inet fwc\ntable bridge fwc\ndelete table bridge fwc\n"), "{text}");
    assert!(!text.contains('{'), "{text}");
}
