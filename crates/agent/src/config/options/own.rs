//! What this machine adds to its record: labels, notices, vitals of its own.

use super::Opt;
use super::words::quoted;
use crate::config::tables;
use peermon_model::Quantiser;

pub(super) const LIST: &[Opt] = &[
    Opt {
        key: "labels",
        help: "Labels of this machine, at most 8, which all nodes show as facts `label.KEY`. In the variable: KEY=VALUE,KEY=VALUE.",
        reloads: true,
        example: Some("[labels]\nrack = \"r1\"\nowner = \"physics\""),
        show: |c| {
            let pairs: Vec<_> = c.labels.iter().map(|(k, v)| format!("{} = {}", quoted(k), quoted(v))).collect();
            format!("{{ {} }}", pairs.join(", "))
        },
        put: |c, i| {
            c.labels = tables::labels(i)?;
            Ok(())
        },
    },
    Opt {
        key: "notice",
        help: "Messages to everybody, at most 4: a topic and a text of at most 80 bytes. Only in this file.",
        reloads: true,
        example: Some("[[notice]]\ntopic = \"maintenance\"\ntext = \"down on Friday from 9 to 11\""),
        show: |c| {
            let one = |n: &peermon_model::Notice| format!("{{ topic = {}, text = {} }}", quoted(&n.topic), quoted(&n.text));
            format!("[{}]", c.notices.iter().map(one).collect::<Vec<_>>().join(", "))
        },
        put: |c, i| {
            c.notices = tables::notices(i)?;
            Ok(())
        },
    },
    Opt {
        key: "vital",
        help: "Attributes of this machine that it publishes besides the built-in vitals, at most 8, one byte a period each: a full\n\
               attribute name, its unit (ratio, bytes, bytes/s, bits/s, seconds, 1/s, count, hertz, celsius, watts, rpm) and, if it is\n\
               neither a ratio nor a count below 255, a floor: the smallest value told from zero; steps are 9 % above it. If no collector\n\
               gives it: a file that begins with its number, and a factor that makes it the unit. Only in this file.",
        reloads: true,
        example: Some(
            "[[vital]]\nattribute = \"disk.sda.busy\"\nunit = \"ratio\"\n\n\
             [[vital]]\nattribute = \"room.temperature\"\nunit = \"celsius\"\nfile = \"/run/sensors/room\"\nfactor = 0.001",
        ),
        show: |c| {
            let one = |v: &crate::config::OwnVital| {
                let p = &v.published;
                let mut table = format!("attribute = {}, unit = {}", quoted(&p.name), quoted(p.unit.name()));
                if let Quantiser::Log { floor } = p.quantiser {
                    table += &format!(", floor = {floor:?}");
                }
                if let Some(file) = &v.file {
                    table += &format!(", file = {}, factor = {:?}", quoted(&file.to_string_lossy()), v.factor);
                }
                format!("{{ {table} }}")
            };
            format!("[{}]", c.vitals.iter().map(one).collect::<Vec<_>>().join(", "))
        },
        put: |c, i| {
            c.vitals = tables::vitals(i)?;
            Ok(())
        },
    },
];
