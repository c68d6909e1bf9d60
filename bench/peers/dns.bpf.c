// The source of queries and the sink of answers for bench/peers/dns: like those of bed.bpf.c, where a frame costs least.
// A query's number is in its ID (lower 16 bits) and its source port (the rest), the trial in its source address; its name follows from the number. So the sink knows
// what each answer must say, without keeping what was asked; a bit for each number tells which were answered before.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "bed.h"

enum { NAMES = 1000, MISSING_EVERY = 11, QUERY_BYTES = 78, LONGEST_WORDS = 120, WORDS = 1 << 21, RCODE_NXDOMAIN = 3 };

// 32 numbers each: the trial in the upper half, a bit for each answer in the lower.
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, WORDS); __type(key, __u32); __type(value, __u64); } answered SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, struct plan); } plans SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, struct source_state); } state SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, COUNTERS); __type(key, __u32); __type(value, __u64); } counters SEC(".maps");

struct message {
    __u16 id, flags, questions, answers, authorities, additional;
    __u8 name[20];              // s123.bench.example
    __u16 type, class;
} __attribute__((packed));

struct frame {
    struct ethhdr eth;
    struct iphdr ip;
    struct udphdr udp;
    struct message dns;
} __attribute__((packed));
_Static_assert(sizeof(struct frame) == QUERY_BYTES, "the bed is told this length");

// The record behind the question of an answer, its owner being a pointer to the question's name.
struct record {
    __u16 owner, type, class;
    __u32 ttl;
    __u16 length;
    __u32 address;
} __attribute__((packed));

#include "pace.bpf.h"

static __always_inline __u32 sum_query(struct frame *f)
{
    __u32 *w = (void *)&f->udp;
    __u64 sum = (__u64)f->ip.saddr + f->ip.daddr + bpf_htons(IPPROTO_UDP) + f->udp.len;
#pragma unroll
    for (int i = 0; i < 11; i++)
        sum += w[i];
    return fold(sum);
}

static __always_inline int is_missing(__u32 n) { return n % MISSING_EVERY == MISSING_EVERY - 1; }
static __always_inline __u32 name_of(__u32 n) { return (n * 7919ull) % NAMES; }
static __always_inline __u32 address_of(__u32 name) { return bpf_htonl(0x0a070001 + (name / 250 << 8) + name % 250); }
static __always_inline __u32 client_of(__u32 trial, __u32 n) { return bpf_htonl(0x0a000000 | (trial & 0xff) << 16 | (n & 0x3ff)); }

static __always_inline void write_name(__u8 *name, __u32 n)
{
    __u32 number = name_of(n);
    __builtin_memcpy(name, "\4s000\5bench\7example", 20);
    name[1] = is_missing(n) ? 'n' : 's';
    name[2] = '0' + number / 100;
    name[3] = '0' + number / 10 % 10;
    name[4] = '0' + number % 10;
}

SEC("xdp") int source(struct xdp_md *ctx)
{
    __u32 zero = 0;
    struct plan *p = bpf_map_lookup_elem(&plans, &zero);
    struct source_state *s = bpf_map_lookup_elem(&state, &zero);
    struct frame *f = (void *)(long)ctx->data;
    if (!p || !s || (void *)(f + 1) > (void *)(long)ctx->data_end)
        return XDP_ABORTED;
    if (!is_due(p, s))
        return XDP_DROP;
    __u32 n = s->sent++;
    __builtin_memcpy(f->eth.h_dest, p->mac, 6);
    __builtin_memcpy(f->eth.h_source, p->expected_mac, 6);
    f->eth.h_proto = bpf_htons(ETH_P_IP);
    *(__u8 *)&f->ip = 0x45;
    f->ip.tos = 0;
    f->ip.tot_len = bpf_htons(QUERY_BYTES - ETH_HLEN);
    f->ip.id = 0;
    f->ip.frag_off = bpf_htons(0x4000);
    f->ip.ttl = 64;
    f->ip.protocol = IPPROTO_UDP;
    f->ip.saddr = client_of(p->trial, n);
    f->ip.daddr = p->destination;
    f->ip.check = 0;
    f->ip.check = ~sum_ip(&f->ip);
    f->udp.source = bpf_htons(1024 + (n >> 16));
    f->udp.dest = p->port;
    f->udp.len = bpf_htons(QUERY_BYTES - ETH_HLEN - sizeof(struct iphdr));
    f->udp.check = 0;
    f->dns.id = bpf_htons(n);
    f->dns.flags = 0;
    f->dns.questions = bpf_htons(1);
    f->dns.answers = f->dns.authorities = f->dns.additional = 0;
    write_name(f->dns.name, n);
    f->dns.type = f->dns.class = bpf_htons(1);
    __u16 check = ~sum_query(f);
    f->udp.check = check ? check : 0xffff;
    return bpf_redirect(p->ifindex, 0);
}

