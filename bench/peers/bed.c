// Offers frames to a device under test at a chosen rate and counts and verifies at the sink what comes out of it.
// The programs that send and count are in bed.bpf.c; this one sets the pace and judges. Run it by bench/peers/af-packet.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "bed.h"

#define LOSS_ALLOWED 0.001      // of what was sent
#define BACKLOG_ALLOWED 0.01    // rings must not fill up meanwhile: what goes in must come out at the same pace
#define ATTEMPTS 2              // at each rate, for the machine may be disturbed
#define STEPS 6                 // halvings of the range in which the rate without loss is sought

struct result {
    double offered, delivered;  // frames per second, while both ran evenly
    __u64 sent, good, counts[COUNTERS];
};

static int frame_bytes = FRAME_BYTES, realtime, plan_map, state_map, counter_map, gap_map, source_program, source_namespace, sink_namespace;
static struct plan plan;
static __u64 totals[COUNTERS];
static volatile sig_atomic_t stopped;

static void on_signal(int number) { stopped |= number != SIGUSR1; }

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "bed: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static int open_namespace(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "/run/netns/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? fd : (fail("no network namespace %s", name), -1);
}

static void enter(int namespace)
{
    if (setns(namespace, CLONE_NEWNET))
        fail("setns: %s", strerror(errno));
}

static void read_counters(__u64 counts[COUNTERS])
{
    static __u64 values[4096];
    int processors = libbpf_num_possible_cpus();
    for (__u32 k = 0; k < COUNTERS; k++) {
        counts[k] = 0;
        bpf_map_lookup_elem(counter_map, &k, values);
        for (int i = 0; i < processors; i++)
            counts[k] += values[i];
    }
}

static __u64 read_sent(void)
{
    __u32 zero = 0;
    struct source_state s;
    bpf_map_lookup_elem(state_map, &zero, &s);
    return s.sent;
}

static __u64 since(const __u64 before[COUNTERS], __u64 after[COUNTERS])
{
    read_counters(after);
    for (int k = 0; k < COUNTERS; k++)
        after[k] -= before[k];
    return after[GOOD];
}

static void sleep_until(double when)
{
    while (!stopped && now() < when) {
        double left = when - now();
        struct timespec t = { .tv_sec = (time_t)left, .tv_nsec = (long)((left - (time_t)left) * 1e9) };
        if (left > 0)
            nanosleep(&t, NULL);
    }
}

// Before other work of this machine, and whoever reads the counters before whoever sends.
static void raise_priority(int priority)
{
    const struct sched_param parameter = { .sched_priority = priority };
    int error = realtime ? pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameter) : 0;
    if (error)
        fail("real-time priority: %s", strerror(error));
}

// One call for the whole trial: each takes tens of milliseconds to set up and to end. A signal ends it.
static void *run_source(void *unused)
{
    static unsigned char bytes[256];
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = bytes, .data_size_in = frame_bytes, .repeat = 1 << 30,
                .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
    (void)unused;
    raise_priority(1);
    int error = bpf_prog_test_run_opts(source_program, &options);
    if (error && error != -EINTR)
        fail("the source does not run (BPF_PROG_TEST_RUN with live frames needs Linux 5.18): %s", strerror(-error));
    return NULL;
}

// Runs the source for a time. In the second half, when all rings have found their level, both ends are compared.
static struct result run_trial(double rate, double seconds)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    struct source_state fresh = { .last_ns = t.tv_sec * 1000000000ull + t.tv_nsec };
    struct result r = { 0 };
    __u32 zero = 0;
    __u64 before[COUNTERS], half[COUNTERS];
    plan.trial++;
    plan.rate = rate;
    bpf_map_update_elem(plan_map, &zero, &plan, 0);
    bpf_map_update_elem(state_map, &zero, &fresh, 0);
    read_counters(before);

    pthread_t source;
    if (pthread_create(&source, NULL, run_source, NULL))
        fail("no thread for the source");
    while (!stopped && read_sent() == 0)
        sleep_until(now() + 0.001);
    double start = now();
    sleep_until(start + seconds / 2);
    double middle = now();
    __u64 half_sent = read_sent();
    since(before, half);
    sleep_until(start + seconds);
    double end = now();
    r.sent = read_sent();
    r.good = since(before, r.counts);
    r.offered = (r.sent - half_sent) / (end - middle);
    r.delivered = (r.good - half[GOOD]) / (end - middle);
    pthread_kill(source, SIGUSR1);
    pthread_join(source, NULL);

    r.sent = read_sent();
    plan.first = (plan.first + r.sent) % plan.flows;
    for (int quiet = 0, i = 0; quiet < 3 && i < 100; i++) {
        __u64 good = r.good;
        usleep(4000);
        r.good = since(before, r.counts);
        quiet = r.good == good ? quiet + 1 : 0;
    }
    for (int k = 0; k < COUNTERS; k++)
        totals[k] += r.counts[k];
    return r;
}

