/* What capture.bpf.c needs of the kernel and of BPF, and no more: no vmlinux.h, no libbpf headers.
 *
 * The structures name only the members that are read; `preserve_access_index` has the loader look up where the running
 * kernel keeps them (CO-RE). The numbers of the helpers are the kernel's stable interface (uapi/linux/bpf.h). */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

/* How a map is declared for loaders that read BTF: a pointer to an array of N stands for the number N. */
#define NUMBER(name, value) int(*name)[value]
#define TYPE(name, type) type *name

enum { MAP_HASH = 1, MAP_ARRAY = 2, MAP_PER_CPU_ARRAY = 6 };

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static long (*const map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*const map_delete)(void *map, const void *key) = (void *)3;
static u64 (*const time_ns)(void) = (void *)5;

#define FROM_KERNEL __attribute__((preserve_access_index))

/* Whether the running kernel has this member: decided by the loader, so that the verifier never sees the other branch. */
#define HAS(member) __builtin_preserve_field_info(member, 2)

struct task_struct {
    int pid;
    unsigned int __state;
} FROM_KERNEL;

struct request {
    unsigned int __data_len;
} FROM_KERNEL;

struct in6_addr {
    union {
        u32 u6_addr32[4];
    } in6_u;
} FROM_KERNEL;

struct sock_common {
    u32 skc_daddr;
    u32 skc_rcv_saddr;
    u16 skc_family;
    struct in6_addr skc_v6_daddr;
    struct in6_addr skc_v6_rcv_saddr;
} FROM_KERNEL;

struct sock {
    struct sock_common __sk_common;
} FROM_KERNEL;

struct tcp_sock {
    u32 srtt_us;
} FROM_KERNEL;

static struct tcp_sock *(*const to_tcp_sock)(void *sk) = (void *)137;

enum { FAMILY_INET6 = 10, STATE_RUNNING = 0 };
