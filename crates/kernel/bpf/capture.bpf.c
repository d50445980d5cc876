/* Programs that run in the kernel: run-queue latency, block-I/O latency, TCP round trips and retransmits.
 *
 * Each event adds one to a slot of a histogram of its own processor, so nothing is shared and nothing is locked but the two
 * hash maps. Counts only grow; the reader takes differences, so that no event is lost between reading and resetting.
 * Only the greatest value is per period: the reader counts `epoch` up, and the programs begin anew by themselves.
 *
 * This file may be used under the licences of its repository or under the GPL, version 2: the kernel lets only programs
 * under a licence compatible with its own read its structures. */
#include "kernel.h"

char licence[] SEC("license") = "Dual MIT/GPL";

/* Slot k counts [2^k, 2^(k+1)) ns, slot 0 also 0 ns, and the last one everything longer (18 minutes and more). */
#define SLOTS 41
/* Tasks that may wait for a processor at once, as far as they are seen. More are counted as dropped. */
#define WAITING_MAX 16384
/* Requests that may be with devices at once, as far as they are seen. */
#define REQUESTS_MAX 8192

enum { RUNQ, BLOCK, RTT_REMOTE, RTT_LOCAL, HISTOGRAMS };
enum { RETRANSMITS, RUNQ_DROPS, BLOCK_DROPS, COUNTERS };

struct histogram {
    u64 slots[SLOTS];
    u64 sum;
    u64 epoch, max;               /* of the epoch in which the latest event fell */
    u64 former_epoch, former_max; /* of the one before in which there was any */
};

struct {
    NUMBER(type, MAP_PER_CPU_ARRAY);
    NUMBER(max_entries, HISTOGRAMS);
    TYPE(key, u32);
    TYPE(value, struct histogram);
} histograms SEC(".maps");

struct {
    NUMBER(type, MAP_PER_CPU_ARRAY);
    NUMBER(max_entries, COUNTERS);
    TYPE(key, u32);
    TYPE(value, u64);
} counters SEC(".maps");

struct {
    NUMBER(type, MAP_ARRAY);
    NUMBER(max_entries, 1);
    TYPE(key, u32);
    TYPE(value, u64);
} epoch SEC(".maps");

struct {
    NUMBER(type, MAP_HASH);
    NUMBER(max_entries, WAITING_MAX);
    TYPE(key, u32); /* thread */
    TYPE(value, u64);
} waiting SEC(".maps");

struct {
    NUMBER(type, MAP_HASH);
    NUMBER(max_entries, REQUESTS_MAX);
    TYPE(key, u64); /* address of the request: they come from fixed pools, so one that is never completed is used again */
    TYPE(value, u64);
} requests SEC(".maps");

INLINE u32 log2_of(u64 v) {
    u32 r = 0, s;
    s = (v > 0xffffffffULL) << 5, v >>= s, r |= s;
    s = (v > 0xffff) << 4, v >>= s, r |= s;
    s = (v > 0xff) << 3, v >>= s, r |= s;
    s = (v > 0xf) << 2, v >>= s, r |= s;
    s = (v > 0x3) << 1, v >>= s, r |= s;
    return r | (v >> 1);
}

INLINE void count(u32 which) {
    u64 *counter = map_lookup(&counters, &which);
    if (counter)
        *counter += 1;
}

INLINE void add(u32 which, u64 ns) {
    u32 zero = 0, slot = log2_of(ns);
    struct histogram *h = map_lookup(&histograms, &which);
    u64 *now = map_lookup(&epoch, &zero);
    if (!h || !now)
        return;
    if (slot >= SLOTS)
        slot = SLOTS - 1;
    h->slots[slot] += 1;
    h->sum += ns;
    if (h->epoch != *now) {
        h->former_epoch = h->epoch;
        h->former_max = h->max;
        h->epoch = *now;
        h->max = ns;
    } else if (ns > h->max) {
        h->max = ns;
    }
}

INLINE void queued(struct task_struct *task, u64 now) {
    u32 thread = task->pid;
    /* thread 0 is every processor's idle task, which does not wait */
    if (thread && map_update(&waiting, &thread, &now, 0))
        count(RUNQ_DROPS);
}

SEC("tp_btf/sched_wakeup")
int wakeup(u64 *args) {
    queued((void *)args[0], time_ns());
    return 0;
}

SEC("tp_btf/sched_wakeup_new")
int wakeup_new(u64 *args) {
    queued((void *)args[0], time_ns());
    return 0;
}

SEC("tp_btf/sched_switch")
int switch_to(u64 *args) {
    u64 now = time_ns();
    struct task_struct *before = (void *)args[1], *next = (void *)args[2];
    /* one that was made to stop waits again, whatever it was about to do */
    if (args[0] || before->__state == STATE_RUNNING)
        queued(before, now);
    u32 thread = next->pid;
    u64 *since = thread ? map_lookup(&waiting, &thread) : 0;
    if (since) {
        if (now > *since)
            add(RUNQ, now - *since);
        map_delete(&waiting, &thread);
    }
    return 0;
}

SEC("tp_btf/block_rq_issue")
int issue(u64 *args) {
    u64 request = args[0], now = time_ns();
    if (map_update(&requests, &request, &now, 0))
        count(BLOCK_DROPS);
    return 0;
}

SEC("tp_btf/block_rq_complete")
int complete(u64 *args) {
    struct request *done = (void *)args[0];
    u64 request = args[0], now = time_ns();
    u32 bytes = args[2];
    if (bytes < done->__data_len)
        return 0; /* a part of it; the rest is to come */
    u64 *since = map_lookup(&requests, &request);
    if (since) {
        if (now > *since)
            add(BLOCK, now - *since);
        map_delete(&requests, &request);
    }
    return 0;
}

/* Whether both ends have one address, or are in 127/8: such a connection never leaves this machine. */
INLINE int is_local(struct sock_common *c) {
    /* a kernel without IPv6 has no such members */
    if (c->skc_family == FAMILY_INET6 && HAS(c->skc_v6_daddr)) {
        u32 *here = c->skc_v6_rcv_saddr.in6_u.u6_addr32, *there = c->skc_v6_daddr.in6_u.u6_addr32;
        return here[0] == there[0] && here[1] == there[1] && here[2] == there[2] && here[3] == there[3];
    }
    /* addresses are in network order: the byte at the lowest place is the first */
    return c->skc_daddr == c->skc_rcv_saddr || *(u8 *)&c->skc_daddr == 127;
}

SEC("tp_btf/tcp_probe")
int segment(u64 *args) {
    struct sock *sk = (void *)args[0];
    struct tcp_sock *tcp = to_tcp_sock(sk);
    if (!tcp)
        return 0;
    u64 eighths = tcp->srtt_us; /* of a microsecond */
    if (eighths)
        add(is_local(&sk->__sk_common) ? RTT_LOCAL : RTT_REMOTE, eighths * 125);
    return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int retransmit(u64 *args) {
    count(RETRANSMITS);
    return 0;
}