static int is_without_loss(const struct result *r)
{
    return r->sent > 0 && r->good >= r->sent * (1 - LOSS_ALLOWED) && r->delivered >= r->offered * (1 - BACKLOG_ALLOWED);
}

// Runs the source until its input ends. Each line of input asks for what came since the line before: frames sent and arrived, and the longest time between two.
static __u64 run_steady(double rate, __u64 *arrived)
{
    __u64 before[COUNTERS], counts[COUNTERS], fresh_counts = 0;
    char line[64];
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    struct source_state fresh = { .last_ns = t.tv_sec * 1000000000ull + t.tv_nsec };
    struct gap gap = { 0 };
    __u32 zero = 0;
    plan.trial++;
    plan.rate = rate;
    bpf_map_update_elem(plan_map, &zero, &plan, 0);
    bpf_map_update_elem(state_map, &zero, &fresh, 0);
    bpf_map_update_elem(gap_map, &zero, &gap, 0);
    read_counters(before);

    pthread_t source;
    if (pthread_create(&source, NULL, run_source, NULL))
        fail("no thread for the source");
    __u64 sent = 0;
    double since_when = now();
    while (!stopped && fgets(line, sizeof line, stdin)) {
        __u64 sent_now = read_sent(), good = since(before, counts), longest;
        double when = now();
        bpf_map_lookup_elem(gap_map, &zero, &gap);
        longest = gap.longest_ns;
        gap.longest_ns = 0;
        bpf_map_update_elem(gap_map, &zero, &gap, 0);
        printf("window sent=%llu arrived=%llu seconds=%.3f gap_us=%.1f\n", (unsigned long long)(sent_now - sent), (unsigned long long)(good - fresh_counts), when - since_when,
               longest / 1e3);
        fflush(stdout);
        sent = sent_now, fresh_counts = good, since_when = when;
    }
    pthread_kill(source, SIGUSR1);
    pthread_join(source, NULL);
    for (int quiet = 0, i = 0; quiet < 5 && i < 200; i++) {
        __u64 good = fresh_counts;
        usleep(10000);
        fresh_counts = since(before, counts);
        quiet = fresh_counts == good ? quiet + 1 : 0;
    }
    for (int k = 0; k < COUNTERS; k++)
        totals[k] += counts[k];
    *arrived = fresh_counts;
    return read_sent();
}

// Halves the range between a rate that is surely carried and one that surely is not.
static double find_rate_without_loss(double seconds, double most)
{
    double low = most * 0.25, high = most * 1.3, best = 0;
    for (int step = 0; step < STEPS && !stopped; step++) {
        double rate = (low + high) / 2;
        int passed = 0;
        for (int attempt = 0; attempt < ATTEMPTS && !passed && !stopped; attempt++) {
            struct result r = run_trial(rate, seconds);
            passed = is_without_loss(&r);
            if (getenv("BED_VERBOSE"))
                fprintf(stderr, "  rate %.3f offered %.3f delivered %.3f lost %.4f%% %s\n", rate / 1e6, r.offered / 1e6, r.delivered / 1e6,
                        r.sent ? 100 - 100.0 * r.good / r.sent : 0, passed ? "passed" : "failed");
            if (passed && r.delivered > best)
                best = r.delivered;
        }
        if (passed)
            low = rate;
        else
            high = rate;
    }
    return best;
}

// Offers ever more until much of it is lost: for what carries less under a flood than before it.
static struct result find_most(double seconds, double rate)
{
    struct result best = { 0 };
    for (; rate < 1e7 && !stopped; rate *= 1.5) {
        struct result r = run_trial(rate, seconds);
        if (r.delivered > best.delivered)
            best = r;
        if (r.delivered < 0.7 * rate)
            break;
    }
    return best;
}