static __always_inline int count(enum counter which)
{
    __u32 k = which;
    __u64 *n = bpf_map_lookup_elem(&counters, &k);
    if (n)
        (*n)++;
    return TC_ACT_SHOT;
}

// Whether the whole datagram's checksum is right. Its last bytes, up to three, are what is left beyond whole words.
static __always_inline int is_udp_right(struct frame *f, void *end)
{
    __u64 sum = (__u64)f->ip.saddr + f->ip.daddr + bpf_htons(IPPROTO_UDP) + f->udp.len;
    __u8 *at = (void *)&f->udp;
    for (int i = 0; i < LONGEST_WORDS && (void *)(at + 4) <= end; i++, at += 4)
        sum += *(__u32 *)at;
    if ((void *)(at + 2) <= end) {
        sum += *(__u16 *)at;
        at += 2;
    }
    if ((void *)(at + 1) <= end) {
        sum += *at;
        at++;
    }
    return (void *)at >= end && fold(sum) == 0xffff;
}

SEC("tc") int sink(struct __sk_buff *ctx)
{
    __u32 zero = 0;
    struct plan *p = bpf_map_lookup_elem(&plans, &zero);
    if (ctx->data_end - ctx->data < ctx->len)
        bpf_skb_pull_data(ctx, ctx->len);
    struct frame *f = (void *)(long)ctx->data;
    void *end = (void *)(long)ctx->data_end;
    if (!p || (void *)(f + 1) > end)
        return count(STRANGER);
    if (f->eth.h_proto != bpf_htons(ETH_P_IP) || f->ip.protocol != IPPROTO_UDP || f->ip.saddr != p->destination || f->udp.source != p->port)
        return count(STRANGER);
    if (*(__u8 *)&f->ip != 0x45 || sum_ip(&f->ip) != 0xffff)
        return count(BAD_IP_HEADER);
    __u32 n = (__u32)(__u16)(bpf_ntohs(f->udp.dest) - 1024) << 16 | bpf_ntohs(f->dns.id);
    if ((f->ip.daddr ^ client_of(p->trial, n)) & bpf_htonl(0x00ff0000))
        return count(LATE);
    if (f->ip.daddr != client_of(p->trial, n))
        return count(BAD_DESTINATION);
    if (bpf_ntohs(f->ip.tot_len) != ctx->len - ETH_HLEN || bpf_ntohs(f->udp.len) != ctx->len - ETH_HLEN - sizeof(struct iphdr))
        return count(BAD_LENGTH);
    if (f->udp.check && !is_udp_right(f, end))   // over IPv4 a server may leave it out
        return count(BAD_UDP_CHECKSUM);
    __u8 name[20];
    write_name(name, n);
    if (f->dns.questions != bpf_htons(1) || f->dns.type != bpf_htons(1) || f->dns.class != bpf_htons(1))
        return count(BAD_CONTENT);
#pragma unroll
    for (int i = 0; i < 20; i++)
        if (f->dns.name[i] != name[i])
            return count(BAD_CONTENT);
    // An answer without error, or there is no such name; nothing truncated.
    __u16 flags = bpf_ntohs(f->dns.flags);
    if (!(flags & 0x8000) || flags & 0x7a00 || (flags & 15) != (is_missing(n) ? RCODE_NXDOMAIN : 0) || f->dns.answers != bpf_htons(is_missing(n) ? 0 : 1))
        return count(BAD_ANSWER);
    struct record *record = (void *)(f + 1);
    if (!is_missing(n) && ((void *)(record + 1) > end || record->owner != bpf_htons(0xc00c) || record->type != bpf_htons(1) || record->class != bpf_htons(1)
            || record->length != bpf_htons(4) || record->address != address_of(name_of(n))))
        return count(BAD_ANSWER);
    __u32 at = n >> 5 & (WORDS - 1);
    __u64 *bits = bpf_map_lookup_elem(&answered, &at), bit = 1ull << (n & 31);
    if (!bits)
        return count(BAD_ANSWER);
    if (*bits >> 32 != p->trial)
        *bits = (__u64)p->trial << 32;
    if (*bits & bit)
        return count(BAD_TWICE);
    *bits |= bit;
    return count(GOOD);
}

char _license[] SEC("license") = "Dual MIT/GPL";
