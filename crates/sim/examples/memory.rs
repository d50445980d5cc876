//! Prints what an hour of rows takes in a daemon's short memory, for each recorded load:
//! `cargo run --release -p peermon-sim --example memory`.
#![allow(clippy::print_stdout)]

use peermon_memory::{CHUNK_ROWS, Chunk, ROW_BYTES, Row};
use peermon_model::Instant;
use peermon_model::vitals::SLOTS;
use peermon_sim::Series;

const ROWS: usize = 3600;

fn main() {
    println!("{:14}{:>12}{:>12}{:>16}{:>14}", "load", "bytes/row", "kB/hour", "bytes/value", "of plain");
    let (mut all, mut values) = (0, 0);
    for series in Series::all() {
        let rows: Vec<Row> = series
            .rows
            .iter()
            .cycle()
            .take(ROWS)
            .enumerate()
            .map(|(i, v)| Row { at: Instant::from_millis(i as u64 * 1000 + i as u64 * 7 % 5), codes: *v.codes() })
            .collect();
        let bytes: usize = rows.chunks(CHUNK_ROWS).map(|c| Chunk::of(c).bytes()).sum();
        let present = (0..SLOTS).filter(|s| rows.iter().any(|r| r.codes[*s] != peermon_model::quantity::ABSENT)).count();
        tell(&series.name, bytes, ROWS, present * ROWS);
        all += bytes;
        values += present * ROWS;
    }
    tell("all", all, ROWS * Series::all().len(), values);
}

fn tell(name: &str, bytes: usize, rows: usize, values: usize) {
    let per_row = bytes as f64 / rows as f64;
    println!(
        "{name:14}{per_row:>12.2}{:>12.1}{:>16.3}{:>13.0}%",
        per_row * ROWS as f64 / 1e3,
        bytes as f64 / values as f64,
        per_row / ROW_BYTES as f64 * 100.0
    );
}
