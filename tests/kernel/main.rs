//! The kernel as judge: every file of every example loads, twice, and reads back as it was meant.
//!
//! Needs root and the programs that `scripts/test` installs; where one is missing the tests fail.

mod qemu;

use qemu::Job;

const SELF_TEST: &str = "table bridge t {\n chain p { type filter hook prerouting priority -100; policy accept;\n ct state invalid drop\n meta ibrname \"vmbr0\" tcp dport 22 reject with tcp reset\n }\n}\n";

/// The three statements that some kernels are built without.
#[test]
fn the_stock_kernel_knows_the_bridge_statements() {
    let job = Job {
        name: "self-test".into(),
        script: "set -e\nnft -f t.nft\nnft list ruleset\n".into(),
        files: vec![("t.nft".into(), SELF_TEST.into())],
    };
    let outcomes = qemu::boot(&[job]);
    let outcome = &outcomes["self-test"];
    assert_eq!(outcome.status, 0, "{}", outcome.output);
    for statement in ["ct state invalid drop", "meta ibrname \"vmbr0\"", "reject with tcp reset"] {
        assert!(outcome.output.contains(statement), "{}", outcome.output);
    }
}
