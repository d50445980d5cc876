//! Every limit of this crate, by name, with its reason.

use std::time::Duration;

/// Bytes of one file a collector reads. `/proc/stat` of a machine with 8,000 processors has about 1 MB.
pub const FILE_BYTES_MAX: usize = 4 << 20;
/// Bytes of a file that holds one value (`/sys` attributes have at most a page).
pub const VALUE_FILE_BYTES_MAX: usize = 4096;
/// How long one collector may take in a round before it is abandoned. The slowest one needs about 1 ms; the rest is room
/// for a machine whose processors are oversubscribed many times.
pub const COLLECTOR_TIME_MAX: Duration = Duration::from_millis(250);
/// How long a whole round may take: half of the usual period, so that a round never runs into the next.
pub const ROUND_TIME_MAX: Duration = Duration::from_millis(500);
/// How often what nobody asks for is read all the same, so that the first who asks finds values, and rates over no longer.
pub const REST_EVERY: Duration = Duration::from_secs(30);
/// To how long a budget of processor time stretches what is read more often: a value that is older misleads.
pub const STRETCHED_EVERY_MAX: Duration = Duration::from_mins(2);
/// The longest a collector's period may be configured to.
pub const EVERY_MAX: Duration = Duration::from_hours(1);
/// The same for what all nodes see: the table tells the age of the row, not of each value in it, and temperatures are read so
/// often as a rule.
pub const PUBLISHED_EVERY_MAX: Duration = Duration::from_secs(10);
/// How long the kernel's highest share of the processors is remembered, at most and unless told otherwise: CoDeeN's figure.
pub const SYSTEM_WINDOW_MAX: Duration = Duration::from_mins(3);
/// Rounds a collector that hangs again and again is left alone for, at most.
pub const HUNG_PAUSE_ROUNDS_MAX: u64 = 64;
/// Threads that may be stuck in collectors. Every collector can hold one; more hang only if something is very wrong.
pub const HUNG_COLLECTORS_MAX: usize = 8;
/// How long one `statfs` may take before its file system is skipped.
pub const STATFS_TIME_MAX: Duration = Duration::from_millis(60);
/// How long all `statfs` of one turn may take. A look has two turns, which must fit in [`COLLECTOR_TIME_MAX`].
pub const STATFS_TURN_TIME_MAX: Duration = Duration::from_millis(100);
/// Threads that may be stuck in `statfs`: one dead server rarely has more mounts on one machine, and each costs 8 KB.
pub const HUNG_STATFS_MAX: usize = 8;
/// Of these, threads only file systems on local disks may get stuck in, so that dead servers never hide local disks.
pub const HUNG_STATFS_LOCAL: usize = 2;
/// How often file systems are looked at: their numbers move slowly, and each look at a network mount asks its server.
pub const FILE_SYSTEMS_INTERVAL: Duration = Duration::from_secs(10);
/// File systems shown; a machine with more usually has one mount per container.
pub const FILE_SYSTEMS_MAX: usize = 256;
/// Network interfaces shown; a container host may have thousands of virtual ones.
pub const INTERFACES_MAX: usize = 256;
/// How often speed, duplex, MTU and the like are read: some drivers ask the hardware.
pub const LINK_INTERVAL: Duration = Duration::from_secs(15);
/// Disks shown; big storage servers have some hundred.
pub const DISKS_MAX: usize = 1024;
/// Sensors read; big servers have about one per core and a few more.
pub const SENSORS_MAX: usize = 512;
/// How often sensors are read: some sit behind buses that need milliseconds.
pub const SENSORS_INTERVAL: Duration = Duration::from_secs(10);
/// How often errors of hardware and the state of drives are read: they change rarely, and each is a file.
pub const HARDWARE_INTERVAL: Duration = Duration::from_secs(30);
/// Memory controllers read; a machine has one or two per package.
pub const MEMORY_CONTROLLERS_MAX: usize = 64;
/// How often processors' clocks and throttling are read: two to five files a processor.
pub const CLOCKS_INTERVAL: Duration = Duration::from_secs(30);
/// How long reading clocks may take in one round; the rest is read in the next. Linux 4.13 to 5.17 wait 10 ms for each.
pub const CLOCKS_TURN_TIME_MAX: Duration = Duration::from_millis(2);
/// Processors whose clocks are read: reading thousands would take a minute of rounds.
pub const CLOCKS_PROCESSORS_MAX: usize = 512;
/// Processors whose network code is shown.
pub const SOFTNET_PROCESSORS_MAX: usize = 512;
/// How often the parts of memory are read.
pub const NUMA_INTERVAL: Duration = Duration::from_secs(10);
/// Parts of memory shown; the largest machines have some dozens.
pub const NUMA_NODES_MAX: usize = 64;
/// How often software RAID is read.
pub const RAID_INTERVAL: Duration = Duration::from_secs(10);
/// Arrays shown.
pub const RAID_ARRAYS_MAX: usize = 64;
/// How often InfiniBand ports are read: some cards ask their firmware for each counter.
pub const INFINIBAND_INTERVAL: Duration = Duration::from_secs(5);
/// InfiniBand ports shown; big GPU servers have a dozen.
pub const INFINIBAND_PORTS_MAX: usize = 32;
/// How often queues and rings are read: they change when somebody tunes.
pub const RINGS_INTERVAL: Duration = Duration::from_secs(60);
/// Network devices whose queues and rings are read; each may ask its driver.
pub const RINGS_INTERFACES_MAX: usize = 32;
/// How often the kernel's clock is asked how well it is kept.
pub const TIMEX_INTERVAL: Duration = Duration::from_secs(5);
/// Processes looked at in one round, in turn: 10 to 20 µs each. 300 processes are all seen in 50 rounds.
pub const PROCESSES_PER_ROUND: usize = 6;
/// Of the processes that used most processor time last, how many are looked at every round, too.
pub const PROCESSES_HOT: usize = 3;
/// Processes remembered, of some 120 bytes each: those beyond are not watched.
pub const PROCESSES_MAX: usize = 8192;
/// Entries of `/proc` read in one round to find processes; some 60 are not processes.
pub const PROCESS_ENTRIES_PER_ROUND: usize = 512;
/// Processes and users told, of each of processor time, memory and disks.
pub const PROCESSES_TOLD: usize = 16;
/// How often the list of the processes that use most is made.
pub const PROCESSES_INTERVAL: Duration = Duration::from_secs(2);
/// Rounds of all processes in which the kernel's own threads are skipped before they are looked at again.
pub const KERNEL_THREADS_SKIPPED: u32 = 4;
/// How often the host's list of users is looked at for changes.
pub const USER_NAMES_INTERVAL: Duration = Duration::from_secs(60);
/// How often control groups are read: six files each.
pub const CGROUPS_INTERVAL: Duration = Duration::from_secs(10);
/// Control groups shown, the first level before the second: 64 take some 3 ms to read.
pub const CGROUPS_MAX: usize = 64;
/// Control groups found at most; a host has some hundred services.
pub const CGROUP_ENTRIES_MAX: usize = 4096;
/// Bytes of a control group's name in an attribute's, which has 64 at most.
pub const CGROUP_NAME_BYTES_MAX: usize = 40;
/// How often the kernel is asked for all TCP connections, at most.
pub const NETWORKS_INTERVAL: Duration = Duration::from_secs(10);
/// How many times as long as an answer took the kernel is left alone: 0.1 % of one processor on hosts where it takes long.
pub const NETWORKS_REST: u32 = 1000;
/// TCP connections taken in one round, of about 1 µs each; a hundred thousand take 50 rounds.
pub const CONNECTIONS_PER_ROUND: usize = 2000;
/// TCP connections whose counters are remembered for rates, of some 60 bytes each. Beyond, rates are those of the remembered.
pub const CONNECTIONS_REMEMBERED: usize = 16_384;
/// Networks told one by one, those with most traffic; the rest is told together.
pub const NETWORKS_TOLD: usize = 16;
/// Networks told apart while an answer is taken.
pub const NETWORKS_GATHERED_MAX: usize = 4096;
/// How often GPUs are asked. A GPU at rest wakes up for some questions.
pub const GPU_INTERVAL: Duration = Duration::from_secs(2);
/// How often it is looked whether there is a GPU's driver.
pub const GPU_LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// How long a round waits for a GPU's driver; an answer that takes longer comes in a later round. The first takes a second.
pub const GPU_TIME_MAX: Duration = Duration::from_millis(50);
/// How long what a GPU's driver said stands for now.
pub const GPU_VALID: Duration = Duration::from_secs(10);
/// GPUs shown; the largest machines have 16.
pub const GPUS_MAX: usize = 64;
/// Processes told of one GPU.
pub const GPU_PROCESSES_MAX: usize = 64;
/// Values that configuration may add.
pub const CUSTOM_VALUES_MAX: usize = 64;
/// Network interfaces whose facts are told: they travel in a record of about 1 KB.
pub const FACT_INTERFACES_MAX: usize = 8;
/// How long gathering facts may take before the former ones are used: an Ethernet driver may wait for its firmware.
pub const FACTS_TIME_MAX: Duration = Duration::from_secs(2);
/// Bytes of a machine trace: a day at one line a second.
pub const TRACE_BYTES_MAX: usize = 16 << 20;
/// Threads that may be stuck in self-probes: some dead servers with several mounts each.
pub const HUNG_PROBES_MAX: usize = 24;
/// Mounts, name servers and the like that are probed.
pub const PROBED_THINGS_MAX: usize = 128;
/// Stack of this crate's threads. They go a few calls deep and hold no large arrays.
pub(crate) const THREAD_STACK_BYTES: usize = 256 << 10;
