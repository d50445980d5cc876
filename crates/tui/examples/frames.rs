//! How long a frame takes and how much memory is used with many nodes, made up:
//! `cargo run --release -p peermon-tui --example frames [NODES]`.
//!
//! A daemon's answer is made and read as JSON as a client does it, and made ready (sums, texts) as the thread that asks does it; then it
//! is taken (order, history) and drawn at several sizes. Times are medians and the longest of all rounds.

#![allow(clippy::print_stdout)]

#[path = "../tests/made/mod.rs"]
mod made;

use peermon_api::NodeView;
use peermon_model::Instant;
use peermon_tui::{App, Input, Options, Ready};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend};
use std::time::{Duration, Instant as Clock};

const ROUNDS: u64 = 60;

fn main() {
    let nodes: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(2200);
    println!("{nodes} nodes, {ROUNDS} rounds; median and longest");
    let text = serde_json::to_string(&made::cluster(nodes, 0).nodes).expect("views are JSON");
    let mut read = Vec::new();
    for _ in 0..10 {
        let began = Clock::now();
        let views: Vec<NodeView> = serde_json::from_str(&text).expect("what was just written");
        read.push(began.elapsed());
        assert_eq!(views.len(), nodes);
    }
    report(&format!("reading {:.1} MB of JSON", text.len() as f64 / 1e6), &mut read);
    drop(text);
    let before = resident();
    for (name, columns, rows, keys) in [
        ("list 80x24", 80, 24, ""),
        ("list 200x60", 200, 60, ""),
        ("list 200x60 by CPU", 200, 60, ">>>"),
        ("grouped 120x40", 120, 40, "g"),
        ("map 200x60", 200, 60, "m"),
        ("a node 200x60", 200, 60, "\n\n"),
        ("processes 200x60", 200, 60, "\n\n\n"),
    ] {
        let mut app = App::new(&Options::default(), (columns, rows), Instant::from_millis(0)).expect("the usual options");
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a screen in memory");
        let (mut make, mut take, mut draw, mut key) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for second in 0..ROUNDS {
            let answer = made::cluster(nodes, second);
            let now = Instant::from_millis(second * 1000);
            let began = Clock::now();
            let ready = Box::new(Ready::from(answer));
            make.push(began.elapsed());
            let began = Clock::now();
            app.handle(Input::Answer(ready), now);
            if second > 0 {
                app.handle(Input::Own(Box::new(made::own(48, second))), now);
            }
            take.push(began.elapsed());
            for key in keys.chars().filter(|_| second == 0) {
                let code = if key == '\n' { KeyCode::Enter } else { KeyCode::Char(key) };
                app.handle(Input::Key(KeyEvent::new(code, KeyModifiers::NONE)), now);
            }
            // as the thread that asks does
            drop(app.spent());
            let began = Clock::now();
            frame(&mut terminal, &app);
            draw.push(began.elapsed());
            let began = Clock::now();
            app.handle(Input::Key(KeyEvent::new(KeyCode::PageDown, KeyModifiers::NONE)), now);
            frame(&mut terminal, &app);
            key.push(began.elapsed());
        }
        report(&format!("{name}: a table made ready, elsewhere"), &mut make);
        report(&format!("{name}: a table taken"), &mut take);
        report(&format!("{name}: a frame"), &mut draw);
        report(&format!("{name}: a key and its frame"), &mut key);
    }
    println!("resident {:.1} MB, before the first table {:.1} MB", resident(), before);
}

fn frame(terminal: &mut Terminal<TestBackend>, app: &App) {
    let draw = |frame: &mut ratatui::Frame<'_>| {
        app.draw(frame.buffer_mut());
    };
    terminal.draw(draw).expect("a screen in memory");
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort();
    let ms = |t: Duration| t.as_secs_f64() * 1e3;
    println!("{what:<40} {:>8.2} ms {:>8.2} ms", ms(times[times.len() / 2]), ms(times[times.len() - 1]));
}

/// Resident memory of this process in MB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e3
}
