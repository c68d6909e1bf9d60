// The source and the sink of the test bed, both where a frame costs least: the source in the driver's path (XDP, no packet buffer is made),
// the sink at traffic control's ingress (in native XDP, veth would copy each packet buffer that a forwarder's socket made).
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "bed.h"

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, struct plan); } plans SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, struct source_state); } state SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, COUNTERS); __type(key, __u32); __type(value, __u64); } counters SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(map_flags, BPF_F_MMAPABLE); __uint(max_entries, MAX_FLOWS); __type(key, __u32); __type(value, struct seen); } flows SEC(".maps");

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, struct gap); } gaps SEC(".maps");

struct frame {
    struct ethhdr eth;
    struct iphdr ip;
    struct udphdr udp;
    struct mark mark;
    __u16 zero;
} __attribute__((packed));
_Static_assert(sizeof(struct frame) == FRAME_BYTES, "the frame has 64 bytes");

#include "pace.bpf.h"

static __always_inline __u16 sum_udp(struct frame *f)
{
    __u32 *w = (void *)&f->udp;
    __u64 sum = (__u64)f->ip.saddr + f->ip.daddr + bpf_htons(IPPROTO_UDP) + f->udp.len;
    return fold(sum + w[0] + w[1] + w[2] + w[3] + w[4] + w[5] + w[6] + f->zero);
}

static __always_inline __u32 address_of(__u32 flow) { return bpf_htonl(0x0a000000 | ((flow * 2654435761u) >> 8)); }
static __always_inline __u16 port_of(__u32 flow) { return bpf_htons(1024 + (flow & 0x7fff)); }

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
    // A page comes back with whatever was done to the frame on its way, so every byte is written again.
    __u64 n = s->sent++;
    __u32 flow = p->flows ? (p->first + n) % p->flows : 0;
    __builtin_memcpy(f->eth.h_dest, p->mac, 6);
    f->eth.h_source[0] = 2;
    f->eth.h_source[1] = f->eth.h_source[2] = f->eth.h_source[3] = f->eth.h_source[4] = f->eth.h_source[5] = 0;
    f->eth.h_proto = bpf_htons(ETH_P_IP);
    *(__u8 *)&f->ip = 0x45;
    f->ip.tos = 0;
    f->ip.tot_len = bpf_htons(FRAME_BYTES - ETH_HLEN);
    f->ip.id = 0;
    f->ip.frag_off = bpf_htons(0x4000);
    f->ip.ttl = 64;
    f->ip.protocol = IPPROTO_UDP;
    f->ip.saddr = address_of(flow);
    f->ip.daddr = bpf_htonl(bpf_ntohl(p->destination) + (flow >> (p->shift & 31)));
    f->ip.check = 0;
    f->ip.check = ~sum_ip(&f->ip);
    f->udp.source = port_of(flow);
    f->udp.dest = p->port;
    f->udp.len = bpf_htons(FRAME_BYTES - ETH_HLEN - sizeof(struct iphdr));
    f->mark = (struct mark){ MAGIC, flow, p->trial, (__u32)n, (__u32)(n >> 32) };
    f->zero = 0;
    f->udp.check = 0;
    __u16 check = ~sum_udp(f);
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

static __always_inline int is_other(const __u8 *a, const __u8 *b)
{
    return *(__u32 *)a != *(__u32 *)b || *(__u16 *)(a + 4) != *(__u16 *)(b + 4);
}

// Towards any destination but the first, the first configuration denies what comes from 10.0.0.0/11 and leads the rest to the first next hop; the second
// denies 10.32.0.0/11 and leads to the second. What one has let pass and the other has led was judged by half of each.
static __always_inline int is_judged_by_half(const struct plan *p, const struct frame *f)
{
    __u32 part = bpf_ntohl(f->ip.saddr) >> 21 & 7;
    return f->ip.daddr != p->expected && part < 2 && !is_other(f->eth.h_dest, part ? p->second_mac : p->expected_mac);
}

static __always_inline void take_gap(void)
{
    __u32 zero = 0;
    struct gap *g = bpf_map_lookup_elem(&gaps, &zero);
    if (!g)
        return;
    __u64 now = bpf_ktime_get_ns(), gap = now - g->last_ns;
    if (g->last_ns && now > g->last_ns && gap > g->longest_ns)
        g->longest_ns = gap;
    g->last_ns = now;
}

SEC("tc") int sink(struct __sk_buff *ctx)
{
    __u32 zero = 0;
    struct plan *p = bpf_map_lookup_elem(&plans, &zero);
    // A packet socket may have left the frame in pages of its ring; whoever reads headers needs them in one piece.
    if (ctx->data_end - ctx->data < FRAME_BYTES)
        bpf_skb_pull_data(ctx, FRAME_BYTES);
    struct frame *f = (void *)(long)ctx->data;
    if (!p || (void *)(f + 1) > (void *)(long)ctx->data_end)
        return count(STRANGER);
    // What the systems say for themselves: ARP, neighbour discovery, router solicitations.
    if (f->eth.h_proto != bpf_htons(ETH_P_IP) || f->ip.protocol != IPPROTO_UDP)
        return count(STRANGER);
    if (f->mark.magic != MAGIC)
        return count(BAD_CONTENT);
    if (f->mark.trial != p->trial)
        return count(LATE);
    if (ctx->len != FRAME_BYTES)
        return count(BAD_LENGTH);
    if (p->check_mac && is_other(f->eth.h_dest, p->expected_mac) && (!p->canary || is_other(f->eth.h_dest, p->second_mac)))
        return count(BAD_MAC);
    if (p->canary && is_judged_by_half(p, f))
        return count(BAD_HALF);
    if (*(__u8 *)&f->ip != 0x45 || f->ip.tot_len != bpf_htons(FRAME_BYTES - ETH_HLEN) || f->ip.frag_off != bpf_htons(0x4000) || sum_ip(&f->ip) != 0xffff)
        return count(BAD_IP_HEADER);
    if (f->ip.ttl != p->expected_ttl)
        return count(BAD_TTL);
    __u32 flow = f->mark.flow;
    __u32 which = bpf_ntohl(f->ip.daddr) - bpf_ntohl(p->expected) - (flow >> (p->shift & 31));
    if (which >= (p->backends ? p->backends : 1) || f->udp.dest != p->expected_port)
        return count(BAD_DESTINATION);
    if (f->udp.check == 0 || sum_udp(f) != 0xffff)
        return count(BAD_UDP_CHECKSUM);
    struct seen *last = bpf_map_lookup_elem(&flows, &flow);
    __u64 n = f->mark.sequence_low | (__u64)f->mark.sequence_high << 32;
    if (!last || f->ip.saddr != (p->expected_source ? p->expected_source : address_of(flow)))
        return count(BAD_CONTENT);
    if (!p->expected_source && f->udp.source != port_of(flow))
        return count(BAD_CONTENT);
    // A flow keeps what it was given first: port and backend.
    if (!last->port) {
        last->address = f->ip.daddr;
        last->port = f->udp.source;
    } else if (last->port != f->udp.source || last->address != f->ip.daddr) {
        return count(BAD_BINDING);
    }
    // The number counts from 1 in each trial, and the trial leads: a frame that is not newer than the last of its flow came twice or too late.
    n = (__u64)p->trial << 40 | (n + 1);
    if (n <= last->newest)
        count(REORDERED);
    else
        last->newest = n;
    if (p->canary)
        take_gap();
    return count(GOOD);
}

char _license[] SEC("license") = "Dual MIT/GPL";