// Puts the sink at the ingress of an interface.
static void attach(struct bpf_tc_hook *hook, int program, const char *interface)
{
    hook->ifindex = if_nametoindex(interface);
    if (!hook->ifindex)
        fail("no interface %s", interface);
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program, .handle = 1, .priority = 1, .flags = BPF_TC_F_REPLACE);
    int error = bpf_tc_hook_create(hook);
    if (!error || error == -EEXIST)
        error = bpf_tc_attach(hook, &options);
    if (error)
        fail("attach to %s: %s", interface, strerror(-error));
}

static void read_endpoint(const char *text, __u32 *address, __u16 *port)
{
    char host[64];
    unsigned number;
    if (sscanf(text, "%63[^:]:%u", host, &number) != 2 || inet_pton(AF_INET, host, address) != 1)
        fail("%s is not address:port", text);
    *port = htons(number);
}

static void read_mac(const char *text, __u8 mac[6])
{
    if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6)
        fail("%s is not a hardware address", text);
}

// Towards one destination no port stands for two flows. What is wrong counts as a frame.
static void check_ports(int map)
{
    size_t bytes = MAX_FLOWS * sizeof(struct seen);
    struct seen *seen = mmap(NULL, bytes, PROT_READ, MAP_SHARED, map, 0);
    if (seen == MAP_FAILED)
        fail("mmap: %s", strerror(errno));
    static __u8 taken[65536];
    __u32 group = 0;
    for (__u32 flow = 0; flow < plan.flows; flow++) {
        if (flow == 0 || flow >> plan.shift != group)
            memset(taken, 0, sizeof taken);
        group = flow >> plan.shift;
        if (seen[flow].port && taken[seen[flow].port]++)
            totals[BAD_BINDING]++;
    }
    munmap(seen, bytes);
}

static void print_checks(void)
{
    static const char *const names[COUNTERS] = {
        [BAD_LENGTH] = "length", [BAD_MAC] = "mac", [BAD_IP_HEADER] = "ip_header", [BAD_TTL] = "ttl",
        [BAD_DESTINATION] = "destination", [BAD_UDP_CHECKSUM] = "udp_checksum", [BAD_CONTENT] = "content",
        [BAD_BINDING] = "binding", [BAD_ANSWER] = "answer", [BAD_TWICE] = "twice", [BAD_HALF] = "half",
    };
    __u64 bad = 0;
    for (int k = BAD_LENGTH; k < COUNTERS; k++)
        bad += totals[k];
    printf(" verified=%llu bad=%llu reordered=%llu", (unsigned long long)totals[GOOD], (unsigned long long)bad, (unsigned long long)totals[REORDERED]);
    for (int k = BAD_LENGTH; k < COUNTERS; k++)
        if (totals[k])
            printf(" bad_%s=%llu", names[k], (unsigned long long)totals[k]);
    printf("\n");
}

