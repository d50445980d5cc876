//! Reads this host: /proc, /sys and a few system calls, into samples and facts.
