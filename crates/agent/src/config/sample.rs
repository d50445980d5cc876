use super::{Config, OPTIONS, Places};
use std::fmt::Write;

const HEAD: &str = "\
# peermon: the documented configuration, with every option at its default.
#
# A line that begins with `#` and a letter or bracket is an option: remove the `#` to change it.
# Order of precedence: flags, environment (each option names its variable), this file, defaults.
# `systemctl reload peermon` (SIGHUP) applies the options marked \"reload\"; the others need a restart.
";

/// The documented sample, `packaging/peermon.toml`: made from the list of options, so it cannot go stale unseen.
pub fn sample() -> String {
    let defaults = Config::defaults(&Places::system());
    let mut text = HEAD.to_string();
    let mut section = "";
    for option in OPTIONS {
        let (in_section, leaf) = option.key.rsplit_once('.').unwrap_or(("", option.key));
        if in_section != section {
            section = in_section;
            if !section.is_empty() {
                let _ = write!(text, "\n[{section}]\n");
            }
        }
        text.push('\n');
        for line in option.help.lines() {
            let _ = writeln!(text, "{}", format!("# {line}").trim_end());
        }
        let when = if option.reloads { "reload" } else { "restart" };
        let _ = writeln!(text, "# Variable: {} · applies at: {when}", option.variable());
        match option.example {
            None => {
                let _ = writeln!(text, "#{leaf} = {}", option.show(&defaults));
            }
            Some(example) => example.lines().for_each(|line| {
                let _ = writeln!(text, "## {line}");
            }),
        }
    }
    text
}
