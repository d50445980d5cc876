//! The terminal: taken, given back however it ends, and written to only where it changed.

use crate::app::{App, Input, Options, Order};
use crate::source::{Look, Source};
use peermon_api::Service;
use peermon_model::Instant;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::crossterm::{cursor, execute, style::Print};
use ratatui::{Terminal, layout::Position};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::{self, BufWriter, Stdout, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant as Clock};

/// Clicks and the wheel, told by their place (xterm's modes 1000 and 1006). Not every movement: over a slow line those would
/// be a stream of their own.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";
/// Frames are at least so far apart.
const FRAME: Duration = Duration::from_millis(50);
/// How often signals, answers and the time are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long the first answer is waited for before the screen is taken: an error in that time is told as every command tells it.
const FIRST: Duration = Duration::from_secs(1);
/// How long after a signal everything has to end by itself.
const GRACE: Duration = Duration::from_secs(1);
/// Inputs that are taken before the next frame, so that a flood of keys cannot hold frames up.
const INPUTS_MAX: usize = 256;

type Screen = Terminal<CrosstermBackend<BufWriter<Stdout>>>;

/// Shows the cluster until the user, the terminal or a signal ends it. Standard output must be a terminal. `look` tells of processes
/// if they are this machine's.
///
/// # Errors
/// A sentence, if an option means nothing, the daemon cannot be asked in the first place, or the terminal fails.
pub fn run(service: Arc<dyn Service>, options: &Options, mouse: bool, look: Option<Look>) -> Result<(), String> {
    let started = Clock::now();
    let now = || Instant::from_nanos(started.elapsed().as_nanos() as u64);
    let size = ratatui::crossterm::terminal::size().map_err(|e| failed(&e))?;
    let mut app = App::new(options, size, now())?;
    let source = Source::start(service, app.every(), look)?;
    while started.elapsed() < FIRST {
        match source.inputs.recv_timeout(FIRST.saturating_sub(started.elapsed())) {
            Ok(Input::Failed(why, _)) => return Err(why),
            Ok(input @ Input::Answer(_)) => {
                app.handle(input, now());
                break;
            }
            Ok(input) => drop(app.handle(input, now())),
            Err(_) => break,
        }
    }
    if let Some(text) = &options.filter {
        app.filter(text).map_err(|e| format!("--where: {e}"))?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    heed_signals(stop.clone())?;
    let guard = Guard::take(mouse).map_err(|e| failed(&e))?;
    let result = follow(&mut app, &source, &stop, mouse, &now).map_err(|e| failed(&e));
    drop(guard);
    result
}

/// A signal ends it in order; but who reads from a terminal that is gone may never return, and is then ended all the same.
fn heed_signals(stop: Arc<AtomicBool>) -> Result<(), String> {
    let cannot = |e: io::Error| format!("cannot take signals: {e}");
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM]).map_err(cannot)?;
    let heed = move || {
        if let Some(signal) = signals.forever().next() {
            stop.store(true, Ordering::Relaxed);
            std::thread::sleep(GRACE);
            std::process::exit(128 + signal);
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(heed).map_err(cannot)?;
    Ok(())
}

fn failed(e: &io::Error) -> String {
    format!("the terminal fails: {e}; `peermon top --once` needs none")
}

/// Reads and draws in turns.
fn follow(app: &mut App, source: &Source, stop: &AtomicBool, mouse: bool, now: &dyn Fn() -> Instant) -> io::Result<()> {
    let mut screen = Terminal::new(CrosstermBackend::new(BufWriter::new(io::stdout())))?;
    let mut changed = true;
    let mut drawn: Option<Clock> = None;
    while !stop.load(Ordering::Relaxed) {
        let wait = match drawn.map(|d| d.elapsed()) {
            Some(since) if changed => FRAME.saturating_sub(since),
            None => Duration::ZERO,
            _ => LOOK,
        };
        if event::poll(wait)? {
            for _ in 0..INPUTS_MAX {
                let input = match event::read()? {
                    Event::Key(key) => Some(Input::Key(key)),
                    Event::Mouse(mouse) => Some(Input::Mouse(mouse)),
                    Event::Resize(columns, rows) => Some(Input::Resize(columns, rows)),
                    _ => None,
                };
                changed |= input.is_some_and(|i| app.handle(i, now()));
                if !event::poll(Duration::ZERO)? {
                    break;
                }
            }
        }
        while let Ok(input) = source.inputs.try_recv() {
            changed |= app.handle(input, now());
            if let Some(spent) = app.spent() {
                source.forget(spent);
            }
        }
        changed |= app.handle(Input::Tick, now());
        while let Some(order) = app.poll() {
            match order {
                Order::Quit => return Ok(()),
                Order::Suspend => {
                    suspend(mouse)?;
                    screen.clear()?;
                }
                Order::Redraw => screen.clear()?,
                Order::Every(every) => source.every(every),
                Order::Pause(paused) => source.pause(paused),
                Order::Own(wanted) => source.own(wanted),
                Order::Look(pid, since) => source.look(pid, since),
            }
        }
        if changed && drawn.is_none_or(|d| d.elapsed() >= FRAME) {
            draw(&mut screen, app, now)?;
            (changed, drawn) = (false, Some(Clock::now()));
        }
    }
    Ok(())
}

fn draw(screen: &mut Screen, app: &mut App, now: &dyn Fn() -> Instant) -> io::Result<()> {
    screen.draw(|frame| {
        // The terminal may have changed its size since it last said so.
        let area = frame.area();
        if (area.width, area.height) != app.size {
            app.handle(Input::Resize(area.width, area.height), now());
        }
        if let Some((x, y)) = app.draw(frame.buffer_mut()) {
            frame.set_cursor_position(Position { x, y });
        }
    })?;
    Ok(())
}

/// Holds the terminal, and gives it back when dropped.
struct Guard;

impl Guard {
    fn take(mouse: bool) -> io::Result<Guard> {
        enable_raw_mode()?;
        let guard = Guard;
        // Whatever panics, also in a build that aborts then: first the terminal, then the message.
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back();
            before(info);
        }));
        enter(mouse)?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
    }
}

fn enter(mouse: bool) -> io::Result<()> {
    execute!(io::stdout(), EnterAlternateScreen, cursor::Hide, Print(if mouse { MOUSE_ON } else { "" }))
}

/// Nothing can be done if this fails: the terminal is gone.
fn give_back() {
    let mut out = io::stdout();
    execute!(out, Print(MOUSE_OFF), LeaveAlternateScreen, cursor::Show).ok();
    out.flush().ok();
    disable_raw_mode().ok();
}

/// Stops, as Ctrl-Z stops every program, and goes on when the shell says so.
fn suspend(mouse: bool) -> io::Result<()> {
    give_back();
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)?;
    enable_raw_mode()?;
    enter(mouse)
}
