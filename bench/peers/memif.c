// memif [EAL arguments] -- SECONDS FLOWS TO TO_PORT EXPECT EXPECT_PORT TTL [BACKENDS [SHIFT [SOURCE]]]
// Source and sink on one core, for bench/peers/memif: the memif server on two sockets, to which the device under test connects as a client.
// Sends UDP of 64 bytes on port 0 and takes what comes back on port 1. Every frame is verified: length, version, TTL, header checksum,
// destination, and that its source is a flow of ours. TO and EXPECT are IPv4 addresses in hexadecimal. With BACKENDS any of so many addresses
// from EXPECT on will do. With SHIFT flows go to TO + (flow >> SHIFT). With SOURCE, in hexadecimal, packets must come from that address. A flow must
// keep its address and port, and with SOURCE no two flows may have the same towards one destination.
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BURST = 64, FRAME = 64, LOOKS = 4 };

struct frame {
    struct rte_ether_hdr ether;
    struct rte_ipv4_hdr ip;
    struct rte_udp_hdr udp;
    uint32_t flow;
    uint8_t payload[FRAME - 46];
} __attribute__((packed, aligned(2)));

static void open_port(int port, struct rte_mempool *pool)
{
    struct rte_eth_conf conf = {0};
    if (rte_eth_dev_configure(port, 1, 1, &conf) || rte_eth_rx_queue_setup(port, 0, 1024, 0, NULL, pool)
        || rte_eth_tx_queue_setup(port, 0, 1024, 0, NULL) || rte_eth_dev_start(port))
        rte_exit(1, "port %d does not start\n", port);
}

static void await_peer(int port)
{
    struct rte_eth_link link;
    for (int tries = 0; tries < 300; tries++, rte_delay_ms(100)) {
        rte_eth_link_get_nowait(port, &link);
        if (link.link_status)
            return;
    }
    rte_exit(1, "port %d: no peer\n", port);
}

struct seen {
    uint32_t destination;
    uint16_t port;
};

// Towards one destination no port stands for two flows.
static uint64_t count_shared_ports(const struct seen *seen, unsigned flows, unsigned shift)
{
    static uint8_t taken[65536];
    uint64_t bad = 0;
    for (unsigned flow = 0; flow < flows; flow++) {
        if (flow == 0 || flow >> shift != (flow - 1) >> shift)
            memset(taken, 0, sizeof(taken));
        bad += seen[flow].port && taken[seen[flow].port]++;
    }
    return bad;
}

int main(int count, char **words)
{
    int eal = rte_eal_init(count, words);
    if (eal < 0 || count - eal < 8)
        return 2;
    words += eal;
    double seconds = atof(words[1]);
    unsigned flows = atoi(words[2]), next = 0, ttl = atoi(words[7]);
    uint32_t to = strtoul(words[3], NULL, 16), expect = rte_cpu_to_be_32(strtoul(words[5], NULL, 16));
    uint16_t to_port = atoi(words[4]), expect_port = rte_cpu_to_be_16(atoi(words[6]));
    unsigned backends = count - eal > 8 ? atoi(words[8]) : 1, shift = count - eal > 9 ? atoi(words[9]) : 31;
    uint32_t source = count - eal > 10 ? rte_cpu_to_be_32(strtoul(words[10], NULL, 16)) : 0;
    struct seen *seen = calloc(flows, sizeof(*seen));
    struct rte_mempool *pool = rte_pktmbuf_pool_create("pool", 16383, 256, 0, 2304, 0);
    struct frame *templates = calloc(flows, sizeof(*templates));
    if (!pool || !templates || !seen)
        return 1;
    for (unsigned flow = 0; flow < flows; flow++) {
        struct frame *frame = &templates[flow];
        memset(&frame->ether.dst_addr, 2, 6);
        frame->ether.src_addr.addr_bytes[0] = 2;
        frame->ether.ether_type = rte_cpu_to_be_16(0x0800);
        frame->ip = (struct rte_ipv4_hdr){.version_ihl = 0x45, .total_length = rte_cpu_to_be_16(FRAME - 14), .time_to_live = 64, .next_proto_id = 17,
            .src_addr = rte_cpu_to_be_32(0x0A000000 | (flow & 0xFFFFFF)), .dst_addr = rte_cpu_to_be_32(to + (flow >> shift))};
        frame->ip.hdr_checksum = rte_ipv4_cksum(&frame->ip);
        frame->udp = (struct rte_udp_hdr){.src_port = rte_cpu_to_be_16(1024 + (flow & 0x7FFF)), .dst_port = rte_cpu_to_be_16(to_port), .dgram_len = rte_cpu_to_be_16(FRAME - 34)};
        frame->flow = flow;
        frame->udp.dgram_cksum = rte_ipv4_udptcp_cksum(&frame->ip, &frame->udp);
    }
    for (int port = 0; port < 2; port++)
        open_port(port, pool);
    for (int port = 0; port < 2; port++)
        await_peer(port);
    uint64_t hz = rte_get_timer_hz(), begin = rte_get_timer_cycles(), warm = begin + hz / 2 + (uint64_t)(flows * 3e-6 * hz), end = warm + (uint64_t)(seconds * hz), now;
    uint64_t sent = 0, received = 0, before = 0, bad = 0;
    struct rte_mbuf *out[BURST], *in[BURST];
    while ((now = rte_get_timer_cycles()) < end) {
        if (now < warm)
            before = received;
        if (!rte_pktmbuf_alloc_bulk(pool, out, BURST)) {
            for (int i = 0; i < BURST; i++) {
                memcpy(rte_pktmbuf_mtod(out[i], void *), &templates[next], FRAME);
                out[i]->data_len = out[i]->pkt_len = FRAME;
                next = next + 1 == flows ? 0 : next + 1;
            }
            unsigned taken = rte_eth_tx_burst(0, 0, out, BURST);
            sent += taken;
            rte_pktmbuf_free_bulk(out + taken, BURST - taken);
        }
        for (int look = 0; look < LOOKS; look++) {
            unsigned got = rte_eth_rx_burst(1, 0, in, BURST);
            for (unsigned i = 0; i < got; i++) {
                struct frame *frame = rte_pktmbuf_mtod(in[i], struct frame *);
                bad += in[i]->pkt_len != FRAME || frame->ip.version_ihl != 0x45 || frame->ip.time_to_live != ttl || rte_raw_cksum(&frame->ip, sizeof(frame->ip)) != 0xFFFF
                    || frame->flow >= flows || rte_be_to_cpu_32(frame->ip.dst_addr) - rte_be_to_cpu_32(expect) - (frame->flow >> shift) >= backends
                    || frame->udp.dst_port != expect_port || frame->ip.src_addr != (source ? source : rte_cpu_to_be_32(0x0A000000 | frame->flow));
                struct seen *flow = &seen[frame->flow < flows ? frame->flow : 0];
                bad += flow->port && (flow->port != frame->udp.src_port || flow->destination != frame->ip.dst_addr);
                *flow = (struct seen){frame->ip.dst_addr, frame->udp.src_port};
            }
            received += got;
            rte_pktmbuf_free_bulk(in, got);
            if (got < BURST)
                break;
        }
    }
    bad += source ? count_shared_ports(seen, flows, shift) : 0;
    printf("mpps %.3f sent %lu received %lu bad %lu\n", (received - before) / seconds / 1e6, sent, received, bad);
    return bad != 0;
}
