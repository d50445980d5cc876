//! One ssh, and the lines that come from it.

use crate::commands::ssh::no_ssh;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::SyncSender;
use std::thread;

/// News that wait to be printed; beyond that the commands wait.
pub(super) const NEWS_MAX: usize = 256;
/// Bytes of a line that are printed as one; a longer one goes on in the next.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// What is to be run, and where.
pub(super) struct Work<'a> {
    /// Which of the nodes.
    pub(super) index: usize,
    pub(super) host: &'a str,
    pub(super) options: &'a [String],
    pub(super) words: &'a str,
}

/// What comes from a job.
pub(super) enum News {
    Line { index: usize, error: bool, line: Vec<u8> },
    End { index: usize, ending: Ending },
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Well,
    Badly(String),
}

/// What ssh is given for the command: a single word is a line for the shell there, several words are quoted for it.
pub(super) fn remote_words(command: &[String]) -> String {
    if let [line] = command {
        return line.clone();
    }
    let plain = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c));
    let quoted: Vec<_> =
        command.iter().map(|w| if plain(w) { w.clone() } else { format!("'{}'", w.replace('\'', "'\\''")) }).collect();
    quoted.join(" ")
}

/// Starts one; its news end with [`News::End`].
pub(super) fn start(work: &Work<'_>, news: &SyncSender<News>) {
    let index = work.index;
    let spawned = Command::new("ssh")
        .args(["-o", "BatchMode=yes"])
        .args(work.options)
        .arg(work.host)
        .arg(work.words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let news = news.clone();
    thread::spawn(move || {
        let ending = match spawned {
            Ok(child) => follow(child, index, &news),
            Err(e) => Ending::Badly(no_ssh(&e)),
        };
        // Nobody listens any more when the output was closed.
        let _ = news.send(News::End { index, ending });
    });
}

fn follow(mut child: Child, index: usize, news: &SyncSender<News>) -> Ending {
    let errors = child.stderr.take().map(|pipe| {
        let news = news.clone();
        thread::spawn(move || lines(pipe, index, true, &news))
    });
    if let Some(pipe) = child.stdout.take() {
        lines(pipe, index, false, news);
    }
    if let Some(reader) = errors {
        // It cannot panic; if it did, only lines are lost.
        let _ = reader.join();
    }
    match child.wait() {
        Ok(status) => ending(status),
        Err(e) => Ending::Badly(format!("ssh was lost: {e}")),
    }
}

fn lines(pipe: impl Read, index: usize, error: bool, news: &SyncSender<News>) {
    let mut reader = BufReader::new(pipe);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        while line.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
            line.pop();
        }
        if news.send(News::Line { index, error, line }).is_err() {
            return;
        }
    }
}

fn ending(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ending::Well,
        // ssh's own.
        (Some(255), _) => Ending::Badly("ssh could not connect or log in (255)".into()),
        (Some(code), _) => Ending::Badly(format!("exit code {code}")),
        (None, signal) => Ending::Badly(format!("ended by signal {}", signal.unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_and_lines_are_not() {
        let check = |words: &[&str], expected: &str| {
            let words: Vec<_> = words.iter().map(|w| (*w).to_string()).collect();
            assert_eq!(remote_words(&words), expected);
        };
        check(&["ls | wc -l"], "ls | wc -l");
        check(&["ls", "-l", "a b"], "ls -l 'a b'");
        check(&["echo", "it's", "", "$HOME"], "echo 'it'\\''s' '' '$HOME'");
    }
}