int main(int count, char **arguments)
{
    const char *mode = NULL, *source_at = NULL, *sink_at = NULL, *object_path = "bed.bpf.o";
    double seconds = 0.3, rate = 0;
    plan.flows = 1000;
    // Not from 1: frames of the run before may still be in a ring.
    plan.trial = (__u32)(now() * 1000) & 0x7fffff;
    plan.expected_ttl = 64;
    plan.shift = 31;
    for (int i = 1; i < count; i++) {
        char *value = strchr(arguments[i], '=');
        if (!value) {
            mode = arguments[i];
            continue;
        }
        *value++ = 0;
        const char *key = arguments[i];
        if (!strcmp(key, "source")) source_at = value;
        else if (!strcmp(key, "sink")) sink_at = value;
        else if (!strcmp(key, "object")) object_path = value;
        else if (!strcmp(key, "mac")) read_mac(value, plan.mac);
        else if (!strcmp(key, "to")) read_endpoint(value, &plan.destination, &plan.port);
        else if (!strcmp(key, "expect")) read_endpoint(value, &plan.expected, &plan.expected_port);
        else if (!strcmp(key, "expect_mac")) read_mac(value, plan.expected_mac), plan.check_mac = 1;
        else if (!strcmp(key, "second_mac")) read_mac(value, plan.second_mac), plan.canary = 1;
        else if (!strcmp(key, "expect_ttl")) plan.expected_ttl = atoi(value);
        else if (!strcmp(key, "bytes")) frame_bytes = atoi(value);
        else if (!strcmp(key, "flows")) plan.flows = atoi(value);
        else if (!strcmp(key, "shift")) plan.shift = atoi(value) & 31;
        else if (!strcmp(key, "backends")) plan.backends = atoi(value);
        else if (!strcmp(key, "expect_source")) inet_pton(AF_INET, value, &plan.expected_source);
        else if (!strcmp(key, "seconds")) seconds = atof(value);
        else if (!strcmp(key, "rate")) rate = atof(value);
        else if (!strcmp(key, "realtime")) realtime = atoi(value);
        else fail("unknown key %s", key);
    }
    if (!mode || !source_at || !sink_at || !plan.flows || plan.flows > MAX_FLOWS || frame_bytes < FRAME_BYTES || frame_bytes > 256)
        fail("usage: bed search|offer|steady source=NAMESPACE/IF sink=NAMESPACE/IF mac=MAC to=IP:PORT expect=IP:PORT "
             "[expect_mac=MAC] [second_mac=MAC] [expect_ttl=N] [expect_source=IP] [backends=N] [flows=N] [bytes=N] [shift=BITS] [seconds=S] [rate=FRAMES_PER_SECOND] [realtime=1] [object=FILE]");

    char source_name[128], source_if[32], sink_name[128], sink_if[32];
    if (sscanf(source_at, "%127[^/]/%31s", source_name, source_if) != 2 || sscanf(sink_at, "%127[^/]/%31s", sink_name, sink_if) != 2)
        fail("source and sink are NAMESPACE/INTERFACE");
    raise_priority(2);
    source_namespace = open_namespace(source_name);
    sink_namespace = open_namespace(sink_name);
    const struct sigaction action = { .sa_handler = on_signal };   // without SA_RESTART: a signal ends the call that it finds
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);

    struct bpf_object *object = bpf_object__open_file(object_path, NULL);
    if (!object || bpf_object__load(object))
        fail("the kernel does not load %s", object_path);
    plan_map = bpf_object__find_map_fd_by_name(object, "plans");
    state_map = bpf_object__find_map_fd_by_name(object, "state");
    counter_map = bpf_object__find_map_fd_by_name(object, "counters");
    gap_map = bpf_object__find_map_fd_by_name(object, "gaps");
    source_program = bpf_program__fd(bpf_object__find_program_by_name(object, "source"));
    enter(sink_namespace);
    LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_INGRESS);
    attach(&hook, bpf_program__fd(bpf_object__find_program_by_name(object, "sink")), sink_if);
    enter(source_namespace);
    plan.ifindex = if_nametoindex(source_if);
    if (!plan.ifindex)
        fail("no interface %s", source_if);

    if (!strcmp(mode, "offer")) {
        struct result r = run_trial(rate, seconds);
        printf("sent=%llu offered=%.4f delivered=%.4f", (unsigned long long)r.sent, r.offered / 1e6, r.delivered / 1e6);
    } else if (!strcmp(mode, "search")) {
        struct result most = rate > 0 ? find_most(seconds, rate) : run_trial(0, seconds);
        double free_of_loss = find_rate_without_loss(seconds, most.delivered);
        struct result over = run_trial(3 * free_of_loss, 2 * seconds);
        printf("loss_free=%.4f full_offered=%.4f full_delivered=%.4f over_offered=%.4f over_delivered=%.4f",
               free_of_loss / 1e6, most.offered / 1e6, most.delivered / 1e6, over.offered / 1e6, over.delivered / 1e6);
    } else if (!strcmp(mode, "steady")) {
        __u64 arrived, sent = run_steady(rate, &arrived);
        printf("sent=%llu arrived=%llu", (unsigned long long)sent, (unsigned long long)arrived);
    } else {
        fail("unknown mode %s", mode);
    }
    if (plan.expected_source)
        check_ports(bpf_object__find_map_fd_by_name(object, "flows"));
    print_checks();

    enter(sink_namespace);
    hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
    bpf_tc_hook_destroy(&hook);
    return stopped ? 130 : 0;
}
