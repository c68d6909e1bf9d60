// What the programs in the kernel (bed.bpf.c) and the one that runs them (bed.c) agree on.
#ifndef BED_H
#define BED_H

enum { FRAME_BYTES = 64, MAX_FLOWS = 1048576, MAGIC = 0x31504442 };   // the frame's 64 bytes are without FCS

// Written before each trial. Addresses and ports as on the wire.
struct plan {
    __u32 ifindex;          // where the source sends
    __u32 flows;            // 1 to MAX_FLOWS
    __u64 rate;             // frames per second; 0: as fast as it goes
    __u32 trial;            // stamped into each frame, so that stragglers of the trial before are not counted
    __u32 destination;      // sent to
    __u32 expected;         // must arrive at: another address when it is translated on the way
    __u16 port;
    __u16 expected_port;
    __u8 mac[6];            // of the device under test
    __u8 expected_ttl;      // 64 is sent; a router leaves 63
    __u8 check_mac;         // whether expected_mac must have been written on the way
    __u8 expected_mac[6];
    __u16 backends;         // expected is the first of so many addresses, of which any will do; 0 is as 1
    __u32 shift;            // flows are sent to destination + (flow >> shift), so that one address can translate more of them than it has ports
    __u32 expected_source;  // must seem to come from, by a port of its own; 0: from its own address and port
    __u64 first;            // where the source goes on, so that many flows get their turn in short trials
    __u8 second_mac[6];     // with canary: the next hop of the second configuration, where expected_mac is that of the first
    __u8 canary;            // two configurations take turns; gaps between frames are taken
    __u8 unused;
};

// When the last frame came, and the longest time between two since the program that judges has set it to 0.
struct gap {
    __u64 last_ns, longest_ns;
};

// What the sink knows of a flow: the number of its last frame, and what it was translated to. One page after the other for the program that judges.
struct seen {
    __u64 newest;
    __u32 address;
    __u32 port;             // 0: not seen yet
};

// The source runs on one processor, so these need no lock.
struct source_state {
    __u64 sent, credit, last_ns;
};

// Per processor. What is not GOOD, LATE or STRANGER failed a check: contents are verified in every frame, not in a sample.
enum counter { GOOD, REORDERED, LATE, STRANGER, BAD_LENGTH, BAD_MAC, BAD_IP_HEADER, BAD_TTL, BAD_DESTINATION, BAD_UDP_CHECKSUM, BAD_CONTENT, BAD_BINDING, BAD_ANSWER, BAD_TWICE, BAD_HALF, COUNTERS };

// Behind the UDP header: 20 of 22 bytes of payload.
struct mark {
    __u32 magic, flow, trial, sequence_low, sequence_high;
};
#endif
