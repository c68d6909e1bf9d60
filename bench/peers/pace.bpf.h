// What sources of the bed share: the pace, and sums of the ones' complement (RFC 1071), which do not mind the width of the words: 0xffff says that the checksum in the bytes is right.
#ifndef PACE_BPF_H
#define PACE_BPF_H

static __always_inline __u16 fold(__u64 sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

static __always_inline __u16 sum_ip(void *ip)
{
    __u32 *w = ip;
    return fold((__u64)w[0] + w[1] + w[2] + w[3] + w[4]);
}

// Lets one frame pass each 1/rate seconds. What was missed while another program had the processor is not made up for beyond 64 frames,
// for a burst is not what is to be measured; what was sent is counted, not what was meant to be.
static __always_inline int is_due(struct plan *p, struct source_state *s)
{
    if (!p->rate)
        return 1;
    if (s->credit == 0) {
        __u64 now = bpf_ktime_get_ns(), due = (now - s->last_ns) * p->rate / 1000000000;
        if (due == 0)
            return 0;
        if (due > 64) {
            due = 64;
            s->last_ns = now;
        } else {
            s->last_ns += due * 1000000000 / p->rate;
        }
        s->credit = due;
    }
    s->credit--;
    return 1;
}
#endif
