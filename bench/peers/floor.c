// The least that a process can do which sleeps until a packet comes: poll, read, write. No ring, no parsing, no table. What it takes from one interface to
// the other is what the kernel asks of any program that sleeps (its wake-up, three system calls and the device's own work), and so the floor for a gateway.
//   floor packet IF IF       packet sockets on two interfaces of this namespace; also next to AF_XDP, for which a program that only polls has nothing simpler
//   floor tap NS NS          TAP devices e0 in two namespaces
//   floor event NS NS        the same in two processes, the frame between them in shared memory and its news by an eventfd: the floor of memif
//   floor stream NS NS       the same in two processes, the frame between them by a Unix socket: the floor of a stream
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <signal.h>
#include <unistd.h>

enum { FRAME = 2048, SLOTS = 64 };

// One direction through shared memory, for one process that writes and one that reads.
struct ring {
    _Alignas(64) uint32_t head;
    _Alignas(64) uint32_t tail;
    uint32_t lengths[SLOTS];
    char frames[SLOTS][FRAME];
};

static struct ring *out, *in;    // null: frames go by the descriptor itself
static int out_event;

static void die(const char *what) { perror(what); exit(1); }

static int packet(const char *name) {
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name)};
    int one = 1, socket_fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));
    if (socket_fd < 0 || setsockopt(socket_fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) < 0 || bind(socket_fd, (void *)&address, sizeof address) < 0)
        die(name);
    return socket_fd;
}

static int tap(const char *space) {
    char path[256];
    snprintf(path, sizeof path, "/var/run/netns/%s", space);
    int own = open("/proc/self/ns/net", O_RDONLY), there = open(path, O_RDONLY);
    if (there < 0 || setns(there, CLONE_NEWNET) < 0)
        die(path);
    struct ifreq request = {.ifr_name = "e0", .ifr_flags = IFF_TAP | IFF_NO_PI};
    int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (device < 0 || ioctl(device, TUNSETIFF, &request) < 0 || setns(own, CLONE_NEWNET) < 0)
        die("tap");
    close(own);
    close(there);
    return device;
}

static void put(int descriptor, const char *frame, ssize_t length) {
    if (!out) {
        // A frame that the other side does not take is lost, as in any network.
        if (write(descriptor, frame, (size_t)length) < 0) {}
        return;
    }
    uint32_t head = out->head;
    if (head - __atomic_load_n(&out->tail, __ATOMIC_ACQUIRE) == SLOTS)
        return;
    memcpy(out->frames[head % SLOTS], frame, (size_t)length);
    out->lengths[head % SLOTS] = (uint32_t)length;
    __atomic_store_n(&out->head, head + 1, __ATOMIC_RELEASE);
    if (write(out_event, &(uint64_t){1}, 8) < 0) {}
}

static void forward(int left, int right) {
    char frame[FRAME];
    struct pollfd both[2] = {{.fd = left, .events = POLLIN}, {.fd = right, .events = POLLIN}};
    for (;;) {
        if (poll(both, 2, -1) < 0)
            die("poll");
        ssize_t length;
        if (both[0].revents)
            while ((length = read(left, frame, sizeof frame)) > 0)
                put(right, frame, length);
        if (both[1].revents && in) {
            if (read(right, frame, 8) < 0) {}
            for (; in->tail != __atomic_load_n(&in->head, __ATOMIC_ACQUIRE); __atomic_store_n(&in->tail, in->tail + 1, __ATOMIC_RELEASE))
                if (write(left, in->frames[in->tail % SLOTS], in->lengths[in->tail % SLOTS]) < 0) {}
        } else if (both[1].revents) {
            while ((length = read(right, frame, sizeof frame)) > 0)
                if (write(left, frame, (size_t)length) < 0) {}
            // The process at the other end is gone.
            if (length == 0)
                exit(0);
        }
    }
}

// Two processes, a device each; what joins them is made before they part.
static void split(const char *left, const char *right, int by_memory) {
    int sides[2];
    struct ring *rings = mmap(0, 2 * sizeof *rings, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (rings == MAP_FAILED)
        die("mmap");
    if (by_memory) {
        sides[0] = eventfd(0, EFD_NONBLOCK);
        sides[1] = eventfd(0, EFD_NONBLOCK);
    } else if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sides) < 0) {
        die("socketpair");
    }
    int is_child = fork() == 0;
    if (is_child)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    int device = tap(is_child ? right : left);
    if (by_memory) {
        out = &rings[is_child];
        in = &rings[!is_child];
        out_event = sides[!is_child];
    } else {
        close(sides[!is_child]);
    }
    if (!is_child)
        puts("ready");
    fflush(stdout);
    forward(device, sides[is_child]);
}

int main(int count, char **arguments) {
    if (count != 4)
        return fputs("usage: floor packet IF IF | tap NS NS | event NS NS | stream NS NS\n", stderr), 2;
    const char *kind = arguments[1], *left = arguments[2], *right = arguments[3];
    if (!strcmp(kind, "event") || !strcmp(kind, "stream"))
        split(left, right, *kind == 'e');
    int is_packet = !strcmp(kind, "packet");
    int a = is_packet ? packet(left) : tap(left), b = is_packet ? packet(right) : tap(right);
    puts("ready");
    fflush(stdout);
    forward(a, b);
}
